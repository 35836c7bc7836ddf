"""Series: bounded in lines, ended without news, each label set in one place."""

import numpy as np
import pytest

from glasshouse_exporters.prometheus.labels import label_set
from glasshouse_exporters.prometheus.series import Block, ConflictingName, Family, Kind, SeriesTable
from shown_series import Labels, Overflows, TestClock, label_key, page, table_of, values


def _labels(*numbers: int) -> list[bytes]:
    return [label_set((("project", "default"), ("n", str(number)))) for number in numbers]


def _key(**labels: str) -> Labels:
    return label_key({"project": "default", **labels})


def _counter(table: SeriesTable, name: str = "events_total") -> Family:
    return table.family(name, Kind.COUNTER, "Events", 60)


def _add(block: Block, numbers: list[int], increments: list[float]) -> list[int]:
    rows = block.add(_labels(*numbers), ["default"] * len(numbers), np.array(increments)[:, None])
    return [int(row) for row in rows]


def test_a_label_set_is_one_series_however_often_it_comes() -> None:
    """What is added to it is added up, also where one request has it twice."""
    table = table_of()
    with table.lock:
        block = _counter(table).block()
        _add(block, [1, 2, 1], [1.0, 10.0, 100.0])
        _add(block, [2], [5.0])
    assert values(table, "events_total") == {_key(n="1"): 101.0, _key(n="2"): 15.0}


def test_series_stay_right_while_their_arrays_grow() -> None:
    """Many more than the first arrays hold."""
    table = table_of()
    for _ in range(3):
        with table.lock:
            _add(_counter(table).block(), list(range(1000)), [float(n) for n in range(1000)])
    assert values(table, "events_total") == {_key(n=str(n)): 3.0 * n for n in range(1000)}


def test_above_the_limit_one_series_takes_the_rest() -> None:
    """Known label sets go on, new ones are counted together, and how many is told."""
    overflows = Overflows()
    table = table_of(max_lines=20, on_overflow=overflows)
    with table.lock:
        _add(_counter(table).block(), list(range(30)), [1.0] * 30)
        rows = _add(_counter(table).block(), [0, 29], [1.0, 1.0])
    assert rows[0] >= 0
    assert rows[1] == -1
    shown = values(table, "events_total")
    assert shown[_key(n="0")] == 2.0
    assert shown[_key(otel_metric_overflow="true")] == 11.0
    assert len(shown) == 21
    assert overflows.counts == {"events_total": 11}


def test_overflow_series_are_bounded_too() -> None:
    """However many projects send, there is no more than a twentieth above the limit, or 200 lines."""
    table = table_of(max_lines=100)
    with table.lock:
        block = _counter(table).block()
        _add(block, list(range(100)), [1.0] * 100)
        for number in range(250):
            block.add(_labels(1000 + number), [f"project-{number}"], np.ones((1, 1)))
    assert len(values(table, "events_total")) == 300
    assert table.lines == 300


def test_the_limit_holds_over_all_families_in_lines() -> None:
    """A histogram's series takes as many lines as it shows."""
    table = table_of(max_lines=11)
    with table.lock:
        _add(_counter(table).block(), [1], [1.0])
        block = table.family("seconds", Kind.HISTOGRAM, "Time", 60).block((1.0, 2.0))
        rows = block.rows(_labels(1, 2, 3), table.now())
    assert [int(row) >= 0 for row in rows] == [True, True, False]
    assert table.lines == 11
    assert sum(not line.startswith("#") for line in page(table).splitlines()) == 11


def test_an_unknown_familys_name_is_no_label_of_the_overflow() -> None:
    """A sender names families, so names that never had a series are counted together."""
    overflows = Overflows()
    table = table_of(max_lines=20, on_overflow=overflows)
    with table.lock:
        _add(_counter(table).block(), list(range(20)), [1.0] * 20)
        for number in range(5):
            _counter(table, f"other_{number}_total").block().rows(_labels(1), table.now())
    assert overflows.counts == {"other": 5}


def test_a_series_without_news_ends_and_frees_its_room() -> None:
    """What was heard of stays; the room of the others is there for new ones, from zero."""
    clock = TestClock()
    table = table_of(max_lines=20, now=clock)
    with table.lock:
        _add(_counter(table).block(), list(range(20)), [1.0] * 20)
    clock.seconds += 40
    with table.lock:
        _add(_counter(table).block(), [3], [1.0])
    clock.seconds += 40
    assert values(table, "events_total") == {_key(n="3"): 2.0}
    with table.lock:
        rows = _add(_counter(table).block(), [3, 100], [1.0, 1.0])
    assert min(rows) >= 0
    assert values(table, "events_total") == {_key(n="3"): 3.0, _key(n="100"): 1.0}


def test_a_family_without_series_gives_its_name_back() -> None:
    """Another type may have it afterwards, not before."""
    clock = TestClock()
    table = table_of(now=clock)
    with table.lock:
        _add(_counter(table, "things_total").block(), [1], [1.0])
        with pytest.raises(ConflictingName, match="things_total is shown already"):
            table.family("things_total", Kind.GAUGE, "Things", 60)
    clock.seconds += 61
    table.expire()
    assert table.lines == 0
    with table.lock:
        table.family("things_total", Kind.GAUGE, "Things", 60).block().rows(_labels(1), table.now())
    assert "# TYPE things_total gauge" in page(table)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("x", Kind.HISTOGRAM), ("x_bucket", Kind.GAUGE)),
        (("x_count", Kind.GAUGE), ("x", Kind.SUMMARY)),
        (("x_total", Kind.COUNTER), ("x", Kind.GAUGE)),
        (("x", Kind.GAUGE), ("x", Kind.SUMMARY)),
    ],
)
def test_no_two_families_show_a_sample_of_the_same_name(
    first: tuple[str, Kind], second: tuple[str, Kind]
) -> None:
    """Not in either format."""
    table = table_of()
    with table.lock:
        table.family(*first, "First", 60)
        with pytest.raises(ConflictingName):
            table.family(*second, "Second", 60)


def test_reserved_names_are_for_their_family_alone() -> None:
    """What the page has already, nobody takes."""
    table = table_of()
    table.reserve(("process_open_fds", "target"))
    table.reserve(("target_info", "target"), "target_info")
    with table.lock:
        with pytest.raises(ConflictingName):
            table.family("process_open_fds", Kind.GAUGE, "Files", 60)
        with pytest.raises(ConflictingName):
            table.family("target", Kind.GAUGE, "Aim", 60)
        table.family("target_info", Kind.INFO, "Target metadata", 60)


def test_a_label_set_is_in_one_layout_only() -> None:
    """Asked for with other bounds, the series of the old ones ends."""
    table = table_of()
    with table.lock:
        family = table.family("seconds", Kind.HISTOGRAM, "Time", 60)
        family.block((1.0,)).add(_labels(1, 2), ["default"] * 2, np.ones((2, 3)))
        family.block((1.0, 2.0)).add(_labels(1), ["default"], np.ones((1, 4)))
    assert values(table, "seconds_count") == {_key(n="1"): 3.0, _key(n="2"): 2.0}
    assert table.lines == 4 + 5


def test_an_ended_series_begins_at_zero() -> None:
    """Its numbers and its exemplars are gone."""
    table = table_of()
    with table.lock:
        family = _counter(table)
        _add(family.block(), [1], [7.0])
        family.block().latest[0] = 5
        family.end(_labels(1)[0])
        rows = family.block().rows(_labels(1), table.now())
        assert family.block().latest[rows[0]] == 0
    assert values(table, "events_total") == {_key(n="1"): 0.0}
