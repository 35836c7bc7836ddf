"""Counters, histograms and gauges: one line, at any time, with any number."""

import asyncio
import math
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse import counter, gauge, histogram, metrics
from glasshouse.metrics.instruments import SECONDS_BUCKETS
from glasshouse.metrics.measurements import not_negative, number
from metric_reading import Reading, reading


def test_one_line_counts(measured: Reading) -> None:
    """A counter is declared and used in one line, however often."""
    for amount in (1, 2, 4):
        counter("test.orders", "{order}", "Orders.").add(amount, {"shop.region": "eu"}, kind="gift")
    assert measured.points("test.orders") == [(7, {"shop.region": "eu", "kind": "gift"})]
    metric = measured.metric("test.orders")
    assert (metric.unit, metric.description) == ("{order}", "Orders.")


def test_up_down_and_gauge(measured: Reading) -> None:
    """What comes and goes is a sum of both; a gauge has its last value."""
    connections = metrics.up_down_counter("test.connections")
    with connections.during(pool="a"), connections.during(pool="a"):
        assert measured.points("test.connections") == [(2, {"pool": "a"})]
    assert measured.points("test.connections") == [(0, {"pool": "a"})]
    for level in (5, 3):
        gauge("test.level").set(level)
    assert measured.points("test.level") == [(3, {})]


def test_histogram_of_seconds_has_buckets_for_seconds(measured: Reading) -> None:
    """Durations in seconds get the boundaries that the conventions advise; others may be given."""
    histogram("test.wait", "s").record(0.2)
    histogram("test.size", "By", buckets=[10, 100]).record(50)
    (point,) = measured.metric("test.wait").data.data_points
    assert tuple(point.explicit_bounds) == SECONDS_BUCKETS
    assert (point.count, point.sum) == (1, 0.2)
    (point,) = measured.metric("test.size").data.data_points
    assert (tuple(point.explicit_bounds), tuple(point.bucket_counts)) == ((10, 100), (0, 1, 0))


def test_what_is_measured_before_configure_is_kept() -> None:
    """A gauge set at import, and a counter, are delivered to the first provider, and only to it."""
    counter("test.early").add(2)
    gauge("test.build").set(1, version="1.2")
    with reading() as first:
        metrics.instruments.deliver_waiting()
        assert first.points("test.early") == [(2, {})]
        assert first.points("test.build") == [(1, {"version": "1.2"})]
        counter("test.early").add(3)
        assert first.points("test.early") == [(5, {})]
    counter("test.early").add(100)
    with reading() as second:
        counter("test.early").add(1)
        assert second.points("test.early") == [(1, {})]


def test_what_waits_is_bounded() -> None:
    """A process that never configures keeps at most 1000 values of an instrument, the newest."""
    lost = counter("test.bounded")
    for _ in range(1500):
        lost.add(1)
    with reading() as configured:
        lost.add(1)
        assert configured.points("test.bounded") == [(1001, {})]


class _Indexed:
    def __index__(self) -> int:
        return 7


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (2.5, 2.5),
        (True, 1),
        (Decimal("1.5"), 1.5),
        (Fraction(1, 4), 0.25),
        (_Indexed(), 7),
        (1 << 60, float(1 << 60)),
    ],
)
def test_any_number(measured: Reading, value: Any, expected: float) -> None:
    """Whatever is a number is measured, as an int or a float that OTLP can carry."""
    gauge("test.any").set(value)
    ((seen, _),) = measured.points("test.any")
    assert (seen, type(seen)) == (expected, type(expected))


@given(st.one_of(st.integers(), st.floats(), st.decimals(allow_nan=False), st.fractions(), st.booleans()))
def test_a_number_is_finite_or_refused(value: Any) -> None:
    """A measurement is a finite int of 54 bits or a float, or it is refused; nothing else ever comes out."""
    try:
        result = number(value)
    except (ValueError, OverflowError):
        assert not math.isfinite(value) or abs(value) > sys.float_info.max
        return
    assert type(result) in {int, float}
    assert math.isfinite(result)
    assert math.isclose(result, value, rel_tol=1e-15, abs_tol=1e-300)


@pytest.mark.parametrize(
    "wrong", ["3", b"3", None, Decimal("sNaN"), [1], math.nan, math.inf, 10**400, 1j, -1]
)
def test_what_is_no_measurement_is_refused(wrong: Any) -> None:
    """Texts, nothing, lists, infinities, and negative counts are refused."""
    with pytest.raises((TypeError, ValueError)):
        not_negative(wrong)


def test_attributes_of_any_kind(measured: Reading) -> None:
    """Ids, lists and odd objects become what OpenTelemetry can carry; None is left out."""
    workspace = UUID(int=5)
    counter("test.attributes").add(
        1, {"list": ["a", "b"], "huge": 1 << 80, "gone": None}, workspace_id=workspace, odd="\ud800"
    )
    ((_, about),) = measured.points("test.attributes")
    assert about["workspace.id"] == str(workspace)
    assert list(about["list"]) == ["a", "b"]
    assert set(about) == {"list", "huge", "workspace.id", "odd"}
    assert isinstance(about["huge"], str)
    about["odd"].encode()


def test_timer_times_blocks_functions_and_coroutines(measured: Reading) -> None:
    """One timer times a block, decorates functions of both kinds, and marks what raised."""
    took = histogram("test.took", "ms")

    @took.time(kind="plain")
    def plain(value: int) -> int:
        return value + 1

    @took.time(kind="asynchronous")
    async def asynchronous(value: int) -> int:
        await asyncio.sleep(0)
        return value + 2

    assert plain(1) == 2
    assert asyncio.run(asynchronous(1)) == 3
    with pytest.raises(KeyError), took.time(kind="failing"):
        raise KeyError
    with took.time() as timer:
        timer.attributes["kind"] = "said later"
    assert sorted(measured.points("test.took"), key=str) == sorted(
        [
            (1, {"kind": "plain"}),
            (1, {"kind": "asynchronous"}),
            (1, {"kind": "failing", "error.type": "KeyError"}),
            (1, {"kind": "said later"}),
        ],
        key=str,
    )


def test_asked_values_come_and_go(measured: Reading) -> None:
    """A gauge may be asked for its value at each collection, by several, until they are done."""
    gauge("test.asked", ask=lambda: 4)
    undo = metrics.observe("gauge", "test.asked", "", "", lambda: [(1, {"who": "b"}), (2, {"who": "c"})])
    metrics.observe("gauge", "test.asked", "", "", lambda: None)
    assert measured.points("test.asked") == [(4, {}), (1, {"who": "b"}), (2, {"who": "c"})]
    undo()
    assert measured.points("test.asked") == [(4, {})]


def test_what_was_declared_before_is_asked_after_configure() -> None:
    """A gauge that is asked outlives shutdown and configure: each provider gets it once."""
    gauge("test.lasting", ask=lambda: 8)
    for _ in range(2):
        with reading() as configured:
            metrics.observables.bind_all()
            metrics.observables.bind_all()
            assert configured.points("test.lasting") == [(8, {})]


@pytest.mark.parametrize(
    "declare",
    [
        lambda: counter("no spaces"),
        lambda: counter("1st"),
        lambda: gauge("test.unit", "µs"),
        lambda: histogram("x" * 256),
    ],
)
def test_wrong_names_are_said_in_tests(declare: Callable[[], object]) -> None:
    """A name or unit that OpenTelemetry would refuse raises under pytest, and says what is right."""
    with pytest.raises(ValueError, match="should be"):
        declare()


PRODUCTION = """
import logging
logging.basicConfig(format="%(message)s")
from opentelemetry import metrics as api
from opentelemetry.sdk.metrics import MeterProvider
api.set_meter_provider(MeterProvider())
from glasshouse import counter, gauge, histogram, metrics
counter("no spaces").add(1)
counter("ok").add("many")
counter("ok").add(-1)
histogram("ok.too").record(float("nan"))
gauge(["unhashable"]).set(1)
gauge("ok.also", ask=3)
with histogram("no.time", "By").time():
    pass
print("alive")
"""


def test_nothing_raises_in_production() -> None:
    """Outside of pytest the same mistakes are logged, and the application goes on."""
    run = subprocess.run(
        [sys.executable, "-c", PRODUCTION], capture_output=True, text=True, timeout=60, check=True, env={}
    )
    assert run.stdout == "alive\n"
    assert "declaring no spaces failed: ValueError" in run.stderr
    assert "add failed: TypeError: a measurement should be a number, not str" in run.stderr
    assert "Traceback" not in run.stderr
