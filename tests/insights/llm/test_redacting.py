"""What must not leave this machine does not: looked for in what a real server was sent."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from glasshouse_collector.core.redaction import REDACTED
from glasshouse_collector.insights.explaining import Change, Explanation, Moment
from glasshouse_collector.insights.llm.redacting import redacted
from model_answers import answer
from model_server import Asked, ModelServer, Said, completion, in_turn
from told_incident import ANALYSIS, CAUSE, NOON

JWT = f"eyJ{'a' * 20}.eyJ{'b' * 20}.{'c' * 20}"
SECRETS = {
    "password=hunter2secret": "hunter2secret",
    "Authorization: Bearer abcdef0123456789": "abcdef0123456789",
    "x-api-key: my-own-key": "my-own-key",
    "Set-Cookie: session=12345; Path=/": "12345",
    f"token {JWT}": JWT,
    "AKIAIOSFODNN7EXAMPLE leaked": "AKIAIOSFODNN7EXAMPLE",
    "mail to al.b+c@shop.example.org failed": "al.b+c@shop.example.org",
    "card 4111 1111 1111 1111 declined": "4111 1111 1111 1111",
    "postgres://app:pa55w0rd@db/shop": "pa55w0rd",
    "GET https://x.example/cb?code=abc&state=d": "code=abc",
    f"opaque {'Zz09' * 12} id": "Zz09" * 12,
    "-----BEGIN PRIVATE KEY-----\nMIIEv\n-----END PRIVATE KEY-----": "MIIEv",
}


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_hidden_wherever_it_stands(
    ask: Callable[..., Explanation],
    serve: Callable[[Callable[[Asked], Said]], ModelServer],
    explanation: Explanation,
    text: str,
) -> None:
    """In messages, evidence, reasons, paths, changes, the timeline, corrections; what the rules said too."""
    [evidence] = CAUSE.evidence
    cause = replace(
        CAUSE,
        reason=text,
        resource=text,
        evidence=(replace(evidence, text=text, template=text, operation=text),),
        path=tuple(replace(step, effect=text) for step in CAUSE.path),
    )
    given = replace(
        explanation,
        incident_summary=text,
        root_cause=text,
        error_groups=tuple(
            replace(it, message=text, type=text, place=text) for it in explanation.error_groups
        ),
        timeline=(Moment(NOON, text, "payment", "change"),),
        recent_changes=(Change(NOON, "payment", "process.command_line", text, text),),
    )
    server = serve(in_turn(completion(answer())))
    told = ask(
        server,
        analysis=replace(ANALYSIS, root_causes=(cause,), notes=(text,)),
        given=given,
        corrections=(text,),
    )
    assert told.fallback_reason == ""
    assert len(server.asked) == 1
    assert SECRETS[text].replace("\n", " ") not in server.sent()
    assert REDACTED in server.sent()


def test_a_users_own_patterns_are_hidden(
    ask: Callable[..., Explanation],
    serve: Callable[[Callable[[Asked], Said]], ModelServer],
    explanation: Explanation,
) -> None:
    """As `llm.redact` has them."""
    groups = tuple(replace(group, message="customer K-12345 of acme") for group in explanation.error_groups)
    server = serve(in_turn(completion(answer())))
    ask(server, given=replace(explanation, error_groups=groups), redact=(r"K-\d+", "(?i)ACME"))
    assert "customer [redacted] of [redacted]" in server.sent()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"password": "x", "user": "al"}, {"password": REDACTED, "user": "al"}),
        ({"http.request.header.authorization": ["a"]}, {"http.request.header.authorization": REDACTED}),
        ({"spans": [{"message": "pwd=abc", "count": 7, "none": None}]}, None),
        ([], []),
        (7, 7),
        ("trace " + "ab" * 16, "trace " + "ab" * 16),
    ],
)
def test_any_value_of_json_is_gone_through(given: Any, expected: Any) -> None:
    """Values of keys that name secrets go whole; numbers, nulls and trace ids stay."""
    if expected is None:
        expected = {"spans": [{"message": f"pwd={REDACTED}", "count": 7, "none": None}]}
    assert redacted(given) == expected
