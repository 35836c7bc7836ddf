"""Log records of a time: the same as by their time alone, found by what they are sorted by."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.store import Store, log_times

Rows = Callable[..., pa.RecordBatch]

SECOND = 10**9
FIVE_MINUTES = 300 * SECOND
MORNING = 1_795_000_200 * SECOND  # a multiple of five minutes
SORTED_UNTIL = 2**32 // 300 * 300 * SECOND
LATEST = 2**63 - 1
TIMES = [
    0,
    1,
    MORNING - 1,
    MORNING,
    MORNING + 1,
    MORNING + FIVE_MINUTES - 1,
    MORNING + FIVE_MINUTES,
    SORTED_UNTIL - 1,
    SORTED_UNTIL,
    SORTED_UNTIL + 7 * SECOND,
    SORTED_UNTIL + 40 * 365 * 86_400 * SECOND,
    LATEST,
]
EDGES = [(start, end) for start in (-5, *TIMES) for end in (-5, *TIMES)]


def with_times(rows: pa.RecordBatch, nanoseconds: list[int]) -> pa.RecordBatch:
    """Return the rows, of which each happened at one of these times."""
    column = rows.schema.get_field_index("Timestamp")
    field = rows.schema.field(column)
    times = pa.array(np.array(nanoseconds, np.int64)).cast(field.type)
    return rows.set_column(column, field, times)


@pytest.fixture
def kept(store: Store, rows: Rows) -> Store:
    """Return a store of one log record of each time."""
    store.insert(Signal.LOGS, with_times(rows(Signal.LOGS, len(TIMES), "j-0-1"), TIMES), token="t-1")
    return store


@pytest.mark.parametrize(("until", "after_end"), [("<", 0), ("<=", 1)])
def test_it_holds_for_the_records_of_the_range(
    kept: Store, until: Literal["<", "<="], after_end: int
) -> None:
    """Also before 1970, and after 2106, when the five minutes have begun anew."""
    selected = ", ".join(
        "arraySort(groupArrayIf(toUnixTimestamp64Nano(Timestamp), "
        f"{log_times(str(start), str(end), until=until)})) AS r{number}"
        for number, (start, end) in enumerate(EDGES)
    )
    [found] = kept.query_arrow(f"SELECT {selected} FROM otel_logs").to_pylist()
    for number, (start, end) in enumerate(EDGES):
        expected = [time for time in TIMES if start <= time < end + after_end]
        assert found[f"r{number}"] == expected, (start, end)


def test_records_are_found_by_what_they_are_sorted_by(kept: Store) -> None:
    """The engine concludes it from the condition alone."""
    when = log_times("{start:Int64}", "{end:Int64}")
    asked = {"start": MORNING, "end": MORNING + SECOND}
    plan = kept.query_arrow(f"EXPLAIN indexes = 1 SELECT Body FROM otel_logs WHERE {when}", asked)
    assert "toStartOfFiveMinutes(Timestamp) in [" in "\n".join(plan.column("explain").to_pylist())
    [row] = kept.query_arrow(f"SELECT count() AS n FROM otel_logs WHERE {when}", asked).to_pylist()
    assert row["n"] == 2
