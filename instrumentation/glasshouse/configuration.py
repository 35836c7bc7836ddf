"""`configure`, `flush` and `shutdown`: the parts of the SDK, installed in order and undone in reverse."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from importlib import import_module
from typing import Any, Unpack

from glasshouse import process_end, providers
from glasshouse.bounded import bounded
from glasshouse.failures import contained
from glasshouse.settings import Arguments, Settings, SettingsError, load

Undo = Callable[[], None]

log = logging.getLogger("glasshouse")

ENDING_DELIVERY = "ending delivery"


class _Configured:
    """What one `configure` has set up."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.undos: list[tuple[str, Undo]] = []
        self.stop_watching: Undo = lambda: None


_lock = threading.RLock()
_configured: _Configured | None = None
_stand_in: Callable[[Settings], None] | None = None


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
    if _stand_in is not None or _configured is None or _configured.settings.disabled:
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
    if _stand_in is not None:
        return
    with _lock:
        configured, _configured = _configured, None
    if configured is None:
        return
    seconds = configured.settings.shutdown_seconds if timeout is None else timeout
    deadline = time.monotonic() + seconds
    configured.stop_watching()
    with ExitStack() as undoing:  # in reverse, each of them, whatever another raises
        for doing, undo in configured.undos:
            undoing.callback(_undo_until, deadline, doing, undo)


def _undo_until(deadline: float, doing: str, undo: Undo) -> None:
    # Delivery has a second whatever the others took: what is in memory is on disk within milliseconds.
    least = 1.0 if doing == ENDING_DELIVERY else 0.0
    bounded(doing, undo, max(least, deadline - time.monotonic()))


def instruments() -> bool:
    """Whether libraries are to be instrumented: telemetry is on, and the settings want it."""
    return _configured is not None and _configured.settings.instrument and not _configured.settings.disabled


def is_configured() -> bool:
    """Whether `configure` has set up telemetry."""
    return _configured is not None


def stand_in(configured: Callable[[Settings], None]) -> Undo:
    """Have `configure` call this alone until the undo, and `flush` and `shutdown` nothing; for tests."""
    global _stand_in  # noqa: PLW0603 - of the one configuration
    _stand_in = configured

    def undo() -> None:
        global _stand_in  # noqa: PLW0603
        _stand_in = None

    return undo


def _start(settings: Settings, auto_version: str | None) -> None:
    global _configured  # noqa: PLW0603 - there is one configuration in a process
    if _stand_in is not None:
        _stand_in(settings)
        return
    with _lock:
        if _configured is not None:
            _say_what_stays(settings, _configured.settings)
            return
        _configured = configured = _Configured(settings)
        try:
            _install(configured, auto_version)
        except SettingsError:
            shutdown()
            raise
        # Last, so that at exit it comes before what the SDK has registered there.
        configured.stop_watching = process_end.install(shutdown)


def _say_what_stays(asked: Settings, active: Settings) -> None:
    differing = [
        each.name for each in fields(Settings) if getattr(asked, each.name) != getattr(active, each.name)
    ]
    if differing:
        log.warning(
            "telemetry is configured already, so configure() does not change %s. "
            "Under `glasshouse run`, give settings to it, or by variables",
            ", ".join(differing),
        )


@contextmanager
def _apart(doing: str) -> Iterator[None]:
    # A part that fails is left out, and logged. Only a wrong setting is for the caller to mend.
    wrong: SettingsError | None = None
    with contained(doing):
        try:
            yield
        except SettingsError as mistake:
            wrong = mistake
    if wrong is not None:
        raise wrong


def _install(configured: _Configured, auto_version: str | None) -> None:
    settings, undos = configured.settings, configured.undos
    undos.append(("ending the heartbeat", _stop_heartbeat))
    if not settings.disabled:
        sessions = _install_delivery(settings, undos)
        with _apart("setting up the OpenTelemetry SDK"), providers.standard_environment(settings):
            undo = providers.install(settings, _processors(settings), sessions, auto_version)
            undos.append(("shutting down the OpenTelemetry SDK", undo))
    _install_logs(settings, undos)
    for part in _wanted(settings):
        with _apart(f"installing {part}"):
            undos.append((f"ending {part}", _part(part).install(settings)))
    if settings.instrument and not settings.disabled and auto_version is None:
        with _apart("instrumenting"), providers.standard_environment(settings):
            undos.append(("ending instrumentations", _part("instrumentors").install(settings)))


def _install_delivery(settings: Settings, undos: list[tuple[str, Undo]]) -> providers.Sessions:
    with _apart("installing delivery"):
        delivery = _part("delivery")
        undos.append((ENDING_DELIVERY, delivery.install(settings)))
        # One a signal: each may have certificates of its own, which the exporter sets on the session.
        return {signal: delivery.session(signal) for signal in providers.SIGNALS}
    return {}


def _install_logs(settings: Settings, undos: list[tuple[str, Undo]]) -> None:
    with _apart("installing logs"):
        installed = _part("logs").install(settings)
        # Undone last of all: how delivery ended is shown as all else that is logged.
        undos.insert(0, ("ending logs", installed))
        undos.append(("ending the export of logs", installed.end_export))


def _processors(settings: Settings) -> providers.Processors:
    spans: list[Any] = []
    log_records: list[Any] = []
    with _apart("setting up the context's processors"):
        context = _part("context")
        spans += context.span_processors()
        log_records += context.log_record_processors()
    with _apart("setting up breadcrumbs"):
        log_records += _part("breadcrumbs").log_record_processors(settings)
    with _apart("setting up slow requests"):
        spans += _part("slow_requests").span_processors(settings)
    return providers.Processors(spans, log_records)


def _stop_heartbeat() -> None:
    # The application may have started it by itself.
    if "glasshouse.heartbeat" in sys.modules:
        _part("heartbeat").stop_heartbeat_loop()


def _wanted(settings: Settings) -> list[str]:
    """Name the parts that these settings ask for, in the order of their installation."""
    if settings.disabled:
        return []
    asked = {
        "hooks": settings.excepthook,
        "heartbeat": settings.heartbeat_seconds > 0,
        "metrics": True,
        "metrics.prometheus": settings.prometheus,
        "sentry": bool(settings.sentry_dsn),
    }
    return [part for part, wanted in asked.items() if wanted]


def _part(name: str) -> Any:
    return import_module(f"glasshouse.{name}")
