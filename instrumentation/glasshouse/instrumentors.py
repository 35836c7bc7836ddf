"""The instrumentations that are installed, loaded; web frameworks in a way that needs no order of imports."""

import logging
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

import wrapt
from opentelemetry.instrumentation.auto_instrumentation._load import _load_instrumentors
from opentelemetry.instrumentation.dependencies import DependencyConflictError

from glasshouse import engines
from glasshouse.failures import contained
from glasshouse.settings import Settings

Undo = Callable[[], None]

log = logging.getLogger("glasshouse")

# Their work is done by glasshouse.logs and glasshouse.hooks: each record, each error would come twice.
OURS = frozenset({"logging", "structlog", "exceptions"})


class _Framework(NamedTuple):
    """Where an application object of a web framework comes to life, and how it is instrumented there.

    The official instrumentors put another class in place of the framework's: an application that imported
    the class before is not instrumented. They also need Django's settings before Django has them.
    """

    module: str
    method: str
    instrument: Callable[[Any], None]


def _fastapi(app: Any) -> None:
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415 - of an extra

    # One span a request: those of each ASGI message say nothing more, and cost as much.
    FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])


def _starlette(app: Any) -> None:
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor  # noqa: PLC0415 - of an extra

    StarletteInstrumentor.instrument_app(app)


def _flask(app: Any) -> None:
    from opentelemetry.instrumentation.flask import FlaskInstrumentor  # noqa: PLC0415 - of an extra

    FlaskInstrumentor.instrument_app(app)  # type: ignore[no-untyped-call]


def _django(_handler: Any) -> None:
    from opentelemetry.instrumentation.django import DjangoInstrumentor  # noqa: PLC0415 - of an extra

    instrumentor = DjangoInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True)


_FRAMEWORKS = {
    "fastapi": _Framework("fastapi.applications", "FastAPI.build_middleware_stack", _fastapi),
    "starlette": _Framework("starlette.applications", "Starlette.build_middleware_stack", _starlette),
    "flask": _Framework("flask.app", "Flask.__call__", _flask),
    "django": _Framework("django.core.handlers.base", "BaseHandler.load_middleware", _django),
}

_waiting: set[str] = set()
_active: set[str] = set()
_loaded: list[Any] = []


def install(_settings: Settings) -> Undo:
    """Instrument each library whose instrumentation is installed, but those that a variable turns off."""
    from glasshouse.distro import GlasshouseDistro  # noqa: PLC0415 - it imports this module

    _load_instrumentors(GlasshouseDistro())  # type: ignore[no-untyped-call]
    return uninstall


def load(entry_point: EntryPoint, **options: Any) -> None:
    """Load one instrumentation; a failure in it leaves the others, and the application, as they are."""
    if entry_point.name in OURS:
        return
    if entry_point.name in _FRAMEWORKS:
        _instrument_when_used(entry_point.name)
        return
    with contained(f"instrumenting {entry_point.name}"):
        try:
            with warnings.catch_warnings():
                # How an instrumentation uses its library is not for the application to mend.
                warnings.simplefilter("ignore", DeprecationWarning)
                instrumentor = entry_point.load()()
                if instrumentor.is_instrumented_by_opentelemetry:
                    return
                instrumentor.instrument(**options)
            _loaded.append(instrumentor)
            if entry_point.name == "sqlalchemy" and instrumentor.is_instrumented_by_opentelemetry:
                engines.trace_when_used()
        except (ImportError, DependencyConflictError) as absent:
            log.debug("not instrumenting %s: %s", entry_point.name, absent)


def uninstall() -> None:
    """Undo what `load` did; applications that were instrumented stay so."""
    _active.clear()
    engines.stop()
    while _loaded:
        with contained("ending an instrumentation"):
            _loaded.pop().uninstrument()


def _instrument_when_used(name: str) -> None:
    _active.add(name)
    if name in _waiting:
        return
    _waiting.add(name)
    framework = _FRAMEWORKS[name]

    def patch(module: Any) -> None:
        with contained(f"instrumenting {name}"):
            wrapt.wrap_function_wrapper(module, framework.method, _instrumenting(name, framework))

    wrapt.register_post_import_hook(patch, framework.module)


def _instrumenting(name: str, framework: _Framework) -> Callable[..., Any]:
    attribute = framework.method.rpartition(".")[2]

    def call(wrapped: Callable[..., Any], app: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name not in _active or getattr(app, "_is_instrumented_by_opentelemetry", False):
            return wrapped(*args, **kwargs)
        with contained(f"instrumenting {name}"):
            framework.instrument(app)
        # Where the instrumentation has put a method of its own on the object, it calls the wrapped one.
        own = vars(app).get(attribute)
        return (own or wrapped)(*args, **kwargs)

    return call
