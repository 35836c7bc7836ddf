"""A process killed while it inserts, then asked for what is missing, has each row once."""

import subprocess
import sys
from pathlib import Path

import pytest

import counted_records

ROUNDS = 6

INSERT = """
import sys
sys.path.insert(0, sys.argv[1])
from rows_of_tables import make_rows
from glasshouse_collector.core.batch import Signal
from glasshouse_collector.store import Store, StoreSettings

store = Store.open(StoreSettings(sys.argv[2]))
store.migrate()
acknowledged = int(sys.argv[3])
for number in range(acknowledged, int(sys.argv[4])):
    records = make_rows(Signal.TRACES, 400, batch=f"j-0-{number:x}")
    print("inserting", number, flush=True)
    insert = store.insert_again if number == acknowledged else store.insert
    insert(Signal.TRACES, records, token=str(number))
    print("acknowledged", number, flush=True)
store.close()
"""

COUNT = """
import sys
sys.path.insert(0, sys.argv[2])
from counted_records import COUNTS_AND_RECORDS, miscounted
from glasshouse_collector.store import Store, StoreSettings

store = Store.open(StoreSettings(sys.argv[1]))
print(store.query_arrow(
    "SELECT count() AS n, uniqExact(BatchId, BatchRow) AS distinct, uniqExact(BatchId) AS batches, "
    "(SELECT uniqExact(TraceId) FROM otel_traces_trace_id_ts) AS traces FROM otel_traces"
).to_pylist()[0])
print(miscounted(row.values() for row in store.query_arrow(COUNTS_AND_RECORDS).to_pylist()))
store.close()
"""


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start Python with that code."""
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.chaos
def test_killed_again_and_again_it_has_each_row_once(tmp_path: Path) -> None:
    """Six kills at different points of an insert lose nothing and double nothing, counts included."""
    dsn, support = f"chdb://{tmp_path}/store", str(Path(counted_records.__file__).parent)
    acknowledged = 0
    for number in range(ROUNDS):
        with run(INSERT, support, dsn, str(acknowledged), "1000000") as process:
            assert process.stdout
            # the kill falls at another place of an insert each time: before it, within, after
            wanted = acknowledged + 2 + number
            for line in process.stdout:
                what, which = line.split()
                if what == "acknowledged":
                    acknowledged = int(which) + 1
                elif int(which) >= wanted:
                    break
            process.kill()
            for line in process.stdout:
                what, which = line.split()
                if what == "acknowledged":
                    acknowledged = int(which) + 1
    with run(INSERT, support, dsn, str(acknowledged), str(acknowledged + 1)) as process:
        assert process.wait() == 0
    with run(COUNT, dsn, support) as process:
        assert process.stdout
        rows = 400 * (acknowledged + 1)
        counted = {"n": rows, "distinct": rows, "batches": acknowledged + 1, "traces": 400}
        assert process.stdout.read().splitlines() == [str(counted), "{}"]
