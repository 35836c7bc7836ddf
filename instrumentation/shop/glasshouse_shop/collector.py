"""The collector that the demo starts, or the one that runs already."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from glasshouse_shop import processes
from glasshouse_shop.ending import Ending
from glasshouse_shop.processes import Child

_STARTING_SECONDS = 120.0
_ENDING_SECONDS = 30.0
_HINT = (
    "For the demo: --any-port takes free ports; --endpoint sends to a collector that runs already, "
    "as --endpoint http://localhost:4318."
)


@dataclass
class Collector:
    """`glasshouse serve` with its data in `folder`; on ports of the system's choice if `any_port`."""

    folder: Path
    log: Path
    any_port: bool
    child: Child | None = None
    addresses: Mapping[str, str] | None = None

    def start(self, environ: Mapping[str, str], ending: Ending) -> None:
        """Start it, and wait until it listens."""
        told = self.folder / "endpoints.json"
        told.unlink(missing_ok=True)
        ports = ["--grpc-port", "0", "--http-port", "0", "--port", "0"] if self.any_port else []
        command = [*processes.program(), "serve", "--data-dir", str(self.folder), *ports]
        self.child = child = processes.start("collector", command, environ, self.log)

        def listens() -> bool:
            child.check()
            return told.exists()

        try:
            ending.wait_until(listens, "the collector listens", _STARTING_SECONDS)
        except ChildProcessError as ended:
            raise ChildProcessError(f"{ended}\n{_HINT}") from None
        self.addresses = json.loads(told.read_text())

    @property
    def endpoint(self) -> str:
        """Where to send, as OTLP over HTTP."""
        return f"http://{(self.addresses or {})['http']}"

    @property
    def api(self) -> str:
        """Where to ask."""
        return f"http://{(self.addresses or {})['api']}"

    def check(self) -> None:
        """ChildProcessError where it has ended by itself."""
        if self.child is not None:
            self.child.check()

    def stop(self, hurried: Callable[[], bool]) -> None:
        """End it; what it accepted is kept."""
        if self.child is not None:
            processes.stop([self.child], _ENDING_SECONDS, hurried)
