"""The shop by itself: its services, what they send, and how they are joined."""

import uuid
from functools import partial
from typing import Any

import httpx

from collector_process import CollectorProcess, until
from shop_process import ShopProcess, buys

SERVICES = {"gateway", "catalog", "cart", "checkout", "payment", "worker"}


def test_every_service_is_a_process_of_its_own_that_sends(
    shop: ShopProcess, collector: CollectorProcess
) -> None:
    """A purchase makes each of them say spans, log records and metrics, with its release and environment."""
    assert buys(shop.opened(), uuid.uuid4().hex).status_code == httpx.codes.CREATED
    resource = "ResourceAttributes['service.version'], ResourceAttributes['deployment.environment.name']"
    expected = {(name, "1.0.0", "demo") for name in SERVICES}
    for table in ("otel_traces", "otel_logs", "otel_metrics_sum"):
        query = f"SELECT DISTINCT ServiceName, {resource} FROM {table} WHERE Project = 'default'"
        wanted = expected - {("catalog", "1.0.0", "demo")} if table == "otel_logs" else expected
        until(partial(_has, collector, query, wanted), f"all services are in {table}")


def _has(collector: CollectorProcess, query: str, wanted: set[tuple[str, str, str]]) -> bool:
    return {tuple(row) for row in collector.ask(query)} >= wanted


def test_the_trace_of_a_purchase_joins_all_services(shop: ShopProcess, collector: CollectorProcess) -> None:
    """It goes from the gateway to the worker, through HTTP and through the queue, each span with a parent."""
    session = uuid.uuid4().hex
    assert buys(shop.opened(), session).status_code == httpx.codes.CREATED
    of_session = f"SELECT TraceId FROM otel_traces WHERE SpanAttributes['session.id'] = '{session}'"
    joined = (
        f"SELECT groupUniqArray(ServiceName), groupArray(SpanId), groupArray(ParentSpanId) FROM otel_traces "
        f"WHERE TraceId IN ({of_session} AND SpanName = 'ship order') GROUP BY TraceId"
    )
    trace: list[list[Any]] = []

    def whole() -> bool:
        trace[:] = collector.ask(joined)
        return any(
            {*services} == SERVICES and {*parents} - {*spans} == {""} for services, spans, parents in trace
        )

    until(whole, "all services are in the trace, with one root and no orphans")
    assert len(trace) == 1


def test_the_statements_of_the_worker_are_seen_too(shop: ShopProcess, collector: CollectorProcess) -> None:
    """It calls `configure()` itself, after it has imported all that is to be instrumented."""
    assert buys(shop.opened(), uuid.uuid4().hex).status_code == httpx.codes.CREATED
    updates = (
        "SELECT SpanName FROM otel_traces WHERE ServiceName = 'worker' "
        "AND startsWith(SpanAttributes['db.query.text'], 'UPDATE orders')"
    )
    until(lambda: ["UPDATE orders.db"] in collector.ask(updates), "the update is stored")


def test_the_visitor_is_on_every_service_of_the_way(shop: ShopProcess, collector: CollectorProcess) -> None:
    """User and session reach the spans and the log records of services that the visitor never called."""
    session = uuid.uuid4().hex
    buys(shop.opened(), session, user_id="u-known")
    spans = f"SELECT count() FROM otel_traces WHERE ServiceName = 'payment' AND SpanAttributes['session.id'] = '{session}' AND SpanAttributes['user.id'] = 'u-known'"  # noqa: E501
    logs = f"SELECT count() FROM otel_logs WHERE ServiceName = 'payment' AND LogAttributes['session.id'] = '{session}' AND TraceId != ''"  # noqa: E501
    until(
        lambda: collector.ask(spans) != [["0"]] and collector.ask(logs) != [["0"]],
        "payment knows the visitor",
    )


def test_a_question_is_answered_by_a_model_and_says_what_it_used(
    shop: ShopProcess, collector: CollectorProcess
) -> None:
    """The call is a span by the conventions of generative AI, with the tokens that the model counted."""
    session = uuid.uuid4().hex
    headers = {"X-Session-Id": session}
    asked = {"text": "What keeps the rain off?"}
    answer = httpx.post(f"{shop.opened()}/questions", json=asked, headers=headers, timeout=30)
    assert answer.json()["answer"]
    found = (
        "SELECT SpanName, SpanKind, SpanAttributes['gen_ai.response.model'], "
        "toUInt32(SpanAttributes['gen_ai.usage.input_tokens']), "
        "toUInt32(SpanAttributes['gen_ai.usage.output_tokens']) FROM otel_traces "
        f"WHERE SpanAttributes['session.id'] = '{session}' "
        "AND SpanAttributes['gen_ai.operation.name'] = 'chat'"
    )
    until(lambda: bool(collector.ask(found)), "the span of the call is stored")
    ((name, kind, model, read, written),) = collector.ask(found)
    assert (name, kind, model) == ("chat shop-small", "Client", "shop-small-2026-01")
    assert read > written > 0


def test_what_is_outside_sends_nothing(shop: ShopProcess, collector: CollectorProcess) -> None:
    """The bank and the model are not ours: they are seen by who calls them alone."""
    until(lambda: "/charges" in str(_clients(collector, shop)), "the call to the bank is stored")
    stored = collector.ask("SELECT DISTINCT ServiceName FROM otel_traces WHERE Project = 'default'")
    assert {row[0] for row in stored} <= SERVICES


def _clients(collector: CollectorProcess, shop: ShopProcess) -> list[list[str]]:
    buys(shop.opened(), uuid.uuid4().hex)
    return collector.ask(
        "SELECT SpanAttributes['url.full'] FROM otel_traces "
        "WHERE ServiceName = 'payment' AND SpanKind = 'Client'"
    )
