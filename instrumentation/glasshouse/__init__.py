"""What applications import: one package over the OpenTelemetry SDK.

Names are loaded on first use, so that `import glasshouse` costs next to nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from glasshouse._version import __version__

_HOMES = {
    "Settings": "settings",
    "SettingsError": "settings",
    "add_span_attributes": "tracing",
    "bind": "context",
    "bound": "context",
    "capture_exception": "errors",
    "configure": "configuration",
    "counter": "metrics",
    "dead_letters": "delivery",
    "flush": "configuration",
    "gauge": "metrics",
    "get_logger": "logs",
    "heartbeat": "heartbeat",
    "histogram": "metrics",
    "install_excepthook": "hooks",
    "shutdown": "configuration",
    "span": "tracing",
    "start_heartbeat_loop": "heartbeat",
    "trace_operation": "tracing",
}
_SUBMODULES = frozenset({"health", "metrics", "testing"})

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 - the table's keys are strings


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"glasshouse.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'glasshouse' has no attribute {name!r}")
    value = getattr(import_module(f"glasshouse.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_SUBMODULES})


class _Package(ModuleType):
    """A package whose public names stay what they are when a module of the same name is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
