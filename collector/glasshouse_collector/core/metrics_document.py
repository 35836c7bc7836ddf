"""Makes `docs/metrics.md` of what `core/metrics.py` declares.

python -m glasshouse_collector.core.metrics_document > docs/metrics.md
"""

import inspect
import sys
import textwrap

from glasshouse_collector.core.declarations import declared_by
from glasshouse_collector.core.metrics import LABELS, ROOMS

_WIDTH = 150
_TITLE = "# The collector's own metrics"
_COMMAND = "<!-- made by: python -m glasshouse_collector.core.metrics_document > docs/metrics.md -->"
_INTRODUCTION = """
`GET /metrics` of the API shows them to Prometheus, before what the [Prometheus exporter](prometheus.md)
makes of telemetry. Each counts from the start of the process, and a series with labels begins with the
first thing counted in it. A histogram has `_bucket`, `_sum` and `_count`; the bounds of those in seconds
go from 1 ms to 30 s. Beside them stand `process_*` (CPU, memory, open files, start) and `python_info`,
as prometheus_client makes them.
"""


def document() -> str:
    """Return the page in Markdown: a section a room, a row a metric, and what the labels say."""
    rooms = [_room(title, room) for title, room in ROOMS.items()]
    return "\n".join([_TITLE, "", _COMMAND, "", _paragraph(_INTRODUCTION), "", *rooms, _labels()])


def _room(title: str, room: type) -> str:
    rows = [
        f"| `{each.shown_as}` | {each.type} | {_names(each.labels)} | {each.unit} | {each.meaning} |"
        for each in declared_by(room).values()
    ]
    head = ["| name | type | labels | unit | meaning |", "|---|---|---|---|---|"]
    return "\n".join([f"## {title}", "", _paragraph(inspect.getdoc(room) or ""), "", *head, *rows, ""])


def _labels() -> str:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in LABELS.items()]
    return "\n".join(["## Labels", "", "| label | values |", "|---|---|", *rows, ""])


def _names(labels: tuple[str, ...]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _paragraph(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.stdout.write(document())
