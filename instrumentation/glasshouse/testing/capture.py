"""What the application sends, captured in place of being sent."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple, Unpack

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import _internal as logs_globals
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability
from opentelemetry.metrics import _internal as metrics_globals
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.util._once import Once

from glasshouse import breadcrumbs, configuration, context, logs, providers, slow_requests
from glasshouse.metrics.instruments import deliver_waiting
from glasshouse.metrics.observables import bind_all
from glasshouse.settings import Arguments, Settings, load
from glasshouse.testing.clock import Clock, Ids
from glasshouse.testing.telemetry import Telemetry

_one_at_a_time = threading.Lock()


@contextmanager
def capture(**settings: Unpack[Arguments]) -> Iterator[Telemetry]:
    """Capture in the block what the application would send, with ids and times that are always the same.

    Nothing goes out, whether or not the application has configured Glasshouse or OpenTelemetry; a
    `configure()` in the block sends nothing either. Settings are those of `configure` that say what is
    captured: `log_level`, `log_levels`, `capture_logging`, `breadcrumbs`, `slow_request_seconds`, and
    `instrument=True`, which instruments the installed libraries; variables do not count. SettingsError
    where one is wrong, RuntimeError where something is being captured already.
    """
    defaults: dict[str, Any] = {"log_format": "off", "instrument": False}
    chosen = load({**defaults, **settings}, environ={})
    if not _one_at_a_time.acquire(blocking=False):
        raise RuntimeError("telemetry is being captured already")
    with ExitStack() as stack:
        stack.callback(_one_at_a_time.release)
        telemetry = Telemetry()
        _capture_spans(stack, telemetry, chosen)
        _capture_log_records(stack, telemetry, chosen)
        _capture_metrics(stack, telemetry)
        _bind_nothing(stack)
        if not configuration.is_configured():
            stack.callback(logs.install(chosen))
        libraries = _Libraries(stack)
        stack.callback(configuration.stand_in(libraries.instrument))
        libraries.instrument(chosen)
        yield telemetry


class _Kept(NamedTuple):
    """Providers for applications without any. Tracers that a library keeps stay good for the next capture."""

    traces: TracerProvider
    logs: LoggerProvider
    metrics: MeterProvider


_kept: _Kept | None = None


def _providers() -> _Kept:
    global _kept  # noqa: PLW0603 - of the process, as what libraries keep of them is
    if _kept is None:
        _kept = _Kept(
            TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False),
            LoggerProvider(shutdown_on_exit=False),
            MeterProvider(shutdown_on_exit=False),
        )
        for provider in _kept:
            provider._disabled = False  # noqa: SLF001 - whatever OTEL_SDK_DISABLED says of sending
    return _kept


def _capture_spans(stack: ExitStack, telemetry: Telemetry, settings: Settings) -> None:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = _providers().traces
        stack.enter_context(_replaced(trace, "_TRACER_PROVIDER", None))
        stack.enter_context(_replaced(trace, "_TRACER_PROVIDER_SET_ONCE", Once()))
        trace.set_tracer_provider(provider)
    processors = (
        *context.span_processors(),
        *slow_requests.span_processors(settings),
        SimpleSpanProcessor(telemetry.span_exporter),
    )
    stack.enter_context(_replaced(provider._active_span_processor, "_span_processors", processors))  # noqa: SLF001
    # Each tracer has the generator of its provider, so it is this one that has to count.
    ids = Ids()
    stack.enter_context(_replaced(provider.id_generator, "generate_trace_id", ids.trace_id))
    stack.enter_context(_replaced(provider.id_generator, "generate_span_id", ids.span_id))
    stack.enter_context(_replaced(sdk_trace, "time_ns", telemetry.clock))


def _capture_log_records(stack: ExitStack, telemetry: Telemetry, settings: Settings) -> None:
    provider = _logs.get_logger_provider()
    if not isinstance(provider, LoggerProvider):
        provider = _providers().logs
        stack.enter_context(_replaced(logs_globals, "_LOGGER_PROVIDER", None))
        stack.enter_context(_replaced(logs_globals, "_LOGGER_PROVIDER_SET_ONCE", Once()))
        _logs.set_logger_provider(provider)
    stack.enter_context(_replaced(breadcrumbs, "_trail", None))
    processors = (
        _Times(telemetry.clock),
        *context.log_record_processors(),
        *breadcrumbs.log_record_processors(settings),
        SimpleLogRecordProcessor(telemetry.log_record_exporter),
    )
    of_provider = provider._multi_log_record_processor  # noqa: SLF001
    stack.enter_context(_replaced(of_provider, "_log_record_processors", processors))


def _capture_metrics(stack: ExitStack, telemetry: Telemetry) -> None:
    provider = metrics.get_meter_provider()
    if not isinstance(provider, MeterProvider):
        provider = _providers().metrics
        stack.enter_context(_replaced(metrics_globals, "_METER_PROVIDER", None))
        stack.enter_context(_replaced(metrics_globals, "_METER_PROVIDER_SET_ONCE", Once()))
        metrics.set_meter_provider(provider)
        # What was measured before the capture is no part of it: the provider has no reader yet.
        deliver_waiting()
        bind_all()
    provider.add_metric_reader(telemetry.metric_reader)
    stack.callback(provider.remove_metric_reader, telemetry.metric_reader)
    stack.callback(telemetry.end)


def _bind_nothing(stack: ExitStack) -> None:
    token = context._bound.set({})  # noqa: SLF001 - what an earlier test has bound is not of this one

    def undo() -> None:
        with suppress(ValueError):  # an asynchronous fixture may end in another context
            context._bound.reset(token)  # noqa: SLF001

    stack.callback(undo)


class _Times(LogRecordProcessor):
    """Gives each record the time of the clock, whatever time it came with."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        now = self._clock()
        log_record.log_record.timestamp = log_record.log_record.observed_timestamp = now

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - there is nothing to wait for
        return True


class _Libraries:
    """Instruments the installed libraries once, where `capture` wants it, or a `configure()` in its block."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._done = configuration.instruments()

    def instrument(self, settings: Settings) -> None:
        if self._done or not settings.instrument or settings.disabled:
            return
        self._done = True
        from glasshouse import instrumentors  # noqa: PLC0415 - slow, and seldom wanted

        with providers.standard_environment(settings):
            _OpenTelemetrySemanticConventionStability._initialize()  # type: ignore[no-untyped-call]  # noqa: SLF001
            self._stack.callback(instrumentors.install(settings))


@contextmanager
def _replaced(of: object, name: str, value: Any) -> Iterator[None]:
    missing = object()
    before = vars(of).get(name, missing)
    setattr(of, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(of, name)
        else:
            setattr(of, name, before)
