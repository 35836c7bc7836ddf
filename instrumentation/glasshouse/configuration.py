"""`configure`, `flush` and `shutdown`: the parts of the SDK, installed in order and undone in reverse."""

import logging
import threading
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Unpack

from glasshouse import process_end, providers
from glasshouse.bounded import bounded
from glasshouse.failures import contained
from glasshouse.settings import Arguments, Settings, SettingsError, load

Undo = Callable[[], None]

log = logging.getLogger("glasshouse")


class _Configured:
    """What one `configure` has set up."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.undos: list[tuple[str, Undo]] = []


_lock = threading.RLock()
_configured: _Configured | None = None


def configure(service_name: str | None = None, **settings: Unpack[Arguments]) -> None:
    """Set up telemetry for this process; call it once, at the start.

    Every setting can come from a variable instead (`glasshouse config` shows all); an argument beats it.
    SettingsError where one is wrong. Nothing else is raised, now or later: what fails in telemetry is
    logged by the logger `glasshouse`. A second call changes nothing, and is logged.
    """
    _start(load({"service_name": service_name, **settings}), auto_version=None)


def configure_automatically(auto_version: str) -> None:
    """Set up telemetry from the variables alone; the caller loads the instrumentations."""
    _start(load({}), auto_version)


def flush(timeout: float = 10.0) -> bool:
    """Send what is waiting, at most `timeout` seconds long; whether all of it is away.

    What could not be sent in time stays where it was, to be sent later.
    """
    if _configured is None:
        return True
    deadline = time.monotonic() + timeout
    results: list[bool] = []
    returned = bounded("flush", lambda: results.append(providers.flush(int(timeout * 1000))), timeout)
    with contained("flush"):
        left = max(0.0, deadline - time.monotonic())
        results.append(_part("delivery").flush(left))
    return returned and all(results)


def shutdown(timeout: float | None = None) -> None:
    """Send what is waiting and undo what `configure` did; at most `timeout` seconds long.

    It is called by itself when the process ends, with the setting `shutdown_seconds`; what is not sent
    by then is in the spool. May be called twice, or without `configure`.
    """
    global _configured
    with _lock:
        configured, _configured = _configured, None
    if configured is None:
        return
    seconds = configured.settings.shutdown_seconds if timeout is None else timeout
    deadline = time.monotonic() + seconds
    for doing, undo in reversed(configured.undos):
        bounded(doing, undo, max(0.0, deadline - time.monotonic()))


def instruments() -> bool:
    """Whether libraries are to be instrumented: telemetry is on, and the settings want it."""
    return _configured is not None and _configured.settings.instrument and not _configured.settings.disabled


def _start(settings: Settings, auto_version: str | None) -> None:
    global _configured  # noqa: PLW0603 - there is one configuration in a process
    with _lock:
        if _configured is not None:
            if settings != _configured.settings:
                log.warning("telemetry is configured already: this configure() changes nothing")
            return
        configured = _Configured(settings)
        try:
            _install(configured, auto_version)
        except SettingsError:
            for _, undo in reversed(configured.undos):
                undo()
            raise
        _configured = configured


def _install(configured: _Configured, auto_version: str | None) -> None:
    settings, undos = configured.settings, configured.undos
    undos.append(("watching for the end of the process", process_end.install(shutdown)))
    if not settings.disabled:
        session = _install_delivery(settings, undos)
        with contained("setting up the OpenTelemetry SDK"), providers.standard_environment(settings):
            undo = providers.install(settings, _processors(settings), session, auto_version)
            undos.append(("shutting down the OpenTelemetry SDK", undo))
    for part in _wanted(settings):
        with contained(f"installing {part}"):
            undos.append((f"ending {part}", _part(part).install(settings)))
    if settings.instrument and not settings.disabled and auto_version is None:
        with contained("instrumenting"), providers.standard_environment(settings):
            undos.append(("ending instrumentations", _part("instrumentors").install(settings)))


def _install_delivery(settings: Settings, undos: list[tuple[str, Undo]]) -> object:
    with contained("installing delivery"):
        delivery = _part("delivery")
        undos.append(("ending delivery", delivery.install(settings)))
        return delivery.session()
    return None


def _processors(settings: Settings) -> providers.Processors:
    spans: list[Any] = []
    log_records: list[Any] = []
    with contained("setting up processors"):
        context = _part("context")
        spans += context.span_processors()
        log_records += context.log_record_processors()
    for part, wanted in {
        "breadcrumbs": settings.breadcrumbs,
        "slow_requests": settings.slow_request_seconds,
    }.items():
        with contained(f"setting up {part}"):
            module = _part(part) if wanted else None
            spans += getattr(module, "span_processors", _none)(settings)
            log_records += getattr(module, "log_record_processors", _none)(settings)
    return providers.Processors(spans, log_records)


def _none(_settings: Settings) -> list[Any]:
    return []


def _wanted(settings: Settings) -> list[str]:
    """Name the parts that these settings ask for, in the order of their installation."""
    if settings.disabled:
        return ["logs"]
    asked = {
        "logs": True,
        "hooks": settings.excepthook,
        "heartbeat": settings.heartbeat_seconds > 0,
        "metrics.prometheus": settings.prometheus,
        "sentry": bool(settings.sentry_dsn),
    }
    return [part for part, wanted in asked.items() if wanted]


def _part(name: str) -> Any:
    if find_spec(f"glasshouse.{name.partition('.')[0]}") is None:  # TEMPORARY
        return _Absent()
    return import_module(f"glasshouse.{name}")


class _Absent:
    def install(self, _settings: Settings) -> Undo:
        return lambda: None

    def session(self) -> None:
        return None

    def span_processors(self, *_: Any) -> list[Any]:
        return []

    def log_record_processors(self, *_: Any) -> list[Any]:
        return []

    def flush(self, _timeout: float) -> bool:
        return True
