"""Trees of many traces at once, held against the shape of one trace and against plain loops."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_collector.api.traces.shape import TimedSpan, shape_of
from glasshouse_collector.insights.tree import NONE, Tree, grow


@dataclass(frozen=True)
class Span:
    """A span by number; `parent` is a number too, 0: none, and may be of a span that is not there."""

    number: int
    parent: int
    start: int
    duration: int


def grown(spans: Sequence[Span]) -> Tree:
    """Return the tree of these spans."""
    return grow(
        np.array([span.number for span in spans], np.uint64),
        np.array([span.parent for span in spans], np.uint64),
        np.array([span.start for span in spans], np.int64),
        np.array([span.duration for span in spans], np.int64),
    )


@st.composite
def whole_traces(draw: st.DrawFn) -> list[Span]:
    """Make some traces of one root each; children may run before, beyond and beside their parents.

    No two spans end at the same time, so that it is clear for which one their parent waited last.
    """
    spans: list[Span] = []
    ends = draw(st.lists(st.integers(1, 400), min_size=1, max_size=40, unique=True))
    roots = draw(st.integers(1, min(3, len(ends))))
    for number, end in enumerate(ends, 1):
        parent = 0 if number <= roots else draw(st.integers(1, number - 1))
        duration = draw(st.integers(0, end))
        spans.append(Span(number, parent, end - duration, duration))
    return draw(st.permutations(spans))


@st.composite
def damaged_traces(draw: st.DrawFn) -> list[Span]:
    """Make spans with any parents at all: circles, themselves, some that are not there."""
    count = draw(st.integers(0, 30))
    times = st.tuples(st.integers(0, 20), st.integers(0, 20))
    return [Span(number, draw(st.integers(0, count + 3)), *draw(times)) for number in range(1, count + 1)]


@given(whole_traces())
def test_own_time_is_that_on_the_critical_path(spans: list[Span]) -> None:
    """Of each span, in each trace, as much as the shape of that trace alone tells."""
    tree, numbers = grown(spans), {span.number: row for row, span in enumerate(spans)}
    for root in (row for row, span in enumerate(spans) if not span.parent):
        rows = [row for row in range(len(spans)) if root in _line(spans, numbers, row)]
        shape = shape_of([_timed(spans[row]) for row in rows])
        own: dict[int, int] = defaultdict(int)
        for segment in shape.critical_path:
            own[rows[segment.span]] += segment.end - segment.start
        assert {row: int(tree.own[row]) for row in rows} == {row: own[row] for row in rows}
        assert [int(tree.depth[row]) for row in rows] == shape.depths


@given(st.one_of(whole_traces(), damaged_traces()))
def test_no_time_counts_twice(spans: list[Span]) -> None:
    """What the spans of a trace spent themselves is as long as its root, whatever is wrong with it."""
    tree = grown(spans)
    together: dict[int, int] = defaultdict(int)
    for row, root in enumerate(tree.roots()):
        together[int(root)] += int(tree.own[row])
    assert all(own >= 0 for own in tree.own)
    assert together == {row: spans[row].duration for row in range(len(spans)) if tree.depth[row] == 0}


@given(st.one_of(whole_traces(), damaged_traces()), st.data())
def test_above_and_below(spans: list[Span], data: st.DataObject) -> None:
    """Marks reach ancestors and descendants, and no span has itself above or below it."""
    tree = grown(spans)
    some = st.lists(st.booleans(), min_size=len(spans), max_size=len(spans))
    marked = np.array(data.draw(some), np.bool_)
    strength = np.where(marked, np.arange(1, len(spans) + 1), 0).astype(np.float64)
    ancestors = [_ancestors(tree, row) for row in range(len(spans))]
    below = [[it for it in range(len(spans)) if row in ancestors[it]] for row in range(len(spans))]
    assert tree.above(marked).tolist() == [any(marked[it] for it in above) for above in ancestors]
    assert tree.below(marked).tolist() == [any(marked[it] for it in under) for under in below]
    assert tree.most_below(strength).tolist() == [
        max((strength[it] for it in under), default=0) for under in below
    ]


@given(st.one_of(whole_traces(), damaged_traces()), st.data())
def test_the_top_of_ones_own_group(spans: list[Span], data: st.DataObject) -> None:
    """A span's top is reached through spans of its group alone; of one group, it is the root."""
    tree = grown(spans)
    groups = st.lists(st.integers(0, 2), min_size=len(spans), max_size=len(spans))
    group = np.array(data.draw(groups), np.int32)
    tops = []
    for row in range(len(spans)):
        top = row
        while (above := int(tree.parent[top])) != NONE and group[above] == group[row]:
            top = above
        tops.append(top)
    assert tree.tops(group).tolist() == tops
    assert tree.roots().tolist() == [([row, *_ancestors(tree, row)])[-1] for row in range(len(spans))]


def test_spans_in_a_circle_are_roots() -> None:
    """None of them is an ancestor of another, and each has its own time."""
    tree = grown([Span(1, 2, 0, 10), Span(2, 3, 0, 20), Span(3, 1, 0, 30), Span(4, 4, 0, 5)])
    assert tree.parent.tolist() == [NONE] * 4
    assert tree.own.tolist() == [10, 20, 30, 5]


def test_a_chain_deeper_than_is_followed() -> None:
    """The part beyond is taken for traces of its own, and nothing is lost."""
    tree = grown([Span(number, number - 1, number, 1000 - 2 * number) for number in range(1, 301)])
    assert tree.depth.max() == 200
    assert (tree.depth == 0).sum() == 1 + 300 - 201
    assert tree.own[:200].tolist() == [2] * 200


def test_more_children_than_are_walked() -> None:
    """Of many calls in a row the last thousand are followed; the time of the others is the caller's."""
    calls = [Span(number, 1, 10 * number, 10) for number in range(2, 1302)]
    tree = grown([Span(1, 0, 20, 13000), *calls])
    assert tree.own[0] == 300 * 10
    assert tree.own.sum() == 13000


def _line(spans: Sequence[Span], numbers: dict[int, int], row: int) -> list[int]:
    """Return the row and those of its ancestors."""
    line = [row]
    while spans[line[-1]].parent:
        line.append(numbers[spans[line[-1]].parent])
    return line


def _ancestors(tree: Tree, row: int) -> list[int]:
    found = []
    while (row := int(tree.parent[row])) != NONE:
        found.append(row)
    return found


def _timed(span: Span) -> TimedSpan:
    parent = str(span.parent) if span.parent else None
    return TimedSpan(str(span.number), parent, span.start, span.start + span.duration)
