"""All faults that are offered, one kind after the other: each shows in what its service sends."""

import uuid
from collections.abc import Iterable, Iterator

import httpx
import pytest

from collector_process import CollectorProcess, until
from glasshouse_shop.demo import WISHES
from glasshouse_shop.faults import (
    BAD_RELEASE,
    CPU_SECONDS,
    DEPENDENCY_SECONDS,
    FAULTS,
    LATENCY_SECONDS,
    LEAK_BYTES,
    Fault,
    Kind,
)
from glasshouse_shop.wishes import Wish, wish
from shop_process import ShopProcess, buys

_RAISED = "arrayExists(event -> endsWith(event['exception.type'], '{}'), Events.Attributes)"
_LONG = "SpanName = '{{operation}}' AND SpanKind != 'Client' AND Duration >= {} * 1e9"
# Of a call to the dependency. The model's is a span with a client's span in it.
_CALL = "SpanKind = 'Client'"
_NO_WORK = (
    "SpanName = '{operation}' AND SpanKind != 'Client' AND StatusCode != 'Error' AND SpanId NOT IN "
    "(SELECT ParentSpanId FROM otel_traces WHERE ServiceName = '{service}')"
)
SHOWS = {
    Kind.EXCEPTION: _RAISED.format("ValueError"),
    Kind.WRONG_RETURN: _NO_WORK,
    Kind.LATENCY: _LONG.format(LATENCY_SECONDS),
    Kind.CPU: _LONG.format(CPU_SECONDS),
    Kind.POOL: _RAISED.format("TimeoutError"),
    Kind.RELEASE: f"ResourceAttributes['service.version'] = '{BAD_RELEASE}' AND "
    + _RAISED.format("KeyError"),
    Kind.DEPENDENCY_ERROR: f"{_CALL} AND SpanAttributes['http.response.status_code'] = '503'",
    Kind.DEPENDENCY_SLOW: f"{_CALL} AND Duration >= {DEPENDENCY_SECONDS} * 1e9",
}
"""The condition on a span of the service, by kind."""
# What fails in one service hides what fails in the others.
ONE_BY_ONE = {Kind.EXCEPTION, Kind.POOL, Kind.RELEASE}


def together() -> Iterator[list[Fault]]:
    """Return the faults, those in one list that can be seen side by side."""
    for kind in Kind:
        of_kind = [fault for fault in FAULTS.values() if fault.kind is kind]
        yield from ([fault] for fault in of_kind) if kind in ONE_BY_ONE else [of_kind]


@pytest.mark.parametrize("faults", list(together()), ids=lambda faults: "+".join(map(str, faults)))
def test_each_fault_shows(faults: list[Fault], shop: ShopProcess, collector: CollectorProcess) -> None:
    """Visitors who buy and ask make it seen, and once it is off the shop sells again."""
    before = len(shop.truth()["faults"])
    folder = shop.folder / WISHES
    for fault in faults:
        wish(folder, Wish(str(fault), 600))
    try:
        until(lambda: len(shop.truth()["faults"]) == before + len(faults), "the faults are on")
        begin = min(each["start"] for each in shop.truth()["faults"][before:]).removesuffix("Z")
        until(lambda: _all_show(faults, begin, shop, collector), f"what {', '.join(map(str, faults))} do")
    finally:
        wish(folder, Wish(None, 0))
        until(lambda: all(each["end"] for each in shop.truth()["faults"]), "the faults are off")
    until(lambda: buys(shop.opened(), uuid.uuid4().hex).is_success, "the shop sells again")


def _all_show(faults: Iterable[Fault], begin: str, shop: ShopProcess, collector: CollectorProcess) -> bool:
    gateway = shop.opened()
    buys(gateway, uuid.uuid4().hex)
    httpx.post(f"{gateway}/questions", json={"text": "What keeps the rain off?"}, timeout=30)
    return all(_shows(fault, begin, collector) for fault in faults)


def _shows(fault: Fault, begin: str, collector: CollectorProcess) -> bool:
    since = f"ServiceName = '{fault.service}' AND {{}} >= toDateTime64('{begin}', 9, 'UTC')"
    if fault.kind is Kind.LEAK:
        query = (
            f"SELECT max(Value) - min(Value) > {2 * LEAK_BYTES} FROM otel_metrics_sum "
            f"WHERE {since.format('TimeUnix')} AND MetricName = 'process.memory.usage'"
        )
    else:
        condition = SHOWS[fault.kind].format(operation=fault.place.operation, service=fault.service)
        query = f"SELECT count() > 0 FROM otel_traces WHERE {since.format('Timestamp')} AND {condition}"
    return collector.ask(query) == [[1]] or collector.ask(query) == [["1"]]
