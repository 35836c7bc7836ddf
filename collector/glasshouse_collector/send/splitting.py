"""Counts the records of a request, and splits it where it is too large for one."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.send.files import REQUESTS, Request

MOST_BYTES: Final = 3_500_000
"""Of one request; gRPC servers refuse more than 4 MiB unless told otherwise."""

_LEVELS: Final = {
    RequestKind.TRACES: ("resource_spans", "scope_spans", "spans"),
    RequestKind.LOGS: ("resource_logs", "scope_logs", "log_records"),
    RequestKind.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
}


def records_of(kind: RequestKind, request: Request) -> Iterator[Any]:
    """Yield each span, log record or metric."""
    resources, scopes, items = _LEVELS[kind]
    for resource in getattr(request, resources):
        for scope in getattr(resource, scopes):
            yield from getattr(scope, items)


def points_of(metric: Metric) -> Any:
    """Return a metric's data points, of whatever kind they are."""
    which = metric.WhichOneof("data")
    return getattr(metric, which).data_points if which else ()


def count(kind: RequestKind, request: Request) -> int:
    """Return how many spans, log records or data points there are."""
    return sum(_weight(kind, item) for item in records_of(kind, request))


def split(
    kind: RequestKind, request: Request, most_records: int, most_bytes: int = MOST_BYTES
) -> Iterator[tuple[Request, int]]:
    """Yield requests with the same records, each with its count, within both limits.

    A single record larger than `most_bytes` is a request of its own.
    """
    total = count(kind, request)
    if not total:
        return
    if total <= most_records and request.ByteSize() <= most_bytes:
        yield request, total
        return
    resources, scopes, items = _LEVELS[kind]
    part = _Part(kind)
    for resource in getattr(request, resources):
        for scope in getattr(resource, scopes):
            shell = _shells(resource, scope)
            for item in _pieces(kind, getattr(scope, items), most_records, most_bytes):
                weight, size = _weight(kind, item), item.ByteSize() + _FRAMING
                if not part.is_empty and not part.has_room(shell, weight, size, most_records, most_bytes):
                    yield part.request, part.records
                    part = _Part(kind)
                part.add(shell, item, weight, size)
    if part.records:
        yield part.request, part.records


_FRAMING: Final = 16
"""Bytes that a record's own tag and length, and its parents' growing lengths, may add."""


class _Part:
    """A request being filled."""

    def __init__(self, kind: RequestKind) -> None:
        self.request = REQUESTS[kind]()
        self.records = 0
        self._bytes = 0
        self._levels = _LEVELS[kind]
        self._shell: tuple[Any, Any, int] | None = None
        self._items: Any = None

    @property
    def is_empty(self) -> bool:
        return self._shell is None

    def has_room(
        self, shell: tuple[Any, Any, int], weight: int, size: int, most_records: int, most_bytes: int
    ) -> bool:
        wrapping = 0 if shell is self._shell else shell[2]
        return self.records + weight <= most_records and self._bytes + size + wrapping <= most_bytes

    def add(self, shell: tuple[Any, Any, int], item: Any, weight: int, size: int) -> None:
        if shell is not self._shell:
            self._open(shell)
        self._items.append(item)
        self.records += weight
        self._bytes += size

    def _open(self, shell: tuple[Any, Any, int]) -> None:
        resource, scope, size = shell
        resources, scopes, items = self._levels
        holder = getattr(self.request, resources).add()
        holder.resource.CopyFrom(resource.resource)
        holder.schema_url = resource.schema_url
        inner = getattr(holder, scopes).add()
        inner.scope.CopyFrom(scope.scope)
        inner.schema_url = scope.schema_url
        self._items = getattr(inner, items)
        self._shell = shell
        self._bytes += size


def _shells(resource: Any, scope: Any) -> tuple[Any, Any, int]:
    """Return what wraps a scope's records, and its bytes."""
    size = resource.resource.ByteSize() + scope.scope.ByteSize()
    return resource, scope, size + len(resource.schema_url) + len(scope.schema_url) + 2 * _FRAMING


def _weight(kind: RequestKind, item: Any) -> int:
    return len(points_of(item)) if kind is RequestKind.METRICS else 1


def _pieces(kind: RequestKind, items: Iterable[Any], most_records: int, most_bytes: int) -> Iterator[Any]:
    """Yield the items, a metric with too many data points in several."""
    for item in items:
        if kind is RequestKind.METRICS:
            yield from _metric_pieces(item, most_records, most_bytes)
        else:
            yield item


def _metric_pieces(metric: Metric, most_records: int, most_bytes: int) -> Iterator[Metric]:
    points, size = points_of(metric), metric.ByteSize()
    if len(points) <= most_records and size <= most_bytes:
        yield metric
        return
    which = metric.WhichOneof("data")
    step = max(1, min(most_records, len(points) * most_bytes // (2 * size)))
    for first in range(0, len(points), step):
        piece = Metric(name=metric.name, description=metric.description, unit=metric.unit)
        piece.metadata.extend(metric.metadata)
        whole, part = getattr(metric, which or ""), getattr(piece, which or "")
        for setting in ("aggregation_temporality", "is_monotonic"):
            if hasattr(whole, setting):
                setattr(part, setting, getattr(whole, setting))
        part.data_points.extend(points[first : first + step])
        yield piece
