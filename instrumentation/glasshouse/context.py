"""What is bound to the running request, job or task: it reaches its spans, log records and errors."""

from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.util.types import AttributeValue

from glasshouse.attributes import attribute_name, attribute_value, text
from glasshouse.failures import contained

Values = Mapping[str, AttributeValue]

_MOST_VALUES = 32
_LONGEST_TEXT = 1024
_MOST_TRACES = 8
_NO_TRACE = 0
_NOTHING: Values = MappingProxyType({})

# By trace id. A worker thread serves one request after the other in one context, so what a request has
# bound is looked up under its trace, and another request never sees it.
_bound: ContextVar[Mapping[int, Values]] = ContextVar("glasshouse_bound", default=MappingProxyType({}))


class Binding:
    """What one `bind` has added; as a context manager it takes that back at the end of the block."""

    def __init__(self) -> None:
        self._token: Token[Mapping[int, Values]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            try:
                _bound.reset(token)
            except ValueError:
                # It ends in another context than it began in, as a generator may: nothing to undo here.
                return

    def _add(self, values: Mapping[str, object]) -> None:
        trace_id = _trace_id()
        by_trace = _bound.get()
        together = dict(_of(by_trace, trace_id))
        named = {attribute_name(text(name, _LONGEST_TEXT)): value for name, value in values.items()}
        left_out = [name for name, value in named.items() if not _put(together, name, value)]
        changed = {key: kept for key, kept in by_trace.items() if key != trace_id}
        changed[trace_id] = MappingProxyType(together)
        while len(changed) > _MOST_TRACES:
            del changed[next(key for key in changed if key != _NO_TRACE)]
        self._token = _bound.set(changed)
        trace.get_current_span().set_attributes({name: together[name] for name in named if name in together})
        if left_out:
            raise ValueError(f"at most {_MOST_VALUES} values can be bound: {', '.join(left_out)} left out")


def bind(**values: object) -> Binding:
    """Add values to what is bound: for good, or as a context manager for one block.

    A trailing `_id` becomes `.id` (`user.id`, `workspace.id`). The current span gets them at once, each span
    started and each record logged from then on has them too. None removes a value. What is bound in a trace
    belongs to that trace; outside of one, to the context: the task, or the thread. At most 32 values, text of
    up to 1,024 characters; what is more is left out, and said in the log. Never raises.
    """
    binding = Binding()
    with contained("bind"):
        binding._add(values)  # noqa: SLF001 - the one place that fills it
    return binding


def bound() -> Values:
    """Return what is bound here, by attribute name."""
    by_trace = _bound.get()
    if not by_trace:
        return _NOTHING
    return _of(by_trace, _trace_id())


def span_processors() -> list[SpanProcessor]:
    """Return what puts the bound values on each span that starts."""
    return [_SpanStamp()]


def log_record_processors() -> list[LogRecordProcessor]:
    """Return what puts the bound values on each log record."""
    return [_LogRecordStamp()]


class _SpanStamp(SpanProcessor):
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        by_trace = _bound.get()
        if not by_trace:
            return
        try:
            self._stamp(span, by_trace)
        except Exception:
            # Entering `contained` only on failure keeps its cost from every span.
            with contained("stamping a span"):
                raise

    def _stamp(self, span: Span, by_trace: Mapping[int, Values]) -> None:
        own = span.get_span_context()
        parent = span.parent
        if (
            (parent is None or parent.is_remote)
            and _trace_id() == _NO_TRACE
            and by_trace.keys() - {_NO_TRACE}
        ):
            # The first span of a request or job: what earlier ones have bound in this thread is over.
            by_trace = {key: kept for key, kept in by_trace.items() if key == _NO_TRACE}
            _bound.set(by_trace)
        if values := _of(by_trace, own.trace_id if own else _NO_TRACE):
            given = set(span.attributes or ())  # asked name by name, it would raise KeyError for each
            span.set_attributes({name: value for name, value in values.items() if name not in given})


class _LogRecordStamp(LogRecordProcessor):
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        values = bound()
        if not values or getattr(log_record, "glasshouse_stamped", False):
            return
        with contained("stamping a log record"):
            attributes = log_record.log_record.attributes
            if not isinstance(attributes, MutableMapping):
                attributes = log_record.log_record.attributes = dict(attributes or {})
            for name, value in values.items():
                if name not in attributes:
                    attributes[name] = value

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - there is nothing to wait for
        return True


def _trace_id() -> int:
    here = trace.get_current_span().get_span_context()
    # A remote one is only where a request came from: no work of this process is under way in it yet.
    return _NO_TRACE if here.is_remote else here.trace_id


def _of(by_trace: Mapping[int, Values], trace_id: int) -> Values:
    values = by_trace.get(trace_id)
    return by_trace.get(_NO_TRACE, _NOTHING) if values is None else values


def _put(together: dict[str, AttributeValue], name: str, value: object) -> bool:
    if value is None:
        together.pop(name, None)
        return True
    if name not in together and len(together) >= _MOST_VALUES:
        return False
    converted = attribute_value(value)
    together[name] = converted[:_LONGEST_TEXT] if isinstance(converted, str) else converted
    return True
