"""The demo shop in trouble and a measured application, watched by the stack with its durations divided."""

import contextlib
import datetime as dt
import subprocess
from pathlib import Path
from typing import Any, Self

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glasshouse_alerts.stack_programs import ALERTMANAGER, COLLECTOR, PROMETHEUS, Stack, StackSettings
from measured_application import MeasuredApplication
from shop_process import PROGRAM, ShopProcess

SPEED = 20.0
FAULTS = ("payment:exception", "catalog:dependency-error")


class ObservedDemo:
    """All of it, as a context manager: collector, Alertmanager, Prometheus, shop, application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = folder / "glasshouse.yaml"
        extensions = {"alerts": {}, "certificates": {"files": [str(_certificate(folder / "server.pem"))]}}
        exporters: dict[str, Any] = {"clickhouse": {}, "prometheus": {}}
        config.write_text(yaml.safe_dump({"exporters": exporters, "extensions": extensions}))
        self.stack = Stack(StackSettings(folder / "data", config=config, any_port=True, speed=SPEED))
        self._client = httpx.Client(timeout=30)
        self._left = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._left as left:
            left.enter_context(self._client)
            left.enter_context(self.stack)
            endpoint = f"http://{self.stack.endpoints['http']}"
            application = MeasuredApplication(endpoint)
            left.callback(application.stop)
            shop = ShopProcess(self.folder / "shop", "--endpoint", endpoint, "--sessions-per-second", "3")
            left.callback(shop.stop)
            shop.opened()
            for fault in FAULTS:
                switch = ["demo", "--data-dir", str(shop.folder), "fault", fault, "--duration", "10m"]
                subprocess.run([PROGRAM, *switch], check=True, capture_output=True)
            self._send_what_is_refused(endpoint)
            self._left = left.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Return the rules that Prometheus runs, as its files have them."""
        files = sorted((self.folder / "data" / "stack" / "prometheus" / "rules").glob("*.yml"))
        groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
        return [rule for group in groups for rule in group["rules"]]

    def prometheus(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus's API; AssertionError with its message where it does not understand."""
        address = f"{self.stack.url(PROMETHEUS)}/api/v1/{path}"
        answer = self._client.get(address, params=parameters)
        assert answer.is_success, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def series(self, expression: str) -> list[Any]:
        """Return what an expression has now."""
        found: list[Any] = self.prometheus("query", query=expression)["result"]
        return found

    def rows(self, sql: str) -> list[list[Any]]:
        """Return what the store answers; AssertionError with its message where it does not understand."""
        address = f"{self.stack.url(COLLECTOR)}/api/v1/sql"
        answer = self._client.post(address, json={"query": sql})
        assert answer.is_success, f"{sql}: {answer.text}"
        found: list[list[Any]] = answer.json()["rows"]
        return found

    def alertmanager(self) -> str:
        """Return Alertmanager's address."""
        return self.stack.url(ALERTMANAGER)

    @staticmethod
    def _send_what_is_refused(endpoint: str) -> None:
        headers = {"Content-Type": "application/json"}
        refused = httpx.post(f"{endpoint}/v1/traces", content=b"no JSON", headers=headers)
        assert refused.status_code == httpx.codes.BAD_REQUEST
        span = {"traceId": "00" * 16, "spanId": "0102030405060708", "name": "without a trace", "kind": 1}
        sent = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        assert httpx.post(f"{endpoint}/v1/traces", json=sent).is_success


def _certificate(path: Path) -> Path:
    """Write a certificate that ends in half a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "glasshouse.test")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + dt.timedelta(days=180))
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path
