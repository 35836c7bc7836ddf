"""docs/prometheus-metrics.md says what there is."""

import re
from pathlib import Path

import pytest

from glasshouse_exporters.prometheus.otlp import metrics, points, series
from glasshouse_exporters.prometheus.otlp.exponential import exponential_bounds
from glasshouse_exporters.prometheus.otlp.naming import metric_name, unit_words
from glasshouse_exporters.prometheus.remote_write import push
from glasshouse_exporters.prometheus.remote_write.config import RemoteWriteConfig
from glasshouse_exporters.prometheus.series import Kind

_PAGE = (Path(__file__).parents[3] / "docs" / "prometheus-metrics.md").read_text()
_REASONS = {
    metrics.DELTA_GAUGE,
    metrics.MALFORMED,
    metrics.NO_TEMPORALITY,
    points.CONFLICTING_NAME,
    points.OUT_OF_ORDER,
    series.NO_NAME,
    series.RESERVED_NAME,
    push.REFUSED,
    push.UNREACHABLE,
}


def _section(title: str) -> str:
    return _PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_reason_is_explained() -> None:
    """Each reason of a point that is not shown has a row, and no other has."""
    rows = [
        line.split("|")[1] for line in _section("What is not shown").splitlines() if line.startswith("| `")
    ]
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == _REASONS


def test_every_setting_of_remote_write_is_explained() -> None:
    """Each setting has a row, and no other has."""
    rows = re.findall(r"^\| `(\w+)`", _section("Remote write"), re.MULTILINE)
    assert set(rows) == set(RemoteWriteConfig.model_fields)


def test_examples_of_names_are_true() -> None:
    """Each example in the table of names comes out as the table says."""
    rows = re.findall(
        r"^\| [^|]+ \| `([^`]+)`(?:, `([^`]+)`)? \| `([^`]+)` \|$", _section("Names"), re.MULTILINE
    )
    assert len(rows) == 7
    for name, unit, expected in rows:
        kind = Kind.COUNTER if expected.endswith("_total") else Kind.GAUGE
        assert metric_name(name, unit, kind) == expected


def test_units_that_are_named_have_words() -> None:
    """Each unit of the list becomes a word that is not the unit itself."""
    units = re.findall(r"`([^`]+)`", _PAGE.split("Units with words:")[1].split("Another unit")[0])
    assert len(units) == 26
    assert all(unit_words(unit) not in ([], [unit]) for unit in units)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "By", "{thing}"])
def test_lines_of_exponential_histograms_are_true(unit: str) -> None:
    """Bounds and lines of a series are those of the table."""
    named = f"`{unit}`" if unit != "{thing}" else "any other"
    row = re.search(rf"^\| {named} \|.*\| ([\d, ]+) \|$", _section("Exponential histograms"), re.MULTILINE)
    assert row
    lines = [len(exponential_bounds(unit, scale)) + 3 for scale in (0, 1, 2)]
    assert [int(number) for number in row[1].split(",")] == lines
