"""A collector that tests attack: what it answers, and what it still keeps."""

from dataclasses import dataclass
from typing import Any, Final

import httpx

from collector_process import CollectorProcess
from glasshouse_collector.client_code import description

TRACE: Final = "ab" * 16
TOKEN: Final = "the-operators-token"
DESCRIPTION: Final = description()
"""The API's own, made once: that takes a second."""


@dataclass(frozen=True)
class Attacked:
    """The process, its addresses, and the operator's token."""

    collector: CollectorProcess
    at: dict[str, str]
    token: str

    @property
    def api(self) -> str:
        """The API's address."""
        return f"http://{self.at['api']}"

    def client(self, **more: Any) -> httpx.Client:
        """Return a client that may do everything."""
        return httpx.Client(base_url=self.api, headers={"X-API-Key": self.token}, timeout=60, **more)

    def counts(self) -> dict[str, int]:
        """Return what is kept of every project."""
        tables = {"spans": "otel_traces", "logs": "otel_logs", "points": "otel_metrics_sum"}
        with self.client() as client:
            answers = {
                name: client.post(
                    "/api/v1/sql", params={"project": "*"}, json={"query": f"SELECT count() FROM {table}"}
                )
                for name, table in tables.items()
            }
        return {name: int(answer.json()["rows"][0][0]) for name, answer in answers.items()}
