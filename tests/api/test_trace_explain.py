"""One trace against its normal siblings: what is slow, failed, missing or new in it, and nothing else."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from time import time_ns
from typing import Any

import httpx
import numpy as np
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from glasshouse_collector.api import create_app
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.insights.trace import explain_trace
from glasshouse_collector.store import QueryLimits, Store
from kept_records import keep
from service_spans import MILLISECOND, NOON, Made, spans_request, trace_id

Serve = Callable[..., httpx.Client]
MS = MILLISECOND
USUAL = 40
SLOW, FAILED, SHORT, CHATTY, USUAL_ONE, STRANGE, DELAYED, OTHERS = range(1001, 1009)
LONE, ROOTLESS, YOUNG = range(2001, 2004)


def checkout(  # noqa: PLR0913  (what is wrong with it)
    number: int,
    start: int,
    *,
    pay: int = 20,
    stock_calls: int = 1,
    failed: bool = False,
    with_stock: bool = True,
    network: int = 1,
) -> list[Made]:
    """Return a trace: gateway → checkout → stock (a call or more) and payment, which asks a database."""
    spread = random.Random(number)
    at = start + 5 * MS
    spans: list[Made] = []
    if with_stock:
        for turn in range(stock_calls):
            spans.append(Made("stock", "server", number, 10 + turn, 2, "reserve", at, 8 * MS))
            at += 9 * MS
    jitter = spread.randrange(MS)
    database = pay * MS + jitter
    spans += [
        Made("checkout", "client", number, 3, 2, "pay", at, database + (4 + 2 * network) * MS, failed=failed),
        Made(
            "payment",
            "server",
            number,
            4,
            3,
            "POST /pay/77",
            at + network * MS,
            database + 4 * MS,
            failed=failed,
        ),
        Made("payment", "client", number, 5, 4, "SELECT", at + (network + 2) * MS, database, failed=failed),
    ]
    at += database + (6 + 2 * network) * MS
    outer = at - start
    return [
        Made("gateway", "server", number, 1, 0, "POST /orders/12", start, outer + 3 * MS, failed=failed),
        Made("checkout", "server", number, 2, 1, "checkout", start + 1 * MS, outer, failed=failed),
        *spans,
    ]


def log_lines(lines: Iterable[tuple[int, str, int, str, int]]) -> ExportLogsServiceRequest:
    """Return log records: (trace, service, time, body, severity)."""
    request = ExportLogsServiceRequest()
    for trace, service, time, body, severity in lines:
        of = request.resource_logs.add()
        of.resource.attributes.add(key="service.name").value.string_value = service
        record = of.scope_logs.add().log_records.add(time_unix_nano=time, severity_number=severity)
        record.body.string_value, record.trace_id = body, trace_id(trace)
    return request


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Keep usual traces, each a few seconds after the other, and unusual ones between them."""
    second = 1000 * MS
    starts = {number: NOON + number * 5 * second for number in range(1, USUAL + 1)}
    usual = {number: checkout(number, start) for number, start in starts.items()}
    middle = NOON + USUAL * second
    unusual = {
        SLOW: checkout(SLOW, middle, pay=900),
        FAILED: checkout(FAILED, middle + second, failed=True),
        SHORT: checkout(SHORT, middle + 2 * second, with_stock=False),
        CHATTY: checkout(CHATTY, middle + 3 * second, stock_calls=30),
        USUAL_ONE: checkout(USUAL_ONE, middle + 4 * second),
        DELAYED: checkout(DELAYED, middle + 5 * second, network=400),
        LONE: [Made("batch", "internal", LONE, 1, 0, "night job", middle, second, failed=True)],
    }
    spans = [span for trace in (*usual.values(), *unusual.values()) for span in trace]
    lines = [
        (number, "payment", start + 30 * MS, f"paid order {number} in {number % 7} ms", 9)
        for number, start in starts.items()
    ]
    lines += [
        (number, "payment", NOON + 60 * second, f"paid order {number} in 4 ms", 9)
        for number in (SLOW, CHATTY, SHORT, USUAL_ONE, DELAYED)
    ]
    lines.append((FAILED, "payment", NOON + 60 * second, "card 4711 was declined by the bank", 17))
    keep(store, RequestKind.TRACES, Signal.TRACES, spans_request(spans), "explained-spans")
    keep(store, RequestKind.LOGS, Signal.LOGS, log_lines(lines), "explained-logs")
    others = [replace(span, trace=OTHERS) for span in checkout(OTHERS, middle)]
    keep(store, RequestKind.TRACES, Signal.TRACES, spans_request(others), "explained-others", "elsewhere")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with the traces."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def explained(client: httpx.Client, trace: int) -> dict[str, Any]:
    """Return the explanation of a trace."""
    answer = client.get(f"/api/v1/traces/{trace_id(trace).hex().upper()}/explain")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_the_span_that_took_longer_explains_a_slow_trace(client: httpx.Client) -> None:
    """Its own time, against the siblings' median and 95th percentile; those that waited for it are none."""
    told = explained(client, SLOW)
    best = told["findings"][0]
    assert (best["service"], best["operation"], best["kind"]) == ("payment", "SELECT", "dependency_slow")
    assert best["score"] > 0.95
    assert best["span_ids"] == [f"{5:016x}"]
    assert [it["service"] for it in told["findings"]] == ["payment"]
    assert told["siblings"]["count"] == 34  # of 44, the faster three quarters of those that did not fail
    assert told["compared"]
    assert not told["missing_calls"] + told["extra_calls"] + told["missing_logs"] + told["extra_logs"]
    spans = {span["span_id"]: span for span in told["spans"]}
    waited = spans[f"{4:016x}"]
    assert waited["own_time_ns"] == 4 * MS
    assert waited["usual_own_time_ns"] == waited["usual_p95_ns"] == 4 * MS
    slow = spans[f"{5:016x}"]
    assert [span["span_id"] for span in told["spans"] if span["unusual"]] == [slow["span_id"]]
    assert 900 * MS <= slow["own_time_ns"] < 901 * MS
    assert 20 * MS <= slow["usual_own_time_ns"] <= slow["usual_p95_ns"] < 21 * MS
    assert slow["seen_in"] == 1.0
    assert "payment SELECT: own time 9" in told["summary"]


def test_the_deepest_failure_explains_a_failed_trace(client: httpx.Client) -> None:
    """And the log line that no sibling has; the line that is missing for it comes after."""
    told = explained(client, FAILED)
    first, second = told["findings"][:2]
    assert (first["service"], first["operation"], first["kind"]) == ("payment", "SELECT", "dependency_error")
    assert first["score"] == 1.0
    assert "SELECT failed" in first["reason"]
    assert (second["service"], second["kind"]) == ("payment", "exception")
    assert "card <number> was declined" in second["reason"]
    [line] = told["extra_logs"]
    context = client.get(f"/api/v1/logs/{line['log_ids'][0]}/context").json()
    assert context["log"]["body"] == "card 4711 was declined by the bank"
    assert [line["template"] for line in told["missing_logs"]] == ["paid order <number> in <duration>"]
    assert told["errors"] == 5


def test_calls_that_are_missing_are_told(client: httpx.Client) -> None:
    """By who usually makes them, and how many siblings do."""
    told = explained(client, SHORT)
    [call] = told["missing_calls"]
    assert (call["service"], call["operation"], call["count"], call["usual_count"]) == (
        "stock",
        "reserve",
        0,
        1,
    )
    assert (call["parent_service"], call["seen_in"]) == ("checkout", 1.0)
    best = told["findings"][0]
    assert (best["service"], best["operation"], best["kind"]) == ("checkout", "checkout", "early_return")
    assert best["span_ids"] == [f"{2:016x}"]


def test_many_more_calls_than_usual_are_told(client: httpx.Client) -> None:
    """The time goes to the calls, and the caller is told to make them."""
    told = explained(client, CHATTY)
    [call] = told["extra_calls"]
    assert (call["service"], call["count"], call["usual_count"]) == ("stock", 30, 1)
    assert (told["findings"][0]["service"], told["findings"][0]["operation"]) == ("stock", "reserve")
    assert "in 30 spans" in told["findings"][0]["reason"]
    assert any("30 times; usual are 1" in it["reason"] for it in told["findings"])


def test_time_between_caller_and_callee_is_the_network(client: httpx.Client) -> None:
    """The caller's span is long, the callee's as ever."""
    best = explained(client, DELAYED)["findings"][0]
    assert (best["service"], best["operation"], best["kind"]) == ("checkout", "pay", "network_delay")


def test_nothing_is_made_up_for_a_usual_trace(client: httpx.Client) -> None:
    """Neither a finding nor an unusual span."""
    told = explained(client, USUAL_ONE)
    assert told["findings"] == []
    assert not any(span["unusual"] for span in told["spans"])
    assert told["summary"].endswith("no span failed. Nothing in it is unusual.")


def test_too_few_siblings_are_told(client: httpx.Client) -> None:
    """Then only what fails by itself is said."""
    told = explained(client, LONE)
    assert not told["compared"]
    assert "0 normal traces" in told["notes"][0] or "no normal traces" in told["notes"][0]
    [finding] = told["findings"]
    assert (finding["service"], finding["operation"], finding["kind"]) == ("batch", "night job", "exception")
    [span] = told["spans"]
    assert (span["usual_own_time_ns"], span["usual_p95_ns"]) == (None, None)


def test_a_trace_that_is_still_arriving_lacks_nothing(client: httpx.Client, filled: Store) -> None:
    """Neither where its root is not there yet, nor where it has only just ended."""
    rootless = [replace(span, trace=ROOTLESS) for span in checkout(ROOTLESS, NOON + 30_000 * MS)]
    kept = [span for span in rootless if span.service not in {"gateway", "checkout"}]
    now = time_ns()
    young = checkout(YOUNG, now - 5000 * MS, with_stock=False)
    usual = [span for number in range(4000, 4040) for span in checkout(number, now - 600_000 * MS)]
    keep(filled, RequestKind.TRACES, Signal.TRACES, spans_request([*kept, *young, *usual]), "arriving")
    told = explained(client, ROOTLESS)
    assert told["notes"][0].startswith("the trace may not be complete yet: its root has not arrived")
    assert told["missing_calls"] == []
    told = explained(client, YOUNG)
    assert told["notes"][0].startswith("the trace may not be complete yet: it ended less than 30 seconds ago")
    assert told["compared"]
    assert (told["missing_calls"], told["missing_logs"]) == ([], [])
    assert "early_return" not in {finding["kind"] for finding in told["findings"]}


def test_a_trace_of_another_project_is_none(client: httpx.Client) -> None:
    """It looks as if it were not there, and is nobody's sibling."""
    answer = client.get(f"/api/v1/traces/{trace_id(OTHERS).hex()}/explain")
    assert answer.status_code == 404
    told = client.get(f"/api/v1/traces/{trace_id(OTHERS).hex()}/explain", params={"project": "elsewhere"})
    assert told.json()["siblings"]["count"] == 0


@pytest.mark.parametrize("wrong", ["x", "0" * 32, "'; DROP TABLE otel_traces; --", "ab" * 17])
def test_what_is_no_trace_id_is_refused(client: httpx.Client, wrong: str) -> None:
    """With what would be right."""
    answer = client.get(f"/api/v1/traces/{wrong}/explain")
    assert answer.status_code == 400
    assert "32 hex digits are expected" in answer.json()["detail"]


def test_the_spans_are_exported(client: httpx.Client) -> None:
    """A row each."""
    answer = client.get(f"/api/v1/traces/{trace_id(SLOW).hex()}/explain", params={"format": "csv"})
    assert len(answer.text.splitlines()) == 1 + 6


def test_damaged_traces_are_explained_too(store: Store) -> None:
    """Circles, parents that never came, ids that come twice: an answer, with every span once."""
    dice = random.Random(7)
    for number in range(3000, 3012):
        spans = [
            Made(
                f"s{dice.randrange(3)}",
                dice.choice(["server", "client", "internal", "producer", "consumer"]),
                number,
                dice.randrange(1, 9),
                dice.randrange(0, 12),
                dice.choice(["a", "b", "GET /x/12345", "'\\\x00", "ü" * 300]),
                NOON + dice.randrange(10**9),
                dice.choice([0, 1, 10**6, 10**12]),
                failed=dice.random() < 0.2,
            )
            for _ in range(dice.randrange(1, 30))
        ]
        keep(store, RequestKind.TRACES, Signal.TRACES, spans_request(spans), f"damaged-{number}")
        told = explain_trace(store.of_project("default"), trace_id(number).hex(), QueryLimits())
        assert told is not None
        assert len(told.spans) == len({span.span for span in spans})
        assert all(0 <= span.own_time <= span.duration for span in told.spans)
        assert all(np.isfinite(it.score) and 0 <= it.score <= 1 for it in told.findings)
