"""A model that may look closer: real questions to a real store, few, checked, of one project alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from glasshouse_collector.insights.explaining import Explanation
from model_answers import answer
from model_server import Asked, ModelServer, Said, completion, error, in_turn
from told_incident import trace_id

Serve = Callable[[Callable[[Asked], Said]], ModelServer]
Ask = Callable[..., Explanation]


def told_by_tools(server: ModelServer) -> list[Any]:
    """Return what the tools answered, in order."""
    return [json.loads(it["content"]) for it in server.asked[-1]["messages"] if it["role"] == "tool"]


def looked(ask: Ask, serve: Serve, *calls: tuple[str, Any], **settings: Any) -> tuple[list[Any], Explanation]:
    """Let a model ask this, all at once, and then answer."""
    server = serve(in_turn(completion(None, calls=list(calls)), completion(answer())))
    told = ask(server, deep=True, **settings)
    return told_by_tools(server), told


def test_a_model_looks_closer_and_then_answers(ask: Ask, serve: Serve) -> None:
    """The tools are offered first; the answer is asked for in its form, without them."""
    calls = [("get_trace", {"trace_id": trace_id(1)})]
    server = serve(in_turn(completion("", calls=calls), completion("I know."), completion(answer())))
    assert ask(server, deep=True).source == "llm"
    first, second, last = server.asked
    assert {tool["function"]["name"] for tool in first["tools"]} == {
        "get_trace",
        "search_logs",
        "service_detail",
        "log_patterns",
    }
    assert "response_format" not in first
    assert second["messages"][-1]["tool_call_id"] == "call_0"
    assert "tools" not in last
    assert last["response_format"]["type"] == "json_schema"


def test_an_answer_without_a_closer_look_is_taken(ask: Ask, serve: Serve) -> None:
    """One call, where nothing is asked."""
    server = serve(in_turn(completion(answer())))
    assert ask(server, deep=True).source == "llm"
    assert len(server.asked) == 1


def test_without_deep_analysis_no_tool_is_offered(ask: Ask, serve: Serve) -> None:
    """Nor where their number is set to none."""
    server = serve(in_turn(completion(answer())))
    ask(server)
    ask(server, deep=True, tool_calls=0)
    assert all("tools" not in asked for asked in server.asked)


def test_a_trace_is_told_by_its_spans(ask: Ask, serve: Serve) -> None:
    """In order, with durations and errors."""
    [told], _ = looked(ask, serve, ("get_trace", {"trace_id": trace_id(1)}))
    assert told["trace_id"] == trace_id(1)
    assert [(span["service"], span["operation"], span["status"]) for span in told["spans"]] == [
        ("gateway", "POST /checkout", "Error"),
        ("payment", "POST /pay", "Error"),
    ]
    assert told["spans"][1]["duration_ms"] == 1.0


def test_log_records_are_found_by_what_is_asked(ask: Ask, serve: Serve) -> None:
    """Service, trace, text, severity; without secrets, at most thirty."""
    told, _ = looked(
        ask,
        serve,
        ("search_logs", {"service": "payment"}),
        ("search_logs", {"trace_id": trace_id(7), "text": "ORDER 6", "least_severity": 17}),
        ("search_logs", {"service": "gateway"}),
        ("search_logs", {"least_severity": 18}),
    )
    assert len(told[0]["records"]) == 30
    assert [record["body"] for record in told[1]["records"]] == ["key=[redacted] of order 6 refused"]
    assert told[1]["records"][0]["trace_id"] == trace_id(7)
    assert told[2]["records"] == told[3]["records"] == []


def test_a_service_and_its_log_patterns_are_compared_with_normal_times(ask: Ask, serve: Serve) -> None:
    """Calls and errors a minute, durations; templates with how often they came."""
    [detail, patterns], _ = looked(
        ask, serve, ("service_detail", {"service": "payment"}), ("log_patterns", {"service": "payment"})
    )
    assert detail["operations"] == [
        {
            "operation": "POST /pay",
            "now": {"calls_a_minute": 6.0, "errors_a_minute": 6.0, "p50_ms": 1.0, "p95_ms": 1.0},
            "normal": [],
        }
    ]
    [pattern] = patterns["patterns"]
    assert pattern["template"].endswith("of order <number> refused")
    assert (pattern["a_minute"], pattern["normal_a_minute"]) == (20.0, 0.0)


def test_no_other_project_is_seen(ask: Ask, serve: Serve) -> None:
    """Whatever is asked for, by a name or by an id."""
    told, _ = looked(
        ask,
        serve,
        ("get_trace", {"trace_id": trace_id(900)}),
        ("service_detail", {"service": "secret-service"}),
        ("search_logs", {"service": "' OR 1=1 --"}),
        ("log_patterns", {"service": "x' UNION ALL SELECT 1 --"}),
    )
    assert told == [
        {"spans": [], "error": "there is no such trace"},
        {"error": "nothing was seen of it", "operations": []},
        {"records": []},
        {"error": "nothing was seen of it", "patterns": []},
    ]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("drop_table", {}), "there is no such tool; there are get_trace, search_logs"),
        (("get_trace", {}), "wrong arguments: trace_id: Field required"),
        (("get_trace", {"trace_id": "x"}), "wrong arguments: trace_id: String should match pattern"),
        (("get_trace", "not json"), "wrong arguments: : Invalid JSON"),
        (("get_trace", "x" * 100_000), "wrong arguments"),
        (("search_logs", {"sql": "SELECT 1"}), "wrong arguments: sql: Extra inputs are not permitted"),
        (("search_logs", {"text": "x" * 201}), "wrong arguments: text: String should have at most 200"),
        (("service_detail", {"service": ""}), "wrong arguments: service: String should have at least 1"),
        (("log_patterns", {"service": ["a"]}), "wrong arguments: service: Input should be a valid string"),
    ],
)
def test_wrong_questions_are_told_to_the_model(
    ask: Ask, serve: Serve, call: tuple[str, Any], said: str
) -> None:
    """It goes on, and may answer all the same."""
    [told], explanation = looked(ask, serve, call)
    assert told["error"].startswith(said)
    assert explanation.source == "llm"


def test_a_model_that_never_stops_asking_is_told_to_answer(ask: Ask, serve: Serve) -> None:
    """After six questions, in calls one by one or at once, no tool is left."""

    def insatiable(asked: Asked) -> Said:
        call = ("search_logs", {"service": "payment"})
        return completion(None, calls=[call] * 4) if "tools" in asked else completion(answer())

    server = serve(insatiable)
    assert ask(server, deep=True).source == "llm"
    assert len(server.asked) == 3
    told = told_by_tools(server)
    assert ["records" in each for each in told] == [True] * 6 + [False] * 2
    assert told[7] == {"error": "no more questions; answer now with what you have"}


def test_a_model_that_asks_though_nothing_is_offered_is_of_no_use(ask: Ask, serve: Serve) -> None:
    """It says nothing that could be used."""
    server = serve(in_turn(completion(None, calls=[("get_trace", {"trace_id": trace_id(1)})])))
    assert "the model answered nothing" in ask(server, deep=True).fallback_reason


def test_what_tools_show_may_be_named(ask: Ask, serve: Serve) -> None:
    """A service of a trace that was looked at; not one that only its texts name."""
    traced = completion(None, calls=[("get_trace", {"trace_id": trace_id(101)})])
    more = {"incident_summary": "inventory-service answers.", "services": ["payment", "inventory-service"]}
    assert "discarded" in ask(serve(in_turn(completion(answer(**more))))).fallback_reason
    found = completion(answer(**more, trace_ids=[trace_id(101)]))
    server = serve(in_turn(completion(None, calls=[("get_trace", {"trace_id": trace_id(100)})]), found))
    assert "the trace id" in ask(server, deep=True).fallback_reason
    server = serve(in_turn(traced, found))
    assert ask(server, deep=True).fallback_reason == ""


@pytest.mark.parametrize("tool", ["service_detail", "log_patterns"])
def test_what_is_asked_for_is_not_thereby_known(ask: Ask, serve: Serve, tool: str) -> None:
    """A service or a trace that a model makes up stays made up, though it asks for it first."""
    calls = [(tool, {"service": "billing-service"}), ("get_trace", {"trace_id": "e" * 32})]
    for made_up in ({"services": ["payment", "billing-service"]}, {"trace_ids": ["e" * 32]}):
        server = serve(in_turn(completion(None, calls=calls), completion(answer(**made_up))))
        assert "which is not in the evidence" in ask(server, deep=True).fallback_reason


def test_a_closer_look_cannot_make_another_service_the_cause(ask: Ask, serve: Serve) -> None:
    """The cause stays one of the analysis'."""
    blamed = answer(
        root_cause="inventory-service fails.",
        service="inventory-service",
        operation="GET /stock",
        services=["inventory-service"],
        operations=["GET /stock"],
        trace_ids=[],
    )
    traced = completion(None, calls=[("get_trace", {"trace_id": trace_id(101)})])
    reason = ask(serve(in_turn(traced, completion(blamed))), deep=True).fallback_reason
    assert "it takes 'inventory-service' for the cause" in reason


def test_answers_of_tools_are_cut_to_the_room_that_is_left(ask: Ask, serve: Serve) -> None:
    """The question as a whole stays within its tokens."""
    calls = [("search_logs", {"service": "payment"})] * 6
    server = serve(in_turn(completion(None, calls=calls), completion(answer())))
    assert ask(server, deep=True, max_input_tokens=5000).source == "llm"
    told = told_by_tools(server)
    assert any(each.get("cut") or "error" in each for each in told)
    assert len(json.dumps(server.asked[-1]["messages"], ensure_ascii=False).encode()) <= 3 * 5000


def test_a_server_without_tools_is_asked_without(ask: Ask, serve: Serve) -> None:
    """Some models cannot; the evidence is enough."""

    def plain(asked: Asked) -> Said:
        return error(400, "tiny does not support tools") if "tools" in asked else completion(answer())

    server = serve(plain)
    assert ask(server, deep=True).source == "llm"
    assert len(server.asked) == 2


def test_each_question_is_a_span_of_its_own(ask: Ask, serve: Serve, spans: InMemorySpanExporter) -> None:
    """With the tool's name, and what was wrong with it; never with what was asked or answered."""
    looked(ask, serve, ("get_trace", {"trace_id": trace_id(1)}), ("get_trace", {}))
    tools = [span for span in spans.get_finished_spans() if span.name == "execute_tool get_trace"]
    assert [dict(span.attributes or {}) for span in tools] == [
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_trace",
            "gen_ai.tool.call.id": "call_0",
            "gen_ai.tool.type": "function",
        },
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_trace",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.type": "function",
            "error.type": "wrong_arguments",
        },
    ]
