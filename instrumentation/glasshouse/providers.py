"""The OpenTelemetry SDK, set up by its own configurator: standard providers, processors and exporters."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import _internal as logs_globals
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability
from opentelemetry.metrics import _internal as metrics_globals
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.util._once import Once
from opentelemetry.util.re import parse_env_headers

from glasshouse._version import __version__
from glasshouse.failures import contained
from glasshouse.settings import Settings, SettingsError, variable_value

log = logging.getLogger("glasshouse")

Sessions = Mapping[str, Any]  # of requests, by signal

SIGNALS: Mapping[str, tuple[str, str]] = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
}
# What the specification, or a light network, wants where nothing else is said. The Python SDK alone would
# send uncompressed gRPC, and its instrumentations would still speak the conventions of before 1.0.
STANDARD: Mapping[str, str] = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
}


class Processors(NamedTuple):
    """What stands before the exporters."""

    spans: Sequence[SpanProcessor] = ()
    log_records: Sequence[LogRecordProcessor] = ()


@contextmanager
def standard_environment(settings: Settings) -> Iterator[None]:
    """Let the SDK and the instrumentations read our defaults where a variable is unset, in this block."""
    wanted = {name: value for name, value in STANDARD.items() if not os.environ.get(name)}
    wanted["OTEL_EXPORTER_OTLP_PROTOCOL"] = settings.protocol
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def install(
    settings: Settings, processors: Processors, sessions: Sessions, auto_version: str | None
) -> Callable[[], None]:
    """Make the global providers, and return what shuts them down; SettingsError where a variable is wrong.

    A signal that has no session is sent by the exporter's own.
    """
    # Read once in a process, so it has to be read while our defaults are in place.
    _OpenTelemetrySemanticConventionStability._initialize()  # type: ignore[no-untyped-call]  # noqa: SLF001
    foreign = _current()
    if foreign:
        log.warning(
            "the application has set %s before glasshouse.configure(): what goes through it is not sent by "
            "Glasshouse. Remove that set-up, or call configure() first",
            ", ".join(type(provider).__name__ for provider in foreign),
        )
    arguments: dict[str, Any] = {
        "auto_instrumentation_version": auto_version,
        "resource_attributes": _resource_attributes(settings),
        "exporter_args_map": _exporter_arguments(settings, sessions),
        "span_processors": processors.spans,
        "log_record_processors": processors.log_records,
    }
    declared = bool(os.environ.get("OTEL_CONFIG_FILE"))
    try:
        _OTelSDKConfigurator()._configure(**({} if declared else arguments))  # type: ignore[no-untyped-call]  # noqa: SLF001
    except RuntimeError as wrong:
        raise SettingsError(_advice(str(wrong))) from wrong
    made = [provider for provider in _current() if provider not in foreign]
    if declared:
        _add(processors, made)
    return lambda: _shutdown(made)


def flush(timeout_millis: int) -> bool:
    """Hand everything that the processors hold to the exporters; False where that took too long."""
    done = True
    for provider in _current():
        with contained("flushing"):
            done = bool(provider.force_flush(timeout_millis)) and done
    return done


def _resource_attributes(settings: Settings) -> dict[str, str]:
    named = {
        "service.name": settings.service_name,
        "deployment.environment.name": settings.environment,
        "service.version": settings.release,
        "telemetry.distro.name": "glasshouse",
        "telemetry.distro.version": __version__,
    }
    return dict(settings.resource_attributes) | {name: value for name, value in named.items() if value}


def _exporter_arguments(settings: Settings, sessions: Sessions) -> dict[type, dict[str, Any]]:
    arguments: dict[type, dict[str, Any]] = {}
    for signal, (module, name) in SIGNALS.items():
        http = import_module(f"opentelemetry.exporter.otlp.proto.http.{module}")
        arguments[getattr(http, name)] = _http_arguments(signal, settings) | (
            {"session": sessions[signal]} if signal in sessions else {}
        )
        protocol = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or settings.protocol
        if protocol.strip() == "grpc":
            try:
                grpc = import_module(f"opentelemetry.exporter.otlp.proto.grpc.{module}")
            except ModuleNotFoundError as missing:
                raise SettingsError(
                    f"OTEL_EXPORTER_OTLP_PROTOCOL: grpc needs {missing.name}. "
                    'Install it with: pip install "glasshouse[otlp-grpc]"'
                ) from missing
            arguments[getattr(grpc, name)] = _grpc_arguments(signal, settings)
    return arguments


def _http_arguments(signal: str, settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    # A variable of one signal is more precise than the endpoint of all, wherever that was said.
    if settings.endpoint and not os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"):
        arguments["endpoint"] = f"{settings.endpoint.rstrip('/')}/v1/{signal}"
    if headers := _headers(signal, settings):
        arguments["headers"] = headers
    return arguments


def _grpc_arguments(signal: str, settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if settings.endpoint and not os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"):
        arguments["endpoint"] = settings.endpoint
    if headers := _headers(signal, settings):
        # This exporter takes the argument instead of the variable, not beside it.
        arguments["headers"] = tuple((_written_headers(signal) | headers).items())
    return arguments


def _headers(signal: str, settings: Settings) -> dict[str, str]:
    if not settings.api_key:
        return {}
    by_variable = settings.api_key == variable_value("GLASSHOUSE_API_KEY", os.environ)
    if by_variable and "authorization" in _written_headers(signal):
        return {}
    return {"authorization": f"Bearer {settings.api_key}"}


def _written_headers(signal: str) -> dict[str, str]:
    written = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS") or os.environ.get(
        "OTEL_EXPORTER_OTLP_HEADERS", ""
    )
    return dict(parse_env_headers(written, liberal=True))


def _advice(wrong: str) -> str:
    if "entry point" in wrong and "exporter" in wrong:
        return f"OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER, OTEL_LOGS_EXPORTER: {wrong}"
    return wrong


def _current() -> list[Any]:
    providers = [trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()]
    return [each for each in providers if isinstance(each, TracerProvider | MeterProvider | LoggerProvider)]


def _add(processors: Processors, made: Sequence[object]) -> None:
    for provider in made:
        if isinstance(provider, TracerProvider):
            for span_processor in processors.spans:
                provider.add_span_processor(span_processor)
        if isinstance(provider, LoggerProvider):
            for log_record_processor in processors.log_records:
                provider.add_log_record_processor(log_record_processor)


def _shutdown(made: Sequence[Any]) -> None:
    for provider in made:
        with contained("shutting down"):
            provider.shutdown()
    _forget(made)


def _forget(made: Sequence[object]) -> None:
    # The API sets a provider once in a process. Without this, configure() after shutdown() would make
    # providers that nobody gets, and spans after shutdown would be made only to be thrown away.
    if trace.get_tracer_provider() in made:
        trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()  # noqa: SLF001
    if _logs.get_logger_provider() in made:
        logs_globals._LOGGER_PROVIDER, logs_globals._LOGGER_PROVIDER_SET_ONCE = None, Once()  # noqa: SLF001
    if metrics.get_meter_provider() in made:
        metrics_globals._METER_PROVIDER, metrics_globals._METER_PROVIDER_SET_ONCE = None, Once()  # noqa: SLF001
