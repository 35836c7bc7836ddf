"""SQLAlchemy's engines, traced whenever they were made.

The official instrumentor puts another `create_engine` in place of SQLAlchemy's: what an application makes
with the one that it imported before would be connected to, but never be seen to execute anything.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import wrapt

from glasshouse.failures import contained

_SCOPE = "opentelemetry.instrumentation.sqlalchemy"

_known: WeakSet[Any] = WeakSet()
_patched = False
_active = False


def trace_when_used() -> None:
    """Trace each engine from its next connection on, unless the instrumentor, now active, does already."""
    global _patched, _active  # noqa: PLW0603 - of the process, as SQLAlchemy's class is
    _known.clear()
    _active = True
    if not _patched:
        _patched = True
        wrapt.wrap_function_wrapper("sqlalchemy.engine.base", "Connection.__init__", _connect)


def stop() -> None:
    """Trace no more engines; the instrumentor, when it ends, ends the tracing of those it has."""
    global _active  # noqa: PLW0603
    _active = False


def _connect(wrapped: Callable[..., Any], _self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if _active:
        with contained("instrumenting an engine of sqlalchemy"):
            engine = args[0] if args else kwargs["engine"]
            if engine not in _known:
                _known.add(engine)
                _trace(engine)
    return wrapped(*args, **kwargs)


def _trace(engine: Any) -> None:
    from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer  # noqa: PLC0415 - of an extra
    from opentelemetry.instrumentation.sqlalchemy.version import __version__  # noqa: PLC0415
    from opentelemetry.metrics import get_meter  # noqa: PLC0415
    from opentelemetry.semconv.metrics import MetricInstruments  # noqa: PLC0415
    from opentelemetry.trace import get_tracer  # noqa: PLC0415

    # One with options of its own passes the events of the engine that it was made of.
    while (proxied := getattr(engine, "_proxied", None)) is not None:
        engine = proxied
    traced = (reference() for reference, *_ in [*EngineTracer._remove_event_listener_params])  # noqa: SLF001
    if any(each is engine for each in traced):
        return
    usage = get_meter(_SCOPE, __version__).create_up_down_counter(
        MetricInstruments.DB_CLIENT_CONNECTIONS_USAGE,
        unit="connections",
        description="The number of connections that are currently in state described by the state attribute.",
    )
    EngineTracer(get_tracer(_SCOPE, __version__), engine, usage)  # type: ignore[no-untyped-call]
