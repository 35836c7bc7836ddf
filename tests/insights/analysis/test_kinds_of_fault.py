"""Each kind of fault, put into one service of six, is found first, by its name, with what shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

import made_faults as faults
from glasshouse_collector.insights.findings import Analysis, FaultKind
from glasshouse_collector.store import Store
from made_traces import INCIDENT, MINUTE, NOON, Fault, Recorder, analysed, points, shop

BUSY = "process.cpu.utilization"


@dataclass(frozen=True)
class Told:
    """A fault, and what has to be said of it."""

    name: str
    fault: Fault | None
    service: str
    operation: str
    kind: FaultKind
    dependency: str = ""
    metrics: Callable[[Recorder], None] | None = None


def busy_pricing(recorder: Recorder) -> None:
    """Let pricing's processor be busy in the incident, and stock's be as it was."""
    recorder.gauge("pricing", BUSY, "1", points(recorder.dice, 0.2, 0.95))
    recorder.gauge("stock", BUSY, "1", points(recorder.dice, 0.3, 0.3))


def leaking_stock(recorder: Recorder) -> None:
    """Let stock's memory grow from the incident's beginning on, and that of orders stay."""
    leaked = [
        (time, value * (1 + max(0, time - NOON) / MINUTE)) for time, value in points(recorder.dice, 1e8, 1e8)
    ]
    recorder.gauge("stock", "process.memory.usage", "By", leaked)
    recorder.gauge("orders", "process.memory.usage", "By", points(recorder.dice, 3e8, 3e8))


TOLD = (
    Told(
        "throws",
        faults.throws("payment", "POST /pay", "CardDeclined", 0.8),
        "payment",
        "POST /pay",
        FaultKind.EXCEPTION,
    ),
    Told("says-that-it-threw", faults.says_that_it_threw, "payment", "POST /pay", FaultKind.EXCEPTION),
    Told("returns-early", faults.returns_early, "pricing", "POST /quote", FaultKind.EARLY_RETURN),
    Told("refuses", faults.refuses, "stock", "POST /reserve", FaultKind.EARLY_RETURN),
    Told(
        "row-by-row",
        faults.writes_row_by_row,
        "stock",
        "POST /reserve",
        FaultKind.REPEATED_CALLS,
    ),
    Told(
        "slow",
        faults.works_longer("stock", "reserve rows", 80),
        "stock",
        "POST /reserve",
        FaultKind.SLOW_CODE,
    ),
    Told(
        "busy",
        faults.works_longer("pricing", "POST /quote", 40),
        "pricing",
        "POST /quote",
        FaultKind.CPU_CONTENTION,
        metrics=busy_pricing,
    ),
    Told("way", faults.is_reached_late("pricing", 30), "pricing", "POST /quote", FaultKind.NETWORK_DELAY),
    Told(
        "cards-slow",
        faults.waits_for_cards,
        "payment",
        "POST /pay",
        FaultKind.DEPENDENCY_SLOW,
        "cards.example",
    ),
    Told(
        "cards-fail",
        faults.fails_at_cards,
        "payment",
        "POST /pay",
        FaultKind.DEPENDENCY_ERROR,
        "cards.example",
    ),
    Told("pool", faults.has_no_connection_left, "stock", "POST /reserve", FaultKind.POOL_EXHAUSTED),
    Told("release", faults.fails_in_version("2.0"), "stock", "POST /reserve", FaultKind.BAD_RELEASE),
    Told("leak", None, "stock", "GET /stock", FaultKind.MEMORY_LEAK, metrics=leaking_stock),
    Told("silent", faults.is_silent("shipping"), "shipping", "POST /parcels", FaultKind.SILENT),
)


@dataclass(frozen=True)
class Case:
    """What was told to happen, what was found, and the records it was found in."""

    told: Told
    found: Analysis
    recorder: Recorder


@pytest.fixture(scope="module", params=TOLD, ids=lambda told: told.name)
def case(request: pytest.FixtureRequest, store: Store) -> Case:
    """Make each of the faults, and analyse it."""
    told: Told = request.param
    recorder = shop(told.name, told.fault)
    if told.metrics is not None:
        told.metrics(recorder)
    return Case(told, analysed(store, recorder), recorder)


def test_the_faulty_service_comes_first(case: Case) -> None:
    """Service, operation and kind are right, and it is said surely."""
    first, told = case.found.root_causes[0], case.told
    assert (first.service, first.operation) == (told.service, told.operation)
    assert first.confidence > 0.5
    assert first.dependency == told.dependency


def test_the_kind_of_fault_is_told(case: Case) -> None:
    """What went wrong is named as what it is."""
    assert case.found.root_causes[0].kind is case.told.kind


def test_nobody_is_blamed_for_what_a_callee_did(case: Case) -> None:
    """Callers failed and waited too; no other service is thought the cause."""
    second = case.found.root_causes[1:2]
    assert all(cause.confidence < 0.5 for cause in second)
    callers = {"gateway", "orders"} - {case.told.service}
    blamed = {cause.service: cause.score for cause in case.found.root_causes if cause.service in callers}
    assert all(score < case.found.root_causes[0].score for score in blamed.values())


def test_what_was_looked_at_is_told(case: Case) -> None:
    """The counts are those of the incident's records."""
    within = {span.trace_id for span in _spans(case.recorder) if INCIDENT.start <= span.start < INCIDENT.end}
    assert case.found.traces == len(within) == 150
    assert case.found.spans == sum(span.trace_id in within for span in _spans(case.recorder))
    lines = [of.scope_logs[0].log_records[0] for of in case.recorder.logs.resource_logs]
    assert case.found.log_records == sum(line.trace_id.hex() in within for line in lines)
    assert case.found.one_in == 1


def test_evidence_is_where_it_says(case: Case) -> None:
    """Each trace that is named is of the incident and has the service in it; times and shares can be."""
    services: dict[str, set[str]] = {}
    for span in _spans(case.recorder):
        if span.start >= INCIDENT.start:
            services.setdefault(span.trace_id, set()).add(span.service)
    for cause in case.found.root_causes:
        assert cause.evidence
        assert cause.start == min(each.start for each in cause.evidence)
        for each in cause.evidence:
            assert each.service == cause.service
            assert INCIDENT.start <= each.start < each.end
            assert len(set(each.trace_ids)) == len(each.trace_ids) <= 5
            assert all(cause.service in services[trace_id] for trace_id in each.trace_ids)
            if each.unit == "share of calls":
                assert each.before is not None
                assert each.after is not None
                assert 0 <= min(each.before, each.after) < max(each.before, each.after) <= 1


def test_the_path_leads_along_calls(case: Case) -> None:
    """It begins at the cause; each step is another service, a caller of the one before, in some trace."""
    first = case.found.root_causes[0]
    if first.kind is FaultKind.SILENT:
        assert not first.path  # no span shows it
        return
    spans = {(span.trace_id, span.span_id): span for span in _spans(case.recorder)}
    calls = {
        (parent.service, span.service)
        for span in spans.values()
        if (parent := spans.get((span.trace_id, span.parent_id))) is not None
    }
    assert all(caller.service != called.service for called, caller in pairwise(first.path))
    assert first.path[0].service == first.service
    assert first.path[-1].service == "gateway"
    assert all((caller.service, called.service) in calls for called, caller in pairwise(first.path))


@dataclass(frozen=True)
class _Sent:
    trace_id: str
    span_id: bytes
    parent_id: bytes
    service: str
    start: int


def _spans(recorder: Recorder) -> list[_Sent]:
    found = []
    for of in recorder.traces.resource_spans:
        span = of.scope_spans[0].spans[0]
        service = of.resource.attributes[0].value.string_value
        found.append(
            _Sent(span.trace_id.hex(), span.span_id, span.parent_span_id, service, span.start_time_unix_nano)
        )
    return found
