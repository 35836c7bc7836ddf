"""Reads a table of series as its page tells it, with the reader of prometheus_client."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from glasshouse_exporters.prometheus.exposition import render
from glasshouse_exporters.prometheus.series import SeriesTable

Labels = frozenset[tuple[str, str]]


@dataclass
class TestClock:
    """A clock that moves when it is told to."""

    __test__ = False
    seconds: float = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


@dataclass
class Overflows:
    """What a table told of label sets without room."""

    counts: dict[str, int] = field(default_factory=dict)

    def __call__(self, family: str, count: int) -> None:
        """Take what is told."""
        self.counts[family] = self.counts.get(family, 0) + count


def table_of(
    max_lines: int = 100_000,
    now: Callable[[], float] | None = None,
    on_overflow: Callable[[str, int], None] | None = None,
) -> SeriesTable:
    """Return a table, by default without surprises."""
    return SeriesTable(max_lines, now or TestClock(), on_overflow or Overflows())


def page(table: SeriesTable, *, openmetrics: bool = False) -> str:
    """Return what the table shows."""
    return b"".join(render(table.snapshot(), openmetrics=openmetrics)).decode()


def samples(table: SeriesTable, *, openmetrics: bool = False) -> list[Sample]:
    """Return all samples, read back strictly."""
    text = page(table, openmetrics=openmetrics)
    if openmetrics:
        return [sample for family in openmetrics_families(text) for sample in family.samples]
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def openmetrics_families(text: str) -> Iterable[Metric]:
    """Return the families of a page, read strictly."""
    read: Iterable[Metric] = read_openmetrics(text + "# EOF\n")  # type: ignore[no-untyped-call]
    return read


def values(table: SeriesTable, name: str) -> dict[Labels, float]:
    """Return the samples of one name by their labels; no two have the same."""
    found = [(label_key(sample.labels), sample.value) for sample in samples(table) if sample.name == name]
    assert len(found) == len(dict(found))
    return dict(found)


def label_key(labels: Mapping[str, str]) -> Labels:
    """Return labels as a key; an empty label is none."""
    return frozenset((name, value) for name, value in labels.items() if value)
