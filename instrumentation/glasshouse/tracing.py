"""Spans: `span` and `trace_operation`, as block and as decorator, and attributes for the current span."""

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry import trace

from glasshouse._version import __version__
from glasshouse.attributes import attributes as converted
from glasshouse.errors import record_on
from glasshouse.failures import contained, guarded

F = TypeVar("F", bound=Callable[..., Any])

_tracer: tuple[trace.TracerProvider, trace.Tracer] | None = None


def span(name: str, /, **attributes: object) -> "SpanBlock":
    """Trace a block, or every call of a function.

    `with span("checkout", cart_id=7) as current:` gives the OpenTelemetry span; `@span("checkout")` works on
    functions, coroutine functions, generators and async generators, and keeps their signatures. An exception
    that leaves the span makes its status ERROR, and is recorded once: on the innermost span that it left.
    """
    return SpanBlock(name, attributes)


def trace_operation(name: str, /, **attributes: object) -> "SpanBlock":
    """Trace an operation: a span of that name with the attribute `operation`."""
    return SpanBlock(name, {"operation": name, **attributes})


@guarded
def add_span_attributes(given: Mapping[str, object] | None = None, /, **attributes: object) -> None:
    """Set attributes of the current span; without one, nothing happens.

    Names that are no Python names can be given as a mapping: `add_span_attributes({"cart.size": 3})`.
    """
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attributes(converted({**(given or {}), **attributes}))


class SpanBlock:
    """A span about to be: enter it, or decorate a function with it. One block is entered once at a time."""

    __slots__ = ("_attributes", "_name", "_span", "_token")

    def __init__(self, name: str, attributes: Mapping[str, object]) -> None:
        self._name = name
        self._attributes = attributes
        self._span: trace.Span = trace.INVALID_SPAN
        self._token: Any = None

    def __enter__(self) -> trace.Span:
        self._span = _started(self._name, self._attributes)
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None
    ) -> None:
        _detach(self._token)
        _end(self._span, exc)

    async def __aenter__(self) -> trace.Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, traceback)

    def __call__(self, function: F) -> F:
        """Return the function, traced: each call is a span of its own."""
        for matches, traced in _KINDS:
            if matches(function):
                return cast("F", functools.wraps(function)(traced(self._fresh, function)))
        return cast("F", functools.wraps(function)(_traced_function(self._fresh, function)))

    def _fresh(self) -> Self:
        return type(self)(self._name, self._attributes)

    def start(self) -> trace.Span:
        """Start the span without making it the current one."""
        return _started(self._name, self._attributes)


def _traced_function(block: Callable[[], SpanBlock], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return call


def _traced_coroutine(block: Callable[[], SpanBlock], function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with block():
            return await function(*args, **kwargs)

    return call


def _traced_generator(block: Callable[[], SpanBlock], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        body = _Body(block().start())
        try:
            generator = function(*args, **kwargs)
            resume: Callable[[], Any] = functools.partial(next, generator)
            while True:
                with body:
                    try:
                        item = resume()
                    except StopIteration as stop:
                        return stop.value
                try:
                    sent = yield item
                except GeneratorExit:
                    with body:
                        generator.close()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it is the generator's to catch
                    resume = functools.partial(generator.throw, thrown)
                else:
                    resume = functools.partial(generator.send, sent)
        except BaseException as exc:
            body.failed(exc)
            raise
        finally:
            body.end()

    return call


def _traced_async_generator(
    block: Callable[[], SpanBlock], function: Callable[..., Any]
) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        body = _Body(block().start())
        try:
            generator = function(*args, **kwargs)
            resume: Callable[[], Any] = generator.__anext__
            while True:
                with body:
                    try:
                        item = await resume()
                    except StopAsyncIteration:
                        return
                try:
                    sent = yield item
                except GeneratorExit:
                    with body:
                        await generator.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it is the generator's to catch
                    resume = functools.partial(generator.athrow, thrown)
                else:
                    resume = functools.partial(generator.asend, sent)
        except BaseException as exc:
            body.failed(exc)
            raise
        finally:
            body.end()

    return call


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[..., Any]], ...] = (
    (inspect.iscoroutinefunction, _traced_coroutine),
    (inspect.isasyncgenfunction, _traced_async_generator),
    (inspect.isgeneratorfunction, _traced_generator),
)


class _Body:
    """The span of a generator: current while its code runs, never while the code that consumes it does."""

    __slots__ = ("_context", "_exc", "_span", "_token")

    def __init__(self, started: trace.Span) -> None:
        self._span = started
        self._context: otel_context.Context = trace.set_span_in_context(started)
        self._exc: BaseException | None = None
        self._token: Any = None

    def __enter__(self) -> None:
        self._token = otel_context.attach(self._context)

    def __exit__(self, *_: object) -> None:
        # What the code has made current around its `yield`, as an inner span, is so again when it goes on.
        self._context = otel_context.get_current()
        _detach(self._token)

    def failed(self, exc: BaseException) -> None:
        self._exc = exc

    def end(self) -> None:
        exc, self._exc = self._exc, None
        _end(self._span, exc)


def _started(name: str, attributes: Mapping[str, object]) -> trace.Span:
    global _tracer  # noqa: PLW0603 - getting a tracer costs as much as a span
    try:
        provider = trace.get_tracer_provider()
        if _tracer is None or _tracer[0] is not provider:
            _tracer = (provider, provider.get_tracer("glasshouse", __version__))
        return _tracer[1].start_span(name, attributes=converted(attributes) if attributes else None)
    except Exception as failure:  # noqa: BLE001 - whatever it is, the application goes on
        _report("starting a span", failure)
        return trace.INVALID_SPAN


def _end(ended: trace.Span, exc: BaseException | None) -> None:
    try:
        # What is no Exception ends a block, but is no error: a cancelled task, a closed generator, an exit.
        if isinstance(exc, Exception):
            record_on(ended, exc)
        ended.end()
    except Exception as failure:  # noqa: BLE001
        _report("ending a span", failure)


def _detach(token: Any) -> None:
    # The public function logs a traceback where a block is left in another context than it was entered in,
    # as an async generator is that the event loop closes. There is nothing to put back then.
    with contextlib.suppress(ValueError):
        otel_context._RUNTIME_CONTEXT.detach(token)  # noqa: SLF001


def _report(doing: str, failure: Exception) -> None:
    # Entering `contained` only on failure keeps its cost from every span.
    with contained(doing):
        _raise(failure)


def _raise(failure: Exception) -> NoReturn:
    raise failure
