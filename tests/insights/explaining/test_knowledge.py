"""Patterns are data: they fit what they are written for, and a wrong file says what is wrong."""

import re
from pathlib import Path

import pytest
import yaml

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.insights.findings import FaultKind
from glasshouse_collector.insights.knowledge import BUILT_IN, Knowledge, Symptoms, load_knowledge

BUILT: Knowledge = load_knowledge()
MESSAGES = {
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00": "pool_exhausted",
    "FATAL: remaining connection slots are reserved for superusers": "pool_exhausted",
    "HikariPool-1 - request timed out after 30000ms (pool is full)": "pool_exhausted",
    "java.lang.OutOfMemoryError: Java heap space": "out_of_memory",
    "fork: Cannot allocate memory": "out_of_memory",
    "write /var/lib/x: no space left on device": "disk_full",
    "HTTP 429 Too Many Requests": "rate_limited",
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired": "certificate_expired",
    "x509: certificate signed by unknown authority": "certificate_expired",
    "[Errno -2] Name or service not known": "dns",
    "dial tcp: lookup payment: no such host": "dns",
    "getaddrinfo ENOTFOUND payment": "dns",
    "connect ECONNREFUSED 10.0.0.1:5432": "connection_refused",
    "[Errno 104] Connection reset by peer": "connection_refused",
    "server has gone away": "connection_refused",
    "context deadline exceeded": "timeout",
    "The read operation timed out": "timeout",
    "ORA-00060: deadlock detected while waiting for resource": "deadlock",
    "Lock wait timeout exceeded; try restarting transaction": "deadlock",
    "401 Unauthorized": "authentication",
    "the token has expired": "authentication",
    "consumer lag of orders is 120000": "queue_backlog",
    "'NoneType' object has no attribute 'id'": "null_reference",
    "Cannot read properties of undefined (reading 'id')": "null_reference",
    "runtime error: invalid memory address or nil pointer dereference": "null_reference",
    "'Order' object has no attribute 'total'": "missing_key",
    'column "vat" does not exist': "missing_key",
    "Unexpected token < in JSON at position 0": "bad_input",
    "duplicate key value violates unique constraint": "bad_input",
    "Max retries exceeded with url: /pay": "retry_storm",
    "upstream is overloaded, shedding load": "overload",
    "environment variable STRIPE_KEY is required": "configuration",
    "slow query: 2300 ms": "slow_dependency",
    "no healthy upstream": "silent_service",
    "cold start of function": "cold_start",
}
EXCEPTIONS = {
    "KeyError": "missing_key",
    "java.lang.NullPointerException": "null_reference",
    "requests.exceptions.ConnectTimeout": "timeout",
    "httpx.ConnectError": "connection_refused",
    "ValueError": "bad_input",
    "HTTP 429": "rate_limited",
    "HTTP 504": "timeout",
    "HTTP 401": "authentication",
    "timeout": "timeout",
    "socket.gaierror": "dns",
    "psycopg.errors.DeadlockDetected": "deadlock",
    "tenacity.RetryError": "retry_storm",
    "MemoryError": "out_of_memory",
}


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_tell_their_pattern(message: str) -> None:
    """As databases, languages and libraries word them; the likeliest stands first."""
    assert BUILT.fitting(Symptoms(messages=[message]))[0].id == MESSAGES[message]


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_types_of_exceptions_tell_their_pattern(kind: str) -> None:
    """With or without their package, and what failed spans have instead."""
    assert BUILT.fitting(Symptoms(exceptions=[kind]))[0].id == EXCEPTIONS[kind]


@pytest.mark.parametrize(
    "message",
    [
        "order 17 was placed",
        "card declined",
        "",
        "connected to the database in 12 ms",
        "none of the items is heavy",
        "annulled by the customer",
        "forked a worker",
    ],
)
def test_ordinary_messages_fit_nothing(message: str) -> None:
    """Words such as connection or none alone tell nothing."""
    assert BUILT.fitting(Symptoms(messages=[message])) == []


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.UNKNOWN])
def test_every_kind_of_fault_has_a_suggestion(kind: FaultKind) -> None:
    """Also where no message says anything."""
    assert BUILT.fitting(Symptoms(kinds=[kind]))


def test_the_cause_counts_more_than_the_others_and_a_number_least() -> None:
    """What fails elsewhere is a consequence as often as not."""
    symptoms = Symptoms(
        kinds=[FaultKind.EXCEPTION],
        messages=["deadlock detected"],
        other_messages=["no such host"],
        most_frequent=11,
    )
    assert [each.id for each in BUILT.fitting(symptoms)] == [
        "deadlock",
        "failing_code",
        "dns",
        "high_frequency",
    ]


def test_more_than_ten_times_is_often() -> None:
    """Ten times is not."""
    assert [each.id for each in BUILT.fitting(Symptoms(most_frequent=11))] == ["high_frequency"]
    assert BUILT.fitting(Symptoms(most_frequent=10)) == []


def test_metrics_of_the_evidence_tell_too() -> None:
    """By their names."""
    found = BUILT.fitting(Symptoms(metrics=["db.client.connection.pending_requests"]))
    assert found[0].id == "pool_exhausted"


def test_a_million_hostile_characters_are_looked_at_within_bounds() -> None:
    """Texts that make backtracking engines stand still; a long one is cut."""
    hostile = [
        "a" * 1_000_000,
        "connection " * 100_000,
        "(" * 50_000 + ")" * 50_000,
        "timeou-" * 9000,
        "\x00\xff",
    ]
    found = BUILT.fitting(Symptoms(messages=hostile * 500, exceptions=hostile, other_messages=hostile))
    assert all(pattern.id != "timeout" for pattern in found)


def test_what_is_built_in_is_whole() -> None:
    """Ids and titles are not there twice, links are OpenTelemetry's, and sentences end where they end."""
    titles = [pattern.title for pattern in BUILT.patterns]
    assert len(set(titles)) == len(titles)
    for pattern in BUILT.patterns:
        assert pattern.attributes, pattern.id
        assert pattern.links, pattern.id
        assert all(link.startswith("https://opentelemetry.io/docs/specs/semconv/") for link in pattern.links)
        assert all(line.endswith(".") for line in pattern.suggestion), pattern.id
        assert all(re.fullmatch(r"[a-z0-9_.]+", name) for name in pattern.attributes), pattern.id


def _file(folder: Path, content: object) -> Path:
    path = folder / "own.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


OWN = {
    "id": "billing_closed",
    "title": "The bank is closed",
    "when": {"messages": ["bank closed"]},
    "suggestion": ["Wait."],
}


def test_an_own_file_adds_patterns_and_replaces_those_of_the_same_id(tmp_path: Path) -> None:
    """Own ones stand first."""
    timeout = {**OWN, "id": "timeout", "when": {"messages": ["(?i)too late"]}}
    own = load_knowledge(_file(tmp_path, {"patterns": [OWN, timeout]}))
    assert len(own.patterns) == len(BUILT.patterns) + 1
    assert [each.id for each in own.fitting(Symptoms(messages=["bank closed, too late"]))] == [
        "billing_closed",
        "timeout",
    ]
    assert "timeout" not in [each.id for each in own.fitting(Symptoms(messages=["deadline exceeded"]))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "patterns: is expected, with a list below it"),
        ("a: [", "while parsing"),
        ("\x00", "unacceptable character"),
        ({"patterns": []}, "at least one pattern is expected below patterns:"),
        (
            {"patterns": [{**OWN, "id": "No Good"}]},
            "pattern 1 (No Good): id: 'No Good': a text that matches ",
        ),
        ({"patterns": [OWN, OWN]}, "the id billing_closed is there twice; each needs one of its own"),
        ({"patterns": [{**OWN, "severity": 1}]}, "pattern 1 (billing_closed): severity: no such setting"),
        ({"patterns": [{**OWN, "when": {}}]}, "messages, exceptions, kinds, metrics or count_over is needed"),
        (
            {"patterns": [{**OWN, "when": {"messages": ["(a"]}}]},
            "pattern 1 (billing_closed): when.messages.0: no RE2 pattern",
        ),
        ({"patterns": [{**OWN, "when": {"messages": [r"(?=a)b"]}}]}, "no RE2 pattern"),
        (
            {"patterns": [{**OWN, "when": {"kinds": ["sad"]}}]},
            "pattern 1 (billing_closed): when.kinds.0: 'sad': 'exception', ",
        ),
        (
            {"patterns": [{**OWN, "suggestion": []}]},
            "pattern 1 (billing_closed): suggestion: at least one line is expected",
        ),
        ({"patterns": [{"id": "x1"}]}, "pattern 1 (x1): title: a value is needed"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, content: object, said: str) -> None:
    """With the file, the field, and what would be right."""
    path = _file(tmp_path, content)
    with pytest.raises(ConfigurationError) as wrong:
        load_knowledge(path)
    assert str(wrong.value).startswith(f"knowledge_file: {path}")
    assert said in str(wrong.value)


def test_a_file_that_is_not_there_or_too_large_is_said(tmp_path: Path) -> None:
    """Before anything of it is read."""
    with pytest.raises(ConfigurationError, match=r"none\.yaml: No such file or directory"):
        load_knowledge(tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(BUILT_IN.read_bytes() + b"#" * (1 << 20))
    with pytest.raises(ConfigurationError, match="larger than 1048576 bytes"):
        load_knowledge(large)


def test_a_metric_beside_another_kind_of_fault_tells_nothing() -> None:
    """Memory that rises while code is slow is no reason to restart what holds the most."""
    slow = Symptoms(kinds=[FaultKind.SLOW_CODE], metrics=["process.memory.usage"])
    assert "out_of_memory" not in [each.id for each in BUILT.fitting(slow)]
    leak = Symptoms(kinds=[FaultKind.MEMORY_LEAK], metrics=["process.memory.usage"])
    assert BUILT.fitting(leak)[0].id == "out_of_memory"
    assert BUILT.fitting(Symptoms(metrics=["process.memory.usage"]))[0].id == "out_of_memory"
