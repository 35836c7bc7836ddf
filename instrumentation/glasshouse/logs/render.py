"""One entry as one line: JSON for machines, or coloured for people."""

import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from glasshouse.context import bound
from glasshouse.logs.entry import Entry

Render = Callable[[logging.LogRecord, Entry], str]

# The names that a line has for these, from the attributes of the resource.
_SERVICE = {
    "service.name": "service",
    "deployment.environment.name": "environment",
    "service.version": "version",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def service(resource: Mapping[str, Any]) -> dict[str, str]:
    """Return what each line says of the process: service, environment and version, where they are known."""
    return {key: str(resource[name]) for name, key in _SERVICE.items() if resource.get(name)}


def json_lines(of_service: Mapping[str, str]) -> Render:
    """Return what makes an entry one JSON object on one line.

    It has `time` (UTC, ISO 8601), `level`, `logger`, `message`, `trace_id` and `span_id`, the service, and
    then what is bound and the fields, under the names of their attributes; a field that is called as one of
    the first has a `_` after its name.
    """

    def render(record: logging.LogRecord, entry: Entry) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": entry.message,
            **of_service,
            **_trace(),
        }
        for name, value in {**bound(), **entry.error, **entry.fields}.items():
            line[f"{name}_" if name in line else name] = value
        try:
            return json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except ValueError:
            finite = {name: _finite(value) for name, value in line.items()}
            return json.dumps(finite, ensure_ascii=False, separators=(",", ":"))

    return render


def pretty(of_service: Mapping[str, str], *, colors: bool) -> Render:
    """Return what makes an entry a line for people, by structlog's console renderer, with its stack below."""
    from structlog.dev import ConsoleRenderer, plain_traceback  # noqa: PLC0415 - slow to import

    console = ConsoleRenderer(
        colors=colors, sort_keys=False, exception_formatter=plain_traceback, timestamp_key="time"
    )

    def render(record: logging.LogRecord, entry: Entry) -> str:
        error = dict(entry.error)
        stacks = {
            "exception": error.pop("exception.stacktrace", None),
            "stack": error.pop("code.stacktrace", None),
        }
        fields = {**entry.fields, **bound(), **_trace(), **of_service}
        event = {
            **{_safe(name): _safe(value) for name, value in fields.items()},
            **{name: _safe(stack) for name, stack in stacks.items() if stack},
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _safe(entry.message),
        }
        return str(console(None, "", event))

    return render


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
    return at.replace("+00:00", "Z")


def _trace() -> dict[str, str]:
    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(here.trace_id),
        "span_id": trace.format_span_id(here.span_id),
    }


def _safe(value: AttributeValue) -> Any:
    # What a terminal would obey: a logged text must not move its cursor or set its title.
    if isinstance(value, str):
        return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", value)
    return value


def _finite(value: AttributeValue) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
