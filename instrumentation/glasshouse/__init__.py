"""What applications import: one package over the OpenTelemetry SDK.

Names are loaded on first use, so that `import glasshouse` costs next to nothing.

PYTEST_DONT_REWRITE: there is no assertion here, and under `glasshouse run -- pytest` this module is there
before pytest, which would warn that it comes too late to rewrite it.
"""

import sys
from types import ModuleType

from glasshouse._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from glasshouse import health, metrics
    from glasshouse.configuration import configure, flush, shutdown
    from glasshouse.context import bind, bound
    from glasshouse.delivery import dead_letters, retry_dead_letters
    from glasshouse.errors import capture_exception
    from glasshouse.heartbeat import heartbeat, start_heartbeat_loop, stop_heartbeat_loop
    from glasshouse.hooks import install_excepthook
    from glasshouse.logs import get_logger
    from glasshouse.metrics import counter, gauge, histogram, up_down_counter
    from glasshouse.settings import Settings, SettingsError
    from glasshouse.tracing import add_span_attributes, span, trace_operation

__all__ = [
    "Settings",
    "SettingsError",
    "__version__",
    "add_span_attributes",
    "bind",
    "bound",
    "capture_exception",
    "configure",
    "counter",
    "dead_letters",
    "flush",
    "gauge",
    "get_logger",
    "health",
    "heartbeat",
    "histogram",
    "install_excepthook",
    "metrics",
    "retry_dead_letters",
    "shutdown",
    "span",
    "start_heartbeat_loop",
    "stop_heartbeat_loop",
    "trace_operation",
    "up_down_counter",
]

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
    "retry_dead_letters": "delivery",
    "shutdown": "configuration",
    "span": "tracing",
    "start_heartbeat_loop": "heartbeat",
    "stop_heartbeat_loop": "heartbeat",
    "trace_operation": "tracing",
    "up_down_counter": "metrics",
}
_MODULES = frozenset({"health", "metrics"})

if not TYPE_CHECKING:  # checkers know the names above, and no other

    def __getattr__(name: str) -> object:
        from importlib import import_module  # noqa: PLC0415 - it costs as much as all the rest here

        if name in _MODULES:
            return import_module(f"glasshouse.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module 'glasshouse' has no attribute {name!r}")
        value = getattr(import_module(f"glasshouse.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """A package whose public names stay what they are when a module of the same name is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
