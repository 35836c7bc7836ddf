"""The shape of one trace: which span is under which, where its time went, and what it waited for.

A trace may be damaged: parents that never arrived, ids that come twice, spans that are their own ancestors,
children that outlive their parent. Each span still has its place, and no time counts twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class TimedSpan:
    """What the shape is made of; `start` and `end` in nanoseconds, `end` never before `start`."""

    span_id: str
    parent_span_id: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the critical path that one span spent itself; `span` is its place in the trace."""

    span: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Shape:
    """Of each span, by its place in the sequence that was given."""

    parents: list[int]
    """The place of its parent; -1: a root, or its parent is not there."""
    depths: list[int]
    """How many ancestors it has; 0: a root, or its parent is not there."""
    self_times: list[int]
    """Its duration in nanoseconds without the time in which any of its children ran."""
    critical_path: list[Segment]
    """From the start of the longest root to its end, without a gap, the earliest first."""


def shape_of(spans: Sequence[TimedSpan]) -> Shape:
    """Return the shape of a trace; spans may come in any order."""
    parents = _parents(spans)
    children: list[list[int]] = [[] for _ in spans]
    for place, parent in enumerate(parents):
        if parent != _NONE:
            children[parent].append(place)
    roots = [place for place, parent in enumerate(parents) if parent == _NONE]
    longest = max(roots, key=lambda place: spans[place].end - spans[place].start, default=_NONE)
    return Shape(
        parents=parents,
        depths=_depths(roots, children),
        self_times=[
            _self_time(spans[place], [spans[it] for it in children[place]]) for place in range(len(spans))
        ],
        critical_path=[] if longest == _NONE else _critical_path(spans, children, longest),
    )


def _parents(spans: Sequence[TimedSpan]) -> list[int]:
    """Return each span's parent by place: the first of several with one id, none where that made a circle."""
    places: dict[str, int] = {}
    for place, span in enumerate(spans):
        places.setdefault(span.span_id, place)
    parents = [places.get(span.parent_span_id or "", _NONE) for span in spans]
    settled = [False] * len(spans)
    for first in range(len(spans)):
        way: list[int] = []
        place = first
        while place != _NONE and not settled[place]:
            settled[place] = True
            way.append(place)
            place = parents[place]
        if place in way:
            parents[place] = _NONE
    return parents


def _depths(roots: Sequence[int], children: Sequence[Sequence[int]]) -> list[int]:
    depths = [0] * len(children)
    left = list(roots)
    while left:
        place = left.pop()
        for child in children[place]:
            depths[child] = depths[place] + 1
            left.append(child)
    return depths


def _self_time(span: TimedSpan, children: Sequence[TimedSpan]) -> int:
    taken, reached = 0, span.start
    for child in sorted(children, key=lambda child: child.start):
        start, end = max(child.start, reached), min(child.end, span.end)
        if start < end:
            taken, reached = taken + end - start, end
    return span.end - span.start - taken


class _Walk:
    """One span on the way back through time, from `cursor` to `floor`, and its children yet to see."""

    __slots__ = ("children", "cursor", "floor", "place")

    def __init__(self, place: int, floor: int, cursor: int, children: list[int]) -> None:
        self.place, self.floor, self.cursor, self.children = place, floor, cursor, children


def _critical_path(spans: Sequence[TimedSpan], children: Sequence[Sequence[int]], root: int) -> list[Segment]:
    """Walk back from the root's end: a span waits for the child that ends last, before it for another."""

    def walk(place: int, floor: int, cursor: int) -> _Walk:
        return _Walk(place, floor, cursor, sorted(children[place], key=lambda child: spans[child].end))

    path: list[Segment] = []
    stack = [walk(root, spans[root].start, spans[root].end)]
    while stack:
        here = stack[-1]
        if not here.children:
            if here.floor < here.cursor:
                path.append(Segment(here.place, here.floor, here.cursor))
            stack.pop()
            continue
        child = here.children.pop()
        start, end = max(spans[child].start, here.floor), min(spans[child].end, here.cursor)
        if start >= end:
            continue
        if end < here.cursor:
            path.append(Segment(here.place, end, here.cursor))
        here.cursor = start
        stack.append(walk(child, start, end))
    return path[::-1]
