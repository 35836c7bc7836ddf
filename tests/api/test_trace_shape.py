"""The shape of a trace, held against a slow reading of it nanosecond by nanosecond."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from glasshouse_collector.api.traces.shape import Segment, TimedSpan, shape_of


def span(span_id: str, parent: str | None, start: int, end: int) -> TimedSpan:
    """Return a span."""
    return TimedSpan(span_id, parent, start, end)


def test_a_call_in_sequence() -> None:
    """The path goes through both callees and through the root between them."""
    below = [span("a", "r", 10, 40), span("b", "r", 50, 90), span("c", "b", 60, 80)]
    shape = shape_of([span("r", None, 0, 100), *below])
    assert shape.depths == [0, 1, 1, 2]
    assert shape.self_times == [30, 30, 20, 20]
    assert shape.critical_path == [
        Segment(0, 0, 10),
        Segment(1, 10, 40),
        Segment(0, 40, 50),
        Segment(2, 50, 60),
        Segment(3, 60, 80),
        Segment(2, 80, 90),
        Segment(0, 90, 100),
    ]


def test_calls_side_by_side() -> None:
    """The root waits for the one that ends last; the others cost it nothing."""
    shape = shape_of([span("r", None, 0, 100), span("fast", "r", 10, 30), span("slow", "r", 10, 95)])
    assert shape.self_times == [15, 20, 85]
    assert shape.critical_path == [Segment(0, 0, 10), Segment(2, 10, 95), Segment(0, 95, 100)]


def test_a_child_that_outlives_its_parent() -> None:
    """Its time beyond the parent's end is nobody's wait."""
    shape = shape_of([span("r", None, 0, 50), span("later", "r", 40, 500)])
    assert shape.self_times == [40, 460]
    assert shape.critical_path == [Segment(0, 0, 40), Segment(1, 40, 50)]


def test_damaged_traces_have_a_shape() -> None:
    """A parent that never arrived, a circle, an id that comes twice, an empty trace, a span of no time."""
    assert shape_of([]).critical_path == []
    lost = shape_of([span("a", "never", 0, 10), span("b", "a", 2, 4)])
    assert lost.depths == [0, 1]
    circle = shape_of([span("a", "b", 0, 10), span("b", "a", 0, 10), span("self", "self", 0, 1)])
    assert sorted(circle.depths) == [0, 0, 1]
    twice = shape_of([span("a", None, 0, 10), span("a", None, 0, 20), span("b", "a", 1, 2)])
    assert twice.depths == [0, 0, 1]
    assert twice.self_times == [9, 20, 1]
    assert shape_of([span("a", None, 5, 5)]).critical_path == []


def test_a_chain_of_ten_thousand() -> None:
    """No depth is too deep."""
    count = 10_000
    chain = [span(str(it), str(it - 1) if it else None, it, 2 * count - it) for it in range(count)]
    shape = shape_of(chain)
    assert shape.depths == list(range(count))
    assert sum(it.end - it.start for it in shape.critical_path) == 2 * count


_IDS = st.sampled_from("abcdefgh")
_SPANS = st.lists(
    st.builds(
        lambda span_id, parent, start, length: TimedSpan(span_id, parent, start, start + length),
        _IDS, st.none() | _IDS, st.integers(0, 30), st.integers(0, 30),
    ),
    max_size=12,
)  # fmt: skip


@given(_SPANS)
def test_no_time_is_lost_and_none_counts_twice(spans: list[TimedSpan]) -> None:
    """Whatever the trace: self times by their definition, and a path that covers the root without a gap."""
    shape = shape_of(spans)
    for place, here in enumerate(spans):
        under = [
            other for number, other in enumerate(spans)
            if number != place and _is_child(spans, shape.depths, number, place)
        ]  # fmt: skip
        alone = [
            moment for moment in range(here.start, here.end)
            if not any(other.start <= moment < other.end for other in under)
        ]  # fmt: skip
        assert shape.self_times[place] == len(alone)
    if shape.critical_path:
        path = shape.critical_path
        assert all(before.end == after.start for before, after in pairwise(path))
        assert all(spans[it.span].start <= it.start < it.end <= spans[it.span].end for it in path)
        roots = [it for it, depth in zip(spans, shape.depths, strict=True) if depth == 0]
        assert path[-1].end - path[0].start == max(it.end - it.start for it in roots)


def _is_child(spans: list[TimedSpan], depths: list[int], child: int, parent: int) -> bool:
    """Whether a span is under another: by its id, the first of that id, and not where a circle was cut."""
    first = next(number for number, it in enumerate(spans) if it.span_id == spans[parent].span_id)
    named = spans[child].parent_span_id == spans[parent].span_id and first == parent
    return named and depths[child] == depths[parent] + 1
