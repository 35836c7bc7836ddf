"""Matches the spans of two traces by where they stand in the tree.

A place is the path from the root down: service, name, and which one it is of those alike beneath one
parent, in the order of time. Ids and times play no part, for they differ from trace to trace.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from glasshouse_collector.api.traces.shape import Shape, shape_of
from glasshouse_collector.api.traces.span_rows import SpanRow, timed

_ROOT: Final = -1


@dataclass(slots=True)
class Node:
    """A place in the tree, with the span that stands there in either trace, by its number among the rows."""

    parent: "Node | None"
    service: str
    name: str
    occurrence: int
    a: int | None = None
    b: int | None = None
    children: "list[Node]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ShapedTrace:
    """The spans of a trace, in the order of time, and its shape."""

    rows: Sequence[SpanRow]
    shape: Shape

    @classmethod
    def of(cls, rows: Sequence[SpanRow]) -> "ShapedTrace":
        """Return the trace of these spans."""
        return cls(rows, shape_of([timed(row) for row in rows]))


def match_traces(a: ShapedTrace, b: ShapedTrace) -> Iterator[Node]:
    """Yield every place of either trace, a parent before its children."""
    places: dict[tuple[int, str, str, int], Node] = {}
    roots: list[Node] = []
    for place, node in _placed(a, places, roots):
        node.a = place
    for place, node in _placed(b, places, roots):
        node.b = place
    left = roots[::-1]
    while left:
        node = left.pop()
        yield node
        left += node.children[::-1]


def _placed(
    trace: ShapedTrace, places: dict[tuple[int, str, str, int], Node], roots: list[Node]
) -> Iterator[tuple[int, Node]]:
    """Yield each span's number with its place, which is made where the other trace has none."""
    children: dict[int, list[int]] = {}
    for number, under in enumerate(trace.shape.parents):
        children.setdefault(under, []).append(number)
    left: list[tuple[int, Node | None]] = [(_ROOT, None)]
    while left:
        above, parent = left.pop()
        alike: Counter[tuple[str, str]] = Counter()
        for number in children.get(above, ()):
            row = trace.rows[number]
            named = (row["ServiceName"], row["SpanName"])
            alike[named] += 1
            key = (id(parent), *named, alike[named])
            node = places.get(key)
            if node is None:
                node = places[key] = Node(parent, *named, alike[named])
                (roots if parent is None else parent.children).append(node)
            yield number, node
            left.append((number, node))
