"""docs/metrics.md is what core/metrics.py declares, and what a registry shows."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from glasshouse_collector.core.declarations import Declared, counter, declared_by, histogram, make_all
from glasshouse_collector.core.metrics import LABELS, ROOMS, Metrics
from glasshouse_collector.core.metrics_document import document

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
DECLARED = {each.name: each for room in ROOMS.values() for each in declared_by(room).values()}


def test_the_page_is_what_its_command_makes() -> None:
    """Run the command in its head after a change."""
    assert DOCUMENT.read_text() == document()


def test_every_metric_has_a_row() -> None:
    """Under the name that it is asked for by, once."""
    rows = re.findall(
        r"^\| `((?:glasshouse|gen_ai)_\w+)` \| (?:counter|gauge|histogram) \|", document(), re.MULTILINE
    )
    assert rows == [each.shown_as for each in DECLARED.values()]


def test_every_label_is_explained() -> None:
    """No label without a row, and no row for a label that is gone."""
    assert {label for each in DECLARED.values() for label in each.labels} == LABELS.keys()


def test_a_registry_shows_exactly_what_is_declared() -> None:
    """Name, type and meaning, beside what prometheus_client says of the process."""
    page = generate_latest(Metrics().registry).decode()
    shown = {family.name: family for family in text_string_to_metric_families(page)}
    own = {name for name in shown if not name.startswith(("process_", "python_"))}
    assert own == DECLARED.keys()
    for name in own:
        assert (shown[name].type, shown[name].documentation) == (DECLARED[name].type, DECLARED[name].meaning)


@pytest.mark.parametrize("name", DECLARED)
def test_a_name_tells_its_unit(name: str) -> None:
    """Seconds and bytes stand at its end, as Prometheus has it, and are what the page says."""
    unit = DECLARED[name].unit
    in_name = next((known for known in ("seconds", "bytes") if name.endswith(f"_{known}")), None)
    assert (unit.split()[0] == in_name) if in_name else unit not in ("seconds", "bytes")


@pytest.mark.parametrize("attribute", [name for room in ROOMS.values() for name in declared_by(room)])
def test_an_attribute_is_the_metric_it_names(attribute: str) -> None:
    """From an instance the metric, from the class its declaration; each instance has its own."""
    declared = getattr(Metrics, attribute)
    assert isinstance(declared, Declared)
    one, other = Metrics(), Metrics()
    assert isinstance(getattr(one, attribute), declared.kind)
    assert getattr(one, attribute) is not getattr(other, attribute)


def test_what_was_not_made_is_no_metric() -> None:
    """A class that forgets to make what it declares is told so at the first use."""

    class Forgetful:
        requests = counter("forgotten_requests", "Requests", "requests")

    with pytest.raises(AttributeError, match="Forgetful did not make forgotten_requests"):
        Forgetful().requests.inc()


def test_a_histogram_has_the_bounds_it_declares() -> None:
    """And three names of samples."""

    class Sized:
        sizes = histogram("sizes", "Sizes", "rooms", ("house",), buckets=(1, 2))

    registry, sized = CollectorRegistry(), Sized()
    make_all(sized, registry)
    sized.sizes.labels("glass").observe(2)
    (family,) = registry.collect()
    assert {sample.name for sample in family.samples} - {"sizes_created"} == set(Sized.sizes.samples)
    bounds = {sample.labels["le"]: sample.value for sample in family.samples if "le" in sample.labels}
    assert bounds == {"1.0": 0, "2.0": 1, "+Inf": 1}
