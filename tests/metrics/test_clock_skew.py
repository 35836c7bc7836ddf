"""How far services' clocks are off, by the requests they send."""

import asyncio
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.batch import Batch, Frame, Origin, Run
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.pipeline.clock_skew import MOST_SERVICES, SILENT_SECONDS, ClockSkew
from glasshouse_collector.pipeline.form import form
from glasshouse_collector.pipeline.formed import FormedRuns
from timed_requests import NOW, SECOND, logs, spans

Value = Callable[..., float | None]
NAME = "glasshouse_clock_skew_seconds"


def shown(metrics: Metrics) -> dict[tuple[str, str], float]:
    """Return the series of all services."""
    samples = next(iter(metrics.clock_skew_seconds.collect())).samples
    return {(each.labels["project"], each.labels["service_name"]): each.value for each in samples}


def observe(skew: ClockSkew, *frames: Frame) -> None:
    """Observe the frames as one run."""
    skew.observe(form(best_codec(), Run(Origin("j", 0, 0, 0), frames)))


def test_the_newest_record_counts_against_the_receipt_of_its_own_request(
    metrics: Metrics, value: Value
) -> None:
    """A run may hold requests that came in an hour apart; a span's time is its end."""
    skew = ClockSkew(metrics)
    later = NOW + 3600 * SECOND
    observe(
        skew,
        spans(NOW - 9 * SECOND, NOW - 2 * SECOND, NOW - 5 * SECOND),
        spans(later - 3 * SECOND, received=later),
        spans(NOW + 30 * SECOND, service="ahead", lasting=3600 * SECOND),
        logs(later - 100 * SECOND, service="late", received=later),
    )
    assert value(NAME, project="default", service_name="shop") == 2
    assert value(NAME, project="default", service_name="ahead") == -30
    assert value(NAME, project="default", service_name="late") == 100


def test_projects_and_signals_share_nothing_but_a_service(metrics: Metrics, value: Value) -> None:
    """The same name in another project is another service; its spans and log records are one."""
    skew = ClockSkew(metrics)
    observe(skew, spans(NOW - 8 * SECOND), logs(NOW - 3 * SECOND), spans(NOW - SECOND, project="other"))
    assert value(NAME, project="default", service_name="shop") == 3
    assert value(NAME, project="other", service_name="shop") == 1


def test_a_run_seen_late_changes_nothing(metrics: Metrics, value: Value) -> None:
    """An exporter that is behind has runs formed again that others are past."""
    skew = ClockSkew(metrics)
    observe(skew, spans(NOW - SECOND))
    observe(skew, spans(NOW - 600 * SECOND, received=NOW - 500 * SECOND))
    assert value(NAME, project="default", service_name="shop") == 1


def test_only_so_many_services_have_a_series(metrics: Metrics) -> None:
    """Those heard last; of more than that at once, those whose clocks are furthest ahead."""
    skew = ClockSkew(metrics)
    observe(skew, spans(NOW, service="first"))
    at_once = [spans(NOW + i * SECOND, service=f"s{i}") for i in range(MOST_SERVICES + 20)]
    observe(skew, *at_once)
    assert len(shown(metrics)) == MOST_SERVICES
    assert ("default", "first") not in shown(metrics)
    assert min(shown(metrics).values()) == -(MOST_SERVICES + 19)
    observe(skew, spans(NOW, service="last"))
    assert len(shown(metrics)) == MOST_SERVICES
    assert shown(metrics)["default", "last"] == 0


def test_a_silent_service_is_forgotten(metrics: Metrics) -> None:
    """An alert on a clock that is ahead ends with the service."""
    skew = ClockSkew(metrics)
    observe(skew, spans(NOW + 500 * SECOND, service="ahead"))
    later = NOW + int(SILENT_SECONDS + 1) * SECOND
    observe(skew, spans(later, received=later))
    assert shown(metrics) == {("default", "shop"): 0}


def test_a_dead_letter_says_nothing_about_clocks(metrics: Metrics) -> None:
    """It may be days old, and is formed to be delivered again."""
    runs = FormedRuns(best_codec(), [], metrics)
    run = Run(Origin("j", 0, 0, 0), [spans(NOW)])
    asyncio.run(runs.of_letter(run))
    assert shown(metrics) == {}
    asyncio.run(runs.of(run))
    assert shown(metrics) == {("default", "shop"): 0}


@pytest.mark.parametrize(
    "service", ["", "x" * 100_000, 'quo"te\n', "日本"], ids=["none", "long", "odd", "wide"]
)
def test_any_name_makes_one_bounded_label(metrics: Metrics, service: str) -> None:
    """What a sender calls itself is cut at 256 characters."""
    observe(ClockSkew(metrics), spans(NOW, service=service))
    ((_, label),) = shown(metrics)
    assert label == service[:256]


@pytest.mark.parametrize("end", [1, 2**63 - 1, 2**64 - 1], ids=["1970", "2262", "beyond"])
def test_any_time_makes_a_number(metrics: Metrics, end: int) -> None:
    """A sender may claim any 64 bits."""
    observe(ClockSkew(metrics), spans(end, lasting=0))
    (skew,) = shown(metrics).values()
    assert np.isfinite(skew)


def _oracle(frames: Iterable[tuple[str, str, list[int], int]]) -> dict[tuple[str, str], float]:
    least: dict[tuple[str, str], float] = {}
    for project, service, ends, received in frames:
        for end in ends:
            skew = (received - end) / SECOND
            least[project, service] = min(skew, least.get((project, service), skew))
    return least


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["default", "a", "b"]),
            st.sampled_from(["shop", "cart", "payment"]),
            st.lists(st.integers(NOW - 10**14, NOW + 10**14), min_size=1, max_size=4),
            st.integers(NOW, NOW + 10**12),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_it_is_what_a_walk_over_the_spans_finds(frames: list[tuple[str, str, list[int], int]]) -> None:
    """Over columns as over objects, within what floating point can tell of nanoseconds."""
    metrics = Metrics()
    observe(
        ClockSkew(metrics),
        *(spans(*ends, service=service, project=project, received=received)
          for project, service, ends, received in frames),
    )  # fmt: skip
    assert shown(metrics) == pytest.approx(_oracle(frames), abs=1e-6)


def test_processors_get_the_batches_as_they_were(metrics: Metrics) -> None:
    """Observing changes nothing."""
    batches: list[Batch] = []

    class Keep:
        def process(self, batch: Batch) -> Batch:
            batches.append(batch)
            return batch

    run = Run(Origin("j", 0, 0, 0), [spans(NOW), logs(NOW)])
    asyncio.run(FormedRuns(best_codec(), [Keep()], metrics).of(run))  # type: ignore[list-item]
    expected = form(best_codec(), run).batches
    assert [batch.records for batch in batches] == [batch.records for batch in expected]
