"""Failures are told apart by what has to be done about them."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.errors import Permanent, Retryable
from glasshouse_collector.store import Store
from glasshouse_collector.store.engine import EngineFailure
from glasshouse_collector.store.failures import classify

Rows = Callable[..., pa.RecordBatch]


@pytest.mark.parametrize(
    "code",
    [
        None,  # the connection broke
        60,  # UNKNOWN_TABLE: migrations put that right
        159,  # TIMEOUT_EXCEEDED
        216,  # QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        999,  # KEEPER_EXCEPTION
    ],
)
def test_what_may_pass_is_retried(code: int | None) -> None:
    """Nothing that the store may get over is given up."""
    assert isinstance(classify(EngineFailure("why", code=code), "inserting"), Retryable)


@pytest.mark.parametrize("code", [16, 20, 53, 70, 117, 349])
def test_what_will_never_be_accepted_is_permanent(code: int) -> None:
    """Rows of the wrong shape are refused for good."""
    assert isinstance(classify(EngineFailure("why", code=code), "inserting"), Permanent)


def test_a_column_that_the_table_lacks_is_permanent(store: Store, rows: Rows) -> None:
    """What the engine refuses by its schema is a dead letter, with the engine's words."""
    store.engine.command("ALTER TABLE otel_logs DROP COLUMN ScopeSchemaUrl")
    with pytest.raises(Permanent, match="ScopeSchemaUrl"):
        store.insert(Signal.LOGS, rows(Signal.LOGS), token="t")


def test_a_missing_table_may_come(store: Store, rows: Rows) -> None:
    """A table that is not there yet is no fault of the rows."""
    store.engine.command("DROP TABLE otel_logs SYNC")
    with pytest.raises(Retryable, match="otel_logs"):
        store.insert(Signal.LOGS, rows(Signal.LOGS), token="t")


def test_a_closed_store_is_retried_elsewhere(store: Store, rows: Rows) -> None:
    """An insert after close reached nothing."""
    store.close()
    with pytest.raises(Retryable, match="closed"):
        store.insert(Signal.LOGS, rows(Signal.LOGS), token="t")
