"""What the processors do to batches."""

from collections.abc import Callable
from typing import Any

import pytest

from glasshouse_collector.core.batch import Batch, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.registry import available, build
from glasshouse_collector.core.schema import DECODED

Make = Callable[..., Batch]


def _run(name: str, config: dict[str, Any], batch: Batch, services: Services) -> Batch:
    processed: Batch = build("processors", name, config, services).process(batch)
    assert processed.records.schema.equals(DECODED[batch.signal])
    processed.records.validate(full=True)
    return processed


def _attributes(batch: Batch, column: str = "SpanAttributes", row: int = 0) -> dict[str, str]:
    return dict(batch.records.column(column)[row].as_py())


def _count(services: Services, metric: str, **labels: str) -> float:
    return services.get(Metrics).registry.get_sample_value(f"glasshouse_{metric}_total", labels) or 0.0


@pytest.mark.parametrize("name", available("processors"))
@pytest.mark.parametrize("signal", list(Signal))
def test_a_processor_keeps_an_ordinary_batch_of_any_signal_as_it_is(
    name: str, signal: Signal, batch: Make, services: Services
) -> None:
    """Nothing is touched where nothing has to be, and an empty batch stays one."""
    for rows in (({"ServiceName": "a", "ResourceAttributes": {"service.name": "a", "host": "h"}},) * 3, ()):
        made = batch(*rows, signal=signal)
        assert _run(name, {}, made, services).records.to_pylist() == made.records.to_pylist()


@pytest.mark.parametrize("name", available("processors"))
def test_a_processor_is_a_pure_function(name: str, batch: Make, services: Services) -> None:
    """The same batch gives the same batch, however often."""
    configs: dict[str, dict[str, Any]] = {"resource": {"set": {"a": "b"}}, "limit": {"max_attributes": 1}}
    config = configs.get(name, {})
    made = batch({"SpanAttributes": {"password": "x", "b": "y"}})
    assert _run(name, config, made, services).records.equals(_run(name, config, made, services).records)


def test_limit_cuts_long_values_and_counts_them(batch: Make, services: Services) -> None:
    """A value over the limit keeps its first characters, whole ones."""
    made = batch({"SpanAttributes": {"k": "ä" * 40, "short": "x"}}, {"SpanAttributes": {"k": "ok"}})
    limited = _run("limit", {"max_value_length": 16}, made, services)
    assert _attributes(limited) == {"k": "ä" * 16, "short": "x"}
    assert _attributes(limited, row=1) == {"k": "ok"}
    assert _count(services, "truncated_values", signal="traces", what="value") == 1


def test_limit_reaches_events_links_and_resources(batch: Make, services: Services) -> None:
    """Nested maps and shared ones have the same limit."""
    long = "x" * 50
    row = {
        "ResourceAttributes": {"r": long},
        "Events.Timestamp": [1, 2],
        "Events.Name": ["a", "b"],
        "Events.Attributes": [{"e": long}, {"e": "y"}],
    }
    limited = _run("limit", {"max_value_length": 16}, batch(row), services).records
    assert limited.column("Events.Attributes")[0].as_py() == [[("e", "x" * 16)], [("e", "y")]]
    assert limited.column("ResourceAttributes")[0].as_py() == [("r", "x" * 16)]


def test_limit_keeps_the_first_attributes_by_key(batch: Make, services: Services) -> None:
    """Of too many attributes those first by key stay, and the others are counted."""
    made = batch({"SpanAttributes": {k: k for k in "dcba"}}, {"SpanAttributes": {"z": "z"}})
    limited = _run("limit", {"max_attributes": 2}, made, services)
    assert _attributes(limited) == {"a": "a", "b": "b"}
    assert _attributes(limited, row=1) == {"z": "z"}
    assert _count(services, "truncated_values", signal="traces", what="attributes") == 2


def test_limit_cuts_log_bodies(batch: Make, services: Services) -> None:
    """A body has a limit of its own."""
    made = batch({"Body": "b" * 100}, signal=Signal.LOGS)
    limited = _run("limit", {"max_text_length": 20}, made, services)
    assert limited.records.column("Body")[0].as_py() == "b" * 20


@pytest.mark.parametrize(
    "key", ["password", "db.password", "user_token", "Authorization", "http.request.header.authorization",
            "http.request.header.cookie", "aws.secret", "API_KEY", "x-api-key", "client_secret"],
)  # fmt: skip
def test_redact_hides_values_by_key(key: str, batch: Make, services: Services) -> None:
    """An attribute whose key names a secret shows none, in spans, events and resources."""
    made = batch(
        {"SpanAttributes": {key: "s3cr3t", "http.route": "/a"}, "ResourceAttributes": {key: "s3cr3t"}}
    )
    redacted = _run("redact", {}, made, services)
    assert _attributes(redacted) == {key: "[redacted]", "http.route": "/a"}
    assert _attributes(redacted, "ResourceAttributes") == {key: "[redacted]"}
    assert _count(services, "redacted_values", signal="traces", rule="key") == 2


@pytest.mark.parametrize(
    "key", ["gen_ai.usage.input_tokens", "token_count", "tokens", "author", "passwords.count"]
)
def test_redact_leaves_keys_that_only_sound_like_secrets(key: str, batch: Make, services: Services) -> None:
    """Token counts are no tokens."""
    assert _attributes(_run("redact", {}, batch({"SpanAttributes": {key: "12"}}), services)) == {key: "12"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /?password=hunter2&a=1", "GET /?password=[redacted]&a=1"),
        ('{"api_key": "abc123", "n": 1}', '{"api_key": "[redacted]", "n": 1}'),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer [redacted]"),
        ("postgres://bob:pw@db:5432/x", "postgres://bob:[redacted]@db:5432/x"),
        ("card 4111 1111 1111 1111 ok", "card [redacted] ok"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc", "jwt [redacted]"),
    ],
)
def test_redact_hides_what_looks_like_a_secret(text: str, left: str, batch: Make, services: Services) -> None:
    """Wherever a secret stands, only the secret goes."""
    made = batch(*({"Body": f"line {i}"} for i in range(3000)), {"Body": text}, signal=Signal.LOGS)
    bodies = _run("redact", {}, made, services).records.column("Body").to_pylist()
    assert bodies == [f"line {i}" for i in range(3000)] + [left]


@pytest.mark.parametrize(
    "text", ["4111 1111 1111 1112", "1674981768697000000", "user bob@example.com", "tokens: 12"]
)
def test_redact_leaves_what_is_no_secret(text: str, batch: Make, services: Services) -> None:
    """A number that fails the Luhn check is no card, and e-mail addresses stay unless asked for."""
    made = batch({"SpanAttributes": {"k": text}})
    assert _attributes(_run("redact", {"emails": False}, made, services)) == {"k": text}


def test_redact_takes_the_users_own_rules(batch: Make, services: Services) -> None:
    """Keys, patterns, exceptions and e-mail addresses are the user's to set."""
    made = batch({"SpanAttributes": {"iban": "DE1", "token": "public", "n": "mail a@b.org, order X-99"}})
    config = {"keys": ["^iban$"], "patterns": [r"X-\d+"], "allow_keys": ["token"], "emails": True}
    redacted = _attributes(_run("redact", config, made, services))
    assert redacted == {"iban": "[redacted]", "token": "public", "n": "mail [redacted], order [redacted]"}


def test_redact_refuses_a_pattern_that_is_none(services: Services) -> None:
    """A wrong pattern is named at start, not at the first batch."""
    with pytest.raises(ConfigurationError, match=r"processors\.redact\.patterns"):
        build("processors", "redact", {"patterns": ["("]}, services)


def test_resource_adds_sets_and_renames(batch: Make, services: Services) -> None:
    """`add` gives way to what is there, `set` does not, and a renamed attribute takes its new key's place."""
    made = batch(
        {
            "ServiceName": "a",
            "ResourceAttributes": {"service.name": "a", "env": "dev", "old": "1", "new": "0"},
        },
        {"ServiceName": "", "ResourceAttributes": {}},
    )
    config = {"add": {"env": "prod"}, "set": {"region": "eu"}, "rename": {"old": "new"}}
    changed = _run("resource", config, made, services)
    assert changed.records.column("ResourceAttributes").to_pylist() == [
        [("env", "dev"), ("new", "1"), ("region", "eu"), ("service.name", "a")],
        [("env", "prod"), ("region", "eu")],
    ]


def test_resource_keeps_the_service_name_in_step(batch: Make, services: Services) -> None:
    """Who sets service.name finds it in the column that queries use."""
    made = batch({"ServiceName": "", "ResourceAttributes": {"app": "shop"}}, {"ServiceName": ""})
    changed = _run("resource", {"rename": {"app": "service.name"}}, made, services)
    assert changed.records.column("ServiceName").to_pylist() == ["shop", ""]
