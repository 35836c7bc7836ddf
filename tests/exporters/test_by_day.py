"""How a batch is split into partitions."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_exporters.clickhouse import by_day

_DAY = 86_400 * 10**9
_LATEST = 2**63 - 1


@given(st.lists(st.integers(0, _LATEST), min_size=1, max_size=50))
def test_each_part_is_one_day_and_no_row_is_lost(times: list[int]) -> None:
    """Parts hold one day of UTC each, in order, and together every row once, in its old order."""
    records = pa.record_batch(
        {"Timestamp": pa.array(times, pa.timestamp("ns", "UTC")), "n": pa.array(range(len(times)))}
    )
    parts = list(by_day(records, "Timestamp"))
    assert [day for day, _ in parts] == sorted({time // _DAY for time in times})
    for day, part in parts:
        rows = part.column("n").to_pylist()
        assert rows == [n for n, time in enumerate(times) if time // _DAY == day]
