"""Sentry beside OpenTelemetry: real envelopes, looked at as Sentry would get them."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from opentelemetry import _logs
from opentelemetry.trace import format_span_id, format_trace_id

from glasshouse import sentry as glasshouse_sentry
from glasshouse.context import bind
from glasshouse.errors import capture_exception, capture_uncaught
from glasshouse.settings import Settings, SettingsError
from glasshouse.tracing import span
from memory_telemetry import MemoryTelemetry, attributes, identity
from sentry_server import SentryServer

Install = Callable[..., Callable[[], None]]


@pytest.fixture
def install(sentry: SentryServer, telemetry: MemoryTelemetry) -> Iterator[Install]:
    """Install Sentry with the settings of a test, and undo it afterwards."""
    undos: list[Callable[[], None]] = []

    def installed(**settings: Any) -> Callable[[], None]:
        undo = glasshouse_sentry.install(Settings(**({"sentry_dsn": sentry.dsn} | settings)))
        undos.append(undo)
        return undo

    yield installed
    glasshouse_sentry._filters.clear()
    for undo in undos:
        undo()
    assert not sentry_sdk.get_client().is_active()


def fail() -> None:
    """Raise."""
    raise ValueError("card declined")


def test_a_captured_error_has_the_ids_of_the_span_in_both(
    install: Install, sentry: SentryServer, telemetry: MemoryTelemetry
) -> None:
    """So that the one is found from the other; with operation, severity, user, tags and context."""
    install(environment="staging", release="1.2.3", service_name="shop")
    with span("checkout"), bind(user_id=42, workspace_id="w1", **{"user.email": "a@example.org"}):
        try:
            fail()
        except ValueError as exc:
            capture_exception(exc, operation="pay", severity="critical", cart_id=7)
    event = sentry.event()
    record = telemetry.record()
    assert event["contexts"]["trace"]["trace_id"] == format_trace_id(record.trace_id)
    assert event["contexts"]["trace"]["span_id"] == format_span_id(record.span_id)
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "card declined")
    assert exception["mechanism"] == {"type": "glasshouse", "handled": True}
    assert exception["stacktrace"]["frames"][-1]["function"] == "fail"
    assert (event["environment"], event["release"], event["level"]) == ("staging", "1.2.3", "fatal")
    assert (
        event["tags"]
        == {
            "service.name": "shop",
            "operation": "pay",
            "severity": "critical",
            "workspace.id": "w1",
            "user_email": "a@example.org",
        }
        or event["user"]["email"] == "a@example.org"
    )
    assert (event["user"]["id"], event["user"]["email"]) == (42, "a@example.org")
    assert event["contexts"]["glasshouse"] == {"cart.id": 7}


def test_an_error_without_an_exception_has_the_callers_stack(install: Install, sentry: SentryServer) -> None:
    """As a message, and where a type is said as an exception of that type."""
    install()
    capture_exception(operation="check_balance", severity="low")
    capture_exception(error_type="UpstreamError", error_message="503")
    message, upstream = sentry.events(at_least=2)
    assert (message["message"], message["level"]) == ("check_balance", "warning")
    (thread,) = message["threads"]["values"]
    assert thread["stacktrace"]["frames"][-1]["module"] == __name__
    (value,) = upstream["exception"]["values"]
    assert (value["type"], value["value"]) == ("UpstreamError", "503")


def test_an_error_arrives_once_however_often_it_is_seen(
    install: Install, sentry: SentryServer, telemetry: MemoryTelemetry
) -> None:
    """Captured, logged and uncaught, in another thread too."""
    install()
    error = ValueError("card declined")
    capture_exception(error)
    logging.getLogger("app").error("failed", exc_info=error)
    capture_uncaught(error, "critical")
    thread = threading.Thread(target=sentry_sdk.capture_exception, args=(error,))
    thread.start()
    thread.join()
    capture_exception(KeyError("last"))
    first, last = sentry.events(at_least=2)
    assert first["exception"]["values"][0]["value"] == "card declined"
    assert last["exception"]["values"][0]["type"] == "KeyError"


def test_an_uncaught_error_belongs_to_the_span_that_it_left(
    install: Install, sentry: SentryServer, telemetry: MemoryTelemetry
) -> None:
    """Its user too, for what is bound is bound to the trace."""
    install()
    try:
        with span("work"):
            fail()
    except ValueError as exc:
        capture_uncaught(exc, "high")
    trace_id, span_id = identity(telemetry.span("work"))
    event = sentry.event()
    assert event["contexts"]["trace"]["trace_id"] == format_trace_id(trace_id)
    assert event["contexts"]["trace"]["span_id"] == format_span_id(span_id)
    assert event["exception"]["values"][0]["mechanism"]["handled"] is False


def test_logged_errors_are_events_with_the_breadcrumbs_of_their_trace(
    install: Install, sentry: SentryServer, telemetry: MemoryTelemetry
) -> None:
    """Of OpenTelemetry's log records, beside what the application gave Sentry itself."""
    install()
    with span("other"):
        _logs.get_logger("app").emit(body="of another request", severity_text="INFO")
    with span("checkout"):
        _logs.get_logger("app").emit(
            body="cart opened", severity_text="WARN", timestamp=1_700_000_000_000_000_000
        )
        sentry_sdk.add_breadcrumb(message="clicked")
        logging.getLogger("app").error("payment failed")
    event = sentry.event()
    assert event["logentry"]["message"] == "payment failed"
    opened, clicked = event["breadcrumbs"]["values"]
    assert (opened["message"], opened["category"], opened["level"]) == ("cart opened", "app", "warning")
    assert clicked["message"] == "clicked"


def test_failures_of_telemetry_are_no_events(install: Install, sentry: SentryServer) -> None:
    """A collector that is away is not the application's error."""
    install()
    for name in ("glasshouse", "glasshouse.delivery", "opentelemetry.exporter.otlp"):
        logging.getLogger(name).error("cannot send")
    logging.getLogger("app").error("real")
    assert sentry.event()["logentry"]["message"] == "real"


def test_filters_see_change_and_drop_events(
    install: Install, sentry: SentryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of their registration; one that fails lets nothing pass, for it may hide secrets."""
    install()

    @glasshouse_sentry.before_send
    def drop_health_checks(event: Any, hint: Any) -> Any:
        return None if event["tags"].get("operation") == "health" else event

    @glasshouse_sentry.before_send
    def mark(event: Any, hint: Any) -> Any:
        if event["tags"].get("operation") == "broken":
            raise RuntimeError("filter broken")
        event["tags"]["seen"] = "yes"
        return event

    for operation in ("health", "broken", "checkout"):
        capture_exception(ValueError("x"), operation=operation)
    assert sentry.event()["tags"]["operation"] == "checkout"
    assert sentry.event()["tags"]["seen"] == "yes"


def test_sentry_gets_the_chosen_share_of_traces_whole(
    install: Install, sentry: SentryServer, telemetry: MemoryTelemetry
) -> None:
    """From the very spans that the collector gets; Sentry makes none of its own."""
    undo = install(sentry_traces_sample_rate=0.5)
    for number in range(40):
        with span(f"outer{number}"), span(f"inner{number}"):
            sentry_sdk.capture_exception(ValueError("x"))
    undo()
    sent = sentry.traces()
    chosen = {
        number
        for number in range(40)
        if identity(telemetry.span(f"outer{number}"))[0] & ((1 << 64) - 1) < (1 << 63)
    }
    for number in range(40):
        for name in (f"outer{number}", f"inner{number}"):
            _, span_id = identity(telemetry.span(name))
            assert (span_id.to_bytes(8, "big") in sent) is (number in chosen)
    assert sentry.listener.by_path("/api/1/integration/otlp/v1/traces/")[0].headers["x-sentry-auth"]
    assert "transaction" not in sentry.item_types()


def test_no_traces_go_to_sentry_unless_asked(install: Install, sentry: SentryServer) -> None:
    """And none of its integrations patches a library that is instrumented already."""
    undo = install()
    with span("work"):
        capture_exception(ValueError("x"))
    undo()
    assert sentry.traces() == b""
    assert sentry.item_types() == {"event"}


def test_profiles_are_sent_when_asked(install: Install, sentry: SentryServer) -> None:
    """By the continuous profiler, for the one of transactions would need Sentry's own tracing."""
    undo = install(sentry_profiles_sample_rate=1.0)
    from sentry_sdk.profiler import continuous_profiler  # noqa: PLC0415

    assert continuous_profiler._scheduler is not None
    assert continuous_profiler._scheduler.running
    undo()
    assert "profile_chunk" in sentry.item_types()


def test_the_applications_own_client_stays(sentry: SentryServer, telemetry: MemoryTelemetry) -> None:
    """Ids, user and captured errors are joined to it; undoing leaves it as it was."""
    sentry_sdk.init(sentry.dsn, release="own", default_integrations=False)
    own = sentry_sdk.get_client()
    undo = glasshouse_sentry.install(Settings(sentry_dsn=sentry.dsn, release="ours"))
    try:
        with span("checkout"), bind(user_id="u1"):
            capture_exception(ValueError("x"))
    finally:
        undo()
    assert sentry_sdk.get_client() is own
    capture_exception(ValueError("after"))
    own.close()
    sentry_sdk.get_global_scope().set_client(None)
    event = sentry.event()
    assert event["release"] == "own"
    assert event["user"]["id"] == "u1"
    assert event["contexts"]["trace"]["trace_id"] == format_trace_id(identity(telemetry.span("checkout"))[0])


@pytest.mark.parametrize("dsn", ["nonsense", "https://example.org/1", "https://key@example.org/project"])
def test_a_wrong_dsn_is_refused_without_showing_it(dsn: str, telemetry: MemoryTelemetry) -> None:
    """The error names the setting and says what would be right; nothing is left behind."""
    with pytest.raises(SettingsError, match=r"SENTRY_DSN \(sentry_dsn\): should be the DSN") as refused:
        glasshouse_sentry.install(Settings(sentry_dsn=dsn))
    assert dsn not in str(refused.value)
    assert not sentry_sdk.get_client().is_active()
    assert sentry_sdk.scope.get_external_propagation_context() is None


def test_a_missing_sentry_sdk_is_named_with_its_extra() -> None:
    """As it is where the extra is not installed."""
    code = "import sys; sys.modules['sentry_sdk'] = None; import glasshouse.sentry"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "glasshouse[sentry]"' in ended.stderr


def test_attributes_of_the_record_are_those_of_the_event(
    install: Install, sentry: SentryServer, telemetry: MemoryTelemetry
) -> None:
    """What was passed as context reaches both."""
    install()
    capture_exception(ValueError("x"), metadata={"url": "https://example.org"})
    assert attributes(telemetry.record())["url"] == "https://example.org"
    assert sentry.event()["contexts"]["glasshouse"] == {"url": "https://example.org"}
