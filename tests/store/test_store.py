"""What goes into the store comes out of it, once."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.errors import Permanent
from glasshouse_collector.store import Store
from glasshouse_collector.store.migrate import TABLE_OF

Rows = Callable[..., pa.RecordBatch]


def stored(store: Store, signal: Signal, columns: pa.Schema) -> pa.Table:
    """Return a table's rows in the order they were numbered."""
    names = ", ".join(f"`{name}`" for name in columns.names)
    return store.query_arrow(f"SELECT {names} FROM {TABLE_OF[signal]} ORDER BY BatchId, BatchRow")


@pytest.mark.parametrize("signal", Signal)
def test_every_column_comes_back_as_it_went_in(store: Store, signal: Signal, rows: Rows) -> None:
    """All values of all columns of all tables survive the way in and out."""
    records = rows(signal, 25)
    store.insert(signal, records, token="t")
    assert stored(store, signal, records.schema).to_pylist() == pa.Table.from_batches([records]).to_pylist()


def test_the_same_token_is_kept_once(store: Store, rows: Rows) -> None:
    """A second insert with the same token adds nothing."""
    records = rows(Signal.TRACES)
    store.insert(Signal.TRACES, records, token="once")
    store.insert(Signal.TRACES, records, token="once")
    assert store.query_arrow("SELECT count() AS n FROM otel_traces").to_pylist() == [{"n": 10}]


@pytest.mark.parametrize("signal", Signal)
def test_missing_rows_are_those_not_kept(store: Store, signal: Signal, rows: Rows) -> None:
    """Of a batch half of which is kept, the other half is missing."""
    records = rows(signal, 10)
    assert store.missing_rows(signal, records).equals(records)
    store.insert(signal, records.slice(0, 4), token="first half")
    assert store.missing_rows(signal, records).equals(records.slice(4))
    store.insert(signal, records.slice(4), token="second half")
    assert store.missing_rows(signal, records).num_rows == 0


def test_wrong_columns_are_refused_for_good(store: Store, rows: Rows) -> None:
    """A batch of another signal's columns never reaches the engine."""
    with pytest.raises(Permanent, match="otel_traces"):
        store.insert(Signal.TRACES, rows(Signal.LOGS), token="t")


def test_migrating_again_changes_nothing(store: Store) -> None:
    """The second migration finds nothing to do."""
    assert store.migrate() == []
