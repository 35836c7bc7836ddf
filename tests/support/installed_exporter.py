"""An exporter of someone else's distribution, which is refused by its destination as a file says."""

from pathlib import Path
from textwrap import dedent

_MODULE = """\
from pathlib import Path

from glasshouse_collector.core.batch import Batch, Signal
from glasshouse_collector.core.components import ComponentConfig, Services
from glasshouse_collector.core.errors import Permanent, Retryable


class Outside:
    class Config(ComponentConfig):
        closed_while: Path

    def __init__(self, config: Config, services: Services) -> None:
        self._closed_while = config.closed_while

    async def start(self) -> None:
        pass

    async def export(self, batch: Batch) -> None:
        if self._closed_while.exists():
            raise Retryable("closed")
        if batch.signal is Signal.LOGS:
            raise Permanent("no log records, please")

    async def stop(self) -> None:
        pass
"""


def install(folder: Path) -> None:
    """Put the distribution into `folder`, found by a process that has it in PYTHONPATH.

    The exporter `outside` refuses log records for good, and everything for now while the file of
    its setting `closed_while` exists.
    """
    about = folder / "outside_exporter-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "outside_exporter.py").write_text(_MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-exporter\nVersion: 1.0\n")
    points = """\
        [glasshouse.exporters]
        outside = outside_exporter:Outside
    """
    (about / "entry_points.txt").write_text(dedent(points))
