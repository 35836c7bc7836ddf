"""A store in a process of its own, behind a connection that can fail."""

import socket
import subprocess
import sys
from pathlib import Path

from collector_process import until
from faulty_proxy import FaultyProxy


class StoreProcess:
    """`glasshouse store serve --writable` behind a proxy that can fail."""

    def __init__(self, folder: Path, seed: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        program = Path(sys.executable).parent / "glasshouse"
        with (folder / "store.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    "store",
                    "serve",
                    "--data-dir",
                    folder / "store",
                    "--port",
                    str(port),
                    "--writable",
                ],
                stdout=log,
                stderr=log,
            )
        until(lambda: _listens(port), "the store listens")
        self.proxy = FaultyProxy(port, seed)
        self.dsn = f"http://127.0.0.1:{self.proxy.port}"

    def stop(self) -> None:
        """End the store and the way to it."""
        self.proxy.stop()
        self._process.kill()
        self._process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
