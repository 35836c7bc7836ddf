"""The folder that Prometheus and Alertmanager of the stack run from: copies of the files of `alerts/`."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from glasshouse_alerts.stack_speed import hastened
from glasshouse_collector.core.errors import ConfigurationError

SOURCE = Path(__file__).resolve().parents[1]
"""`alerts/` of a checkout, which has the rules beside this package."""


class StackFiles:
    """Copies of the files of `alerts/` in `folder`, every duration divided by `speed`."""

    def __init__(self, folder: Path, speed: float, source: Path = SOURCE) -> None:
        self._source = source
        self._speed = speed
        self.prometheus = folder / "prometheus"
        self.alertmanager = folder / "alertmanager"
        self.templates = source / "alertmanager" / "templates"
        if not (source / "prometheus" / "prometheus.yml").is_file():
            raise ConfigurationError(
                f"there is no prometheus/prometheus.yml in {source}; the stack runs from a checkout"
            )

    def write_prometheus(self, *, collector: str, alertmanager: str, token: str) -> Path:
        """Write Prometheus's folder anew and return its configuration; addresses are `host:port`.

        `token` is what `/metrics` wants, or nothing.
        """
        source, folder = self._source / "prometheus", self.prometheus
        self._empty(folder, "rules", "targets", "secrets")
        self._copy(source / "prometheus.yml", folder / "prometheus.yml")
        for rules in sorted((source / "rules").glob("*.yml")):
            self._copy(rules, folder / "rules" / rules.name)
        for name, address in (("collector", collector), ("alertmanager", alertmanager)):
            (folder / "targets" / f"{name}.yml").write_text(f'- targets: ["{address}"]\n')
        secret = folder / "secrets" / "collector-token"
        secret.touch(mode=0o600)
        secret.write_text(token)
        return folder / "prometheus.yml"

    def hasten(self, rendered: Path) -> None:
        """Divide the durations of a file that was rendered for this place."""
        rendered.write_text(hastened(rendered.read_text(encoding="utf-8"), self._speed), encoding="utf-8")

    def _copy(self, source: Path, target: Path) -> None:
        target.write_text(hastened(source.read_text(encoding="utf-8"), self._speed), encoding="utf-8")

    @staticmethod
    def _empty(folder: Path, *inner: str) -> None:
        """Make the folders without what an earlier run left in them."""
        for name in inner:
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)


def auth_token(config: Path | None, environ: Mapping[str, str]) -> str:
    """Return the key that the collector asks for, by the same variable and file that it reads; or nothing."""
    import yaml  # noqa: PLC0415

    if token := environ.get("GLASSHOUSE_AUTH_TOKEN"):
        return token
    path = config or (Path(environ["GLASSHOUSE_CONFIG"]) if "GLASSHOUSE_CONFIG" in environ else None)
    if path is None or not path.is_file():
        return ""
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return ""  # the collector itself will say what is wrong with it
    return str(written.get("auth_token") or "") if isinstance(written, dict) else ""
