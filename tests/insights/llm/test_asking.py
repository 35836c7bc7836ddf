"""A model's words are used where they hold, over real HTTP; whatever fails, the rules' answer stands."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from glasshouse_collector.insights.explaining import Explanation
from glasshouse_collector.insights.llm.telemetry import ModelTelemetry
from model_answers import GOOD, answer
from model_server import Asked, ModelServer, Said, completion, error, in_turn
from scripted_endpoint import free_port
from told_incident import NOTHING_FOUND, trace_id

Serve = Callable[[Callable[[Asked], Said]], ModelServer]
Ask = Callable[..., Explanation]


def outcomes(telemetry: ModelTelemetry) -> dict[str, float]:
    """Return how many questions ended how."""
    assert telemetry.metrics is not None
    [family] = telemetry.metrics.model_answers.collect()
    return {each.labels["result"]: each.value for each in family.samples}


def test_a_good_answer_words_the_explanation(ask: Ask, serve: Serve, explanation: Explanation) -> None:
    """Its three texts; everything that was counted stays as it was."""
    server = serve(in_turn(completion(answer())))
    told = ask(server)
    assert told == replace(
        explanation,
        incident_summary=GOOD["incident_summary"],
        root_cause=GOOD["root_cause"],
        suggestion=GOOD["suggestion"],
        source="llm",
        model="tiny-1",
    )
    [asked] = server.asked
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("tiny", 0, 2000)
    form = asked["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"]["additionalProperties"] is False
    assert form["schema"]["required"] == list(GOOD)
    evidence = json.loads(asked["messages"][1]["content"])
    assert evidence["root_causes"][0]["service"] == "payment"
    assert evidence["root_causes"][0]["evidence"][0]["trace_ids"] == [trace_id(1), trace_id(2)]


def test_the_confidence_is_that_of_the_cause_it_chooses(ask: Ask, serve: Serve) -> None:
    """A model's own would be calibrated by nothing."""
    second = answer(
        root_cause="GET /cart of cart is slower.",
        service="cart",
        operation="GET /cart",
        services=["cart"],
        operations=["GET /cart"],
    )
    assert ask(serve(in_turn(completion(second)))).confidence == 0.07


FENCED = f"<think>The {{service}} is payment.</think>\nHere it is:\n```json\n{answer()}\n```\nGood luck!"


@pytest.mark.parametrize("content", [FENCED, f"\n{answer()}\n\n", f"Sure. {answer()}"])
def test_json_is_found_in_what_is_said_around_it(ask: Ask, serve: Serve, content: str) -> None:
    """Servers that cannot be held to a schema let models talk."""
    assert ask(serve(in_turn(completion(content)))).source == "llm"


def test_a_malformed_answer_is_repaired_once(ask: Ask, serve: Serve) -> None:
    """The model is told what was wrong."""
    server = serve(in_turn(completion('{"incident_summary": "x"}'), completion(answer())))
    assert ask(server).source == "llm"
    assert len(server.asked) == 2
    assert "root_cause: Field required" in server.asked[1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the model answered nothing"),
        (None, "the model answered nothing"),
        ("I do not know.", "the model's answer is no JSON object"),
        ("{not json}", "the model's answer is not what was asked for: it cannot be read as JSON"),
        ("[" * 100_000 + "{}", "is not what was asked for"),
        ('{"a":' * 100_000 + "{}", "is not what was asked for"),
        (answer(service=7), "is not what was asked for: service: Input should be a valid string"),
        (answer(extra=1), "is not what was asked for: extra: Extra inputs are not permitted"),
        (answer(suggestion="x" * 4001), "suggestion: String should have at most 4000 characters"),
        (answer(services=["payment"] * 101), "services: List should have at most 100 items"),
        (answer(incident_summary=""), "incident_summary: String should have at least 1 character"),
    ],
)
def test_what_stays_malformed_is_not_used(
    ask: Ask, serve: Serve, explanation: Explanation, content: str | None, reason: str
) -> None:
    """After one repair the rules' answer stands, and says why."""
    server = serve(in_turn(completion(content)))
    told = ask(server)
    assert reason in told.fallback_reason
    assert told == replace(explanation, fallback_reason=told.fallback_reason)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("said", "reason", "outcome"),
    [
        (error(500, "it broke"), "the server failed (500): it broke", "failed"),
        (error(503, "loading"), "the server failed (503): loading", "failed"),
        (error(429, "slow down"), "or a quota is used up (429): slow down", "refused"),
        (error(401, "bad key"), "the server refuses the key (401); see llm.api_key", "refused"),
        (error(403, "no"), "the server refuses the key (403); see llm.api_key", "refused"),
        (error(404, "no"), "the server does not know the model 'tiny'", "refused"),
        (error(400, "no such thing"), "the server refuses the question: no such thing", "refused"),
        (error(418, "tea"), "the server refuses the question (418): tea", "refused"),
        (
            Said(302, headers={"location": "http://127.0.0.1:1/"}),
            "the server refuses the question (302)",
            "refused",
        ),
        (Said(200, b"<html>hello</html>"), "the server's answer is no chat completion", "malformed"),
        (Said(200, b"null"), "the server's answer is no chat completion", "malformed"),
        (Said(200, b'{"choices":[]}'), "the model answered nothing", "malformed"),
        (Said(200, b'{"choices":[{"message":'), "the server's answer is no chat completion", "malformed"),
        (completion(answer(), finish="length"), "was cut off at llm.max_output_tokens (2000)", "malformed"),
        (completion(None, finish="content_filter"), "the model declined to answer", "refused"),
        (completion(None, refusal="I can't"), "the model declined to answer", "refused"),
        (
            Said(200, b"\x1f\x8b", {"content-encoding": "gzip"}),
            "the server compresses its answer",
            "malformed",
        ),
        (
            Said(200, b" " * 65536, endless=True),
            "the server's answer has more than 4194304 bytes",
            "malformed",
        ),
    ],
)
def test_a_failing_server_leaves_the_rules_answer(  # noqa: PLR0913, PLR0917  (fixtures)
    ask: Ask,
    serve: Serve,
    explanation: Explanation,
    telemetry: ModelTelemetry,
    said: Said,
    reason: str,
    outcome: str,
) -> None:
    """Whatever it does; the reason says what, and it is counted."""
    told = ask(serve(in_turn(said)))
    assert reason in told.fallback_reason
    assert told == replace(explanation, fallback_reason=told.fallback_reason)
    assert outcomes(telemetry) == {outcome: 1}


def test_a_connection_that_ends_within_the_answer_is_no_answer(ask: Ask, serve: Serve) -> None:
    """Half an answer is none."""
    whole = completion(answer())
    server = serve(in_turn(Said(200, whole.body[:-40], promised=len(whole.body))))
    assert "cannot be asked" in ask(server).fallback_reason


@pytest.mark.parametrize("how", ["hanging", "dripping"])
def test_a_slow_server_is_waited_for_no_longer_than_allowed(ask: Ask, serve: Serve, how: str) -> None:
    """One that does not answer, and one that answers byte by byte without end."""
    server = serve(in_turn(Said(dripping=True)))
    if how == "hanging":
        server.hanging.set()
    told = ask(server, timeout_seconds=0.5)
    assert told.fallback_reason == "no answer within 0.5 s (llm.timeout_seconds)"


def test_a_server_that_is_not_there(ask: Ask) -> None:
    """Refused connections say where, and that."""
    port = free_port()
    reason = ask(f"http://127.0.0.1:{port}/v1").fallback_reason
    assert reason.startswith(f"127.0.0.1:{port} cannot be asked: ")
    assert "refused" in reason


def test_the_key_is_sent_and_nothing_of_it_is_told(ask: Ask, serve: Serve, tmp_path: Any) -> None:
    """As a bearer token, from the setting or a file; a server that repeats it in its error is hushed."""
    file = tmp_path / "key"
    file.write_text("sk-secret-0123456789abcdef\n")
    server = serve(in_turn(error(500, "key sk-secret-0123456789abcdef is odd")))
    told = ask(server, api_key_file=file)
    assert server.headers[0]["authorization"] == "Bearer sk-secret-0123456789abcdef"
    assert told.fallback_reason == "the server failed (500): key [redacted] is odd"
    ask(server, api_key="sk-another-key-0123456789")
    assert server.headers[1]["authorization"] == "Bearer sk-another-key-0123456789"


def test_a_key_file_of_no_use_is_named(ask: Ask, serve: Serve, tmp_path: Any) -> None:
    """Missing, empty, or with more than a key; nothing is sent."""
    server = serve(in_turn(completion(answer())))
    assert "llm.api_key_file" in ask(server, api_key_file=tmp_path / "none").fallback_reason
    (tmp_path / "empty").write_text("\n")
    assert "one line with the key" in ask(server, api_key_file=tmp_path / "empty").fallback_reason
    assert server.asked == []


def _picky(*refusals: tuple[Callable[[Asked], bool], str]) -> Callable[[Asked], Said]:
    """Answer well what none of these holds for, and refuse the rest."""

    def said(asked: Asked) -> Said:
        for holds, message in refusals:
            if holds(asked):
                return error(400, message)
        return completion(answer())

    return said


def test_a_server_is_asked_in_the_way_it_takes(ask: Ask, serve: Serve) -> None:
    """Without schema, without JSON mode, without a temperature, with the newer name of the limit."""
    server = serve(
        _picky(
            (
                lambda it: "max_tokens" in it,
                "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
            ),
            (lambda it: "temperature" in it, "Unsupported value: 'temperature' does not support 0."),
            (
                lambda it: it.get("response_format", {}).get("type") == "json_schema",
                "json_schema: not supported",
            ),
            (lambda it: "response_format" in it, "unknown field response_format"),
        )
    )
    assert ask(server).source == "llm"
    assert len(server.asked) == 5
    assert server.asked[-1].keys() == {"model", "messages", "max_completion_tokens"}


def test_the_form_that_is_set_is_kept_to(ask: Ask, serve: Serve) -> None:
    """Who sets json_object gets that, and a refusal of it is told."""
    server = serve(_picky((lambda it: "response_format" in it, "no response_format")))
    assert ask(server, structured_output="none").source == "llm"
    refused = ask(server, structured_output="json_object")
    assert refused.fallback_reason == "the server refuses the question: no response_format"
    assert server.asked[-1]["response_format"] == {"type": "json_object"}


def test_where_no_cause_was_found_none_may_be_named(ask: Ask, serve: Serve) -> None:
    """A model that names one is not believed."""
    nothing = {"service": "", "operation": "", "services": [], "operations": [], "trace_ids": []}
    words = {
        "incident_summary": "Nothing stands out.",
        "root_cause": "No cause was found.",
        "suggestion": "Wait.",
    }
    told = ask(serve(in_turn(completion(answer(**nothing, **words)))), analysis=NOTHING_FOUND)
    assert (told.source, told.confidence, told.root_cause) == ("llm", 0, "No cause was found.")
    told = ask(serve(in_turn(completion(answer()))), analysis=NOTHING_FOUND)
    assert "it names a cause, 'payment', where the analysis found none" in told.fallback_reason


def test_evidence_that_does_not_fit_is_given_in_part(
    ask: Ask, serve: Serve, explanation: Explanation
) -> None:
    """Less of everything, the most telling first; where not even that fits, nothing is sent."""
    many = replace(
        explanation, timeline=explanation.timeline * 20, error_groups=explanation.error_groups * 10
    )
    server = serve(in_turn(completion(answer())))
    assert ask(server, given=many, max_input_tokens=3500).source == "llm"
    [asked] = server.asked
    assert len(json.dumps(asked["messages"])) < 3 * 3500 + 500
    assert json.loads(asked["messages"][1]["content"])["root_causes"][0]["service"] == "payment"
    told = ask(server, given=many, max_input_tokens=1000)
    assert "the evidence does not fit into llm.max_input_tokens" in told.fallback_reason
    assert len(server.asked) == 1


def test_corrections_of_users_are_given(ask: Ask, serve: Serve) -> None:
    """What they found to be the cause in earlier ones, without secrets."""
    server = serve(in_turn(completion(answer())))
    ask(server, corrections=("It was a deploy, said al@shop.example",))
    given = json.loads(server.asked[0]["messages"][1]["content"])
    assert given["corrections"] == ["It was a deploy, said [redacted]"]
