"""Sentry beside OpenTelemetry: its events carry the trace and span ids, the user and the breadcrumbs of ours.

Sentry's own tracing stays off, so that nothing is instrumented twice: the share of traces that Sentry is to
get goes to its OTLP endpoint, made of the very spans that the collector gets.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.trace import format_span_id, format_trace_id

from glasshouse import errors
from glasshouse.breadcrumbs import Breadcrumb, recent
from glasshouse.context import bound
from glasshouse.failures import contained
from glasshouse.settings import RIGHT_DSN, Settings, SettingsError

try:
    import sentry_sdk
    from sentry_sdk import scope as sentry_scope
    from sentry_sdk.integrations import DidNotEnable, Integration
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger, unignore_logger
    from sentry_sdk.integrations.stdlib import StdlibIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration
    from sentry_sdk.transport import HttpTransport
    from sentry_sdk.utils import BadDsn, Dsn, current_stacktrace, event_from_exception
except ImportError as missing:
    raise ImportError(
        'sentry_dsn: sentry-sdk is not installed. Install it with: pip install "glasshouse[sentry]"'
    ) from missing

if TYPE_CHECKING:
    import urllib3
    from sentry_sdk.types import Event, Hint

Undo = Callable[[], None]
Filter = Callable[["Event", "Hint"], "Event | None"]

_OURS = "glasshouse"
_LEVELS = {"critical": "fatal", "high": "error", "medium": "error", "low": "warning"}
_CRUMB_LEVELS = {"DEBUG": "debug", "INFO": "info", "WARN": "warning", "ERROR": "error", "FATAL": "fatal"}
_USER = {"user.id": "id", "user.email": "email", "user.name": "username"}
_LONGEST_TAG = 200
_LONGEST_CLOSE_SECONDS = 5.0
# Telemetry that cannot be sent is not the application's error.
_OWN_LOGGERS = ("glasshouse", "glasshouse.*", "opentelemetry", "opentelemetry.*")
# What reports the errors of requests and tasks. Sentry's integrations of libraries only make spans, and
# those are made already.
_FRAMEWORKS = (
    "aiohttp.AioHttpIntegration",
    "celery.CeleryIntegration",
    "django.DjangoIntegration",
    "fastapi.FastApiIntegration",
    "flask.FlaskIntegration",
    "starlette.StarletteIntegration",
)

_filters: list[Filter] = []


def before_send(function: Filter) -> Filter:
    """Have a function see each event before Sentry gets it: it returns the event, changed or not, or None.

    A decorator; works before `configure` and after. Several are asked in the order of their registration;
    where one returns None, or raises, the event is not sent.
    """
    _filters.append(function)
    return function


def install(settings: Settings) -> Undo:
    """Set up sentry-sdk for `sentry_dsn`; SettingsError where that is no DSN.

    Where the application has called `sentry_sdk.init` itself its client stays, and only the ids, the user,
    the breadcrumbs and the captured errors are joined to it.
    """
    undos: list[Undo] = []
    if not sentry_sdk.get_client().is_active():
        undos.append(_start(settings))
        if settings.sentry_traces_sample_rate > 0:
            undos.append(_send_traces(settings))
    undos.append(_link())

    def undo() -> None:
        while undos:
            with contained("ending Sentry"):
                undos.pop()()

    return undo


def _link() -> Undo:
    sentry_scope.register_external_propagation_context(_current_ids)
    sentry_scope.add_global_event_processor(_enrich)
    errors.reporters.append(_report)
    for name in _OWN_LOGGERS:
        ignore_logger(name)
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.add_span_processor(_Roots())

    def undo() -> None:
        errors.reporters.remove(_report)
        sentry_scope.global_event_processors.remove(_enrich)
        sentry_scope.remove_external_propagation_context()
        for name in _OWN_LOGGERS:
            unignore_logger(name)

    return undo


def _start(settings: Settings) -> Undo:
    before = sentry_sdk.get_global_scope().client
    disabled: list[type[Integration]] = [AtexitIntegration, StdlibIntegration, ThreadingIntegration]
    if settings.excepthook:
        disabled.append(ExcepthookIntegration)
    try:
        sentry_sdk.init(
            dsn=settings.sentry_dsn,
            environment=settings.environment,
            release=settings.release,
            before_send=_filtered,
            transport=_Transport,
            shutdown_timeout=min(_LONGEST_CLOSE_SECONDS, settings.shutdown_seconds),
            auto_enabling_integrations=False,
            disabled_integrations=disabled,
            # Its breadcrumbs would mix those of requests served side by side, for nothing parts them here.
            integrations=[LoggingIntegration(level=None, event_level=logging.ERROR), *_frameworks()],
            profile_session_sample_rate=settings.sentry_profiles_sample_rate or None,
        )
    except BadDsn:
        raise SettingsError(f"SENTRY_DSN (sentry_dsn): {RIGHT_DSN}") from None
    if settings.service_name:
        sentry_sdk.get_global_scope().set_tag("service.name", settings.service_name)
    if settings.sentry_profiles_sample_rate > 0:
        sentry_sdk.profiler.start_profiler()
    ours = sentry_sdk.get_client()

    def undo() -> None:
        sentry_sdk.profiler.stop_profiler()
        ours.close()
        if sentry_sdk.get_global_scope().client is ours:
            sentry_sdk.get_global_scope().set_client(before)
            sentry_sdk.get_global_scope().remove_tag("service.name")

    return undo


def _send_traces(settings: Settings) -> Undo:
    provider = trace.get_tracer_provider()
    if settings.sentry_dsn is None or not isinstance(provider, TracerProvider):
        return lambda: None
    from glasshouse.sentry_traces import SampledSpans  # noqa: PLC0415 - few want it, and it loads an exporter

    processor = SampledSpans(Dsn(settings.sentry_dsn), settings.sentry_traces_sample_rate)
    provider.add_span_processor(processor)
    return processor.shutdown


def _frameworks() -> list[Integration]:
    found: list[Integration] = []
    for name in _FRAMEWORKS:
        module, _, integration = name.partition(".")
        try:
            found.append(getattr(import_module(f"sentry_sdk.integrations.{module}"), integration)())
        except (DidNotEnable, ImportError):
            continue
    return found


class _Transport(HttpTransport):
    """Sentry's transport, whose own requests are not traced."""

    def _request(self, *args: Any, **kwargs: Any) -> "urllib3.BaseHTTPResponse":
        with suppress_instrumentation():
            return super()._request(*args, **kwargs)


def _current_ids() -> tuple[str, str] | None:
    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return None
    return format_trace_id(here.trace_id), format_span_id(here.span_id)


def _report(error: errors.CapturedError) -> None:
    client = sentry_sdk.get_client()
    event: Any
    hint: Any
    if error.exc is not None:
        mechanism = {"type": _OURS, "handled": error.handled}
        event, hint = event_from_exception(error.exc, client_options=client.options, mechanism=mechanism)
    else:
        event, hint = _without_exception(error), {}
    event["level"] = _LEVELS[error.severity]
    event["tags"] = {"severity": error.severity}
    if error.operation:
        event["tags"]["operation"] = error.operation[:_LONGEST_TAG]
    if error.context:
        event["contexts"] = {_OURS: dict(error.context)}
    hint[_OURS] = True
    sentry_sdk.capture_event(event, hint=hint)


def _without_exception(error: errors.CapturedError) -> dict[str, Any]:
    stack_trace = current_stacktrace()
    frames = stack_trace["frames"]
    while frames and str(frames[-1].get("module", "")).partition(".")[0] in {"glasshouse", "sentry_sdk"}:
        frames.pop()
    if error.type:
        value = {"type": error.type, "value": error.message, "stacktrace": stack_trace}
        return {"exception": {"values": [value]}}
    return {"message": error.message, "threads": {"values": [{"current": True, "stacktrace": stack_trace}]}}


def _enrich(event: "Event", hint: "Hint") -> "Event | None":
    if event.get("type"):  # a transaction, a check-in: no error
        return event
    with contained("completing an event for Sentry"):
        exc = (hint.get("exc_info") or (None, None, None))[1]
        if _OURS not in hint and errors.was_captured(exc, trace.get_current_span()):
            return None
        with _in_its_span(event, exc):
            _add_bound(event)
            _add_breadcrumbs(event, recent())
    return event


@contextmanager
def _in_its_span(event: "Event", exc: BaseException | None) -> Iterator[None]:
    home = (
        None if trace.get_current_span().get_span_context().is_valid else errors.home(exc) or _root_of_task()
    )
    if home is None:
        yield
        return
    ids: dict[str, object] = {
        "trace_id": format_trace_id(home.trace_id),
        "span_id": format_span_id(home.span_id),
    }
    event.setdefault("contexts", {})["trace"] = ids
    with trace.use_span(trace.NonRecordingSpan(home)):
        yield


# The span of the request or job that a task runs, or has just run.
_root: ContextVar[trace.SpanContext | None] = ContextVar("glasshouse_sentry_root", default=None)


class _Roots(SpanProcessor):
    """Notes the first span of each request.

    Sentry stands around an ASGI application, and sees what it raises when the server's span has ended.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        if span.parent is None or span.parent.is_remote:
            _root.set(span.get_span_context())


def _root_of_task() -> trace.SpanContext | None:
    # A thread serves one request after the other in one context, so there it could be another's span.
    try:
        asyncio.current_task()
    except RuntimeError:
        return None
    return _root.get()


def _add_bound(event: "Event") -> None:
    user = event.setdefault("user", {})
    tags: Any = event.setdefault("tags", {})
    for name, value in bound().items():
        if name.startswith("user."):
            user.setdefault(_USER.get(name, name.removeprefix("user.")), value)
        else:
            tags.setdefault(name, str(value)[:_LONGEST_TAG])


def _add_breadcrumbs(event: "Event", crumbs: list[Breadcrumb]) -> None:
    if not crumbs:
        return
    there: Any = event.setdefault("breadcrumbs", {})
    values = there.setdefault("values", [])
    values += [
        {
            "type": "log",
            "timestamp": crumb.attributes()["time"],
            "level": _CRUMB_LEVELS.get(crumb.severity, "info"),
            "category": crumb.logger,
            "message": crumb.message,
        }
        for crumb in crumbs
    ]
    values.sort(key=lambda crumb: str(crumb.get("timestamp")))


def _filtered(event: "Event", hint: "Hint") -> "Event | None":
    for each in _filters:
        kept = each(event, hint)
        if kept is None:
            return None
        event = kept
    return event
