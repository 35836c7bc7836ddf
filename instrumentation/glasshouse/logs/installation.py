"""Logs, set up as the settings say."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import wrapt
from opentelemetry._logs import get_logger_provider

from glasshouse.failures import contained
from glasshouse.logs.capture import Capture, Outputs
from glasshouse.logs.console import Console
from glasshouse.logs.export import Export
from glasshouse.logs.levels import Levels
from glasshouse.logs.log_file import LogFile
from glasshouse.logs.render import Render, json_lines, pretty, service
from glasshouse.settings import Settings, SettingsError

Undo = Callable[[], None]


class Installed:
    """Logs, as they are set up. A call ends all of it.

    The export ends earlier, with the provider, while the console and the file still tell how delivery ended.
    """

    def __init__(self, export: Export | None, undos: list[Undo]) -> None:
        self._export = export
        self._undos = undos

    def end_export(self) -> None:
        """Export nothing from now on; what is logged is still shown."""
        if self._export is not None:
            self._export.end()

    def __call__(self) -> None:
        """End all of it."""
        while self._undos:
            self._undos.pop()()


def install(settings: Settings) -> Installed:
    """Start to export and show what is logged; return what ends that. SettingsError for a log file."""
    of_service = service(_resource(settings))
    file = _file(settings, of_service)  # first, as it is what may refuse
    outputs = Outputs(_export(settings), _console(settings, of_service), file)
    levels = Levels(settings.log_level, settings.log_levels)
    undos: list[Undo] = [levels.undo]
    if outputs.console is not None:
        undos.append(outputs.console.end)
    if outputs.file is not None:
        undos.append(outputs.file[0].close)
    undos.append(Capture(levels, outputs).install())
    if outputs.export is not None and settings.capture_logging:
        undos.append(_capture_structlog(outputs.export, levels))
    if correlation := _correlate():
        undos.append(correlation)
    return Installed(outputs.export, undos)


def _resource(settings: Settings) -> Mapping[str, Any]:
    named = {
        "service.name": settings.service_name,
        "deployment.environment.name": settings.environment,
        "service.version": settings.release,
    }
    resource = getattr(get_logger_provider(), "resource", None)
    of_provider = dict(resource.attributes) if resource is not None else {}
    return of_provider | {name: value for name, value in named.items() if value}


def _export(settings: Settings) -> Export | None:
    if settings.disabled:
        return None
    switched_off = os.environ.get("OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION", "").strip().lower() == "false"
    return Export(get_logger_provider(), own_only=switched_off or not settings.capture_logging)


def _console(settings: Settings, of_service: Mapping[str, str]) -> Console | None:
    wanted = settings.log_format
    if wanted == "off":
        return None
    terminal = sys.stderr is not None and sys.stderr.isatty()
    for_people = wanted == "pretty" or (wanted == "auto" and terminal)
    colors = terminal and not os.environ.get("NO_COLOR")
    render = pretty(of_service, colors=colors) if for_people else json_lines(of_service)
    return Console(render, whole=wanted != "auto")


def _file(settings: Settings, of_service: Mapping[str, str]) -> tuple[LogFile, Render] | None:
    if settings.log_file is None:
        return None
    try:
        log_file = LogFile(settings.log_file, settings.log_file_bytes, settings.log_file_count)
    except OSError as wrong:
        raise SettingsError(
            f"log_file: {settings.log_file} cannot be written: {wrong.strerror or wrong}"
        ) from wrong
    return log_file, json_lines(of_service)


def _capture_structlog(export: Export, levels: Levels) -> Undo:
    """Capture structlog when the application imports it, if it ever does."""
    undos: list[Undo] = []
    ended = False

    def begin(_module: object) -> None:
        if not ended:
            with contained("capturing structlog"):
                from glasshouse.logs.structlog_events import StructlogEvents  # noqa: PLC0415 - see above

                undos.append(StructlogEvents(export, levels).install())

    def undo() -> None:
        nonlocal ended
        ended = True
        for each in undos:
            each()

    wrapt.register_post_import_hook(begin, "structlog")
    return undo


def _correlate() -> Undo | None:
    """Put `otelTraceID` and the like on records for formats that name them, where a variable asks for it."""
    if os.environ.get("OTEL_PYTHON_LOG_CORRELATION", "").strip().lower() != "true":
        return None
    from opentelemetry.instrumentation.logging import LoggingInstrumentor  # noqa: PLC0415 - seldom wanted

    instrumentor = LoggingInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        return None
    instrumentor.instrument(enable_log_auto_instrumentation=False)

    def undo() -> None:
        instrumentor.uninstrument()

    return undo
