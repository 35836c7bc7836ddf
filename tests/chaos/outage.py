"""Takes the store away under load: memory stays flat, and nothing is lost when it returns.

python tests/chaos/outage.py --seconds 60
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from collector_process import CollectorProcess
from counting import Outcome, count
from numbered_load import Load
from store_process import StoreProcess

_MIB = 1 << 20
_RECORDS_A_REQUEST = 100
"""Large enough for the sender to keep 20,000 records a second up."""


@dataclass(frozen=True)
class Outage:
    """What an outage did: records a second meanwhile, memory (MiB) early in it and at its end, the counts."""

    rate: float
    early_mib: float
    late_mib: float
    outcome: Outcome


def run(folder: Path, *, seconds: float) -> Outage:
    """Send under load, take the store away for `seconds`, bring it back, and count."""
    store = StoreProcess(folder, seed=1)
    load = Load(records_a_request=_RECORDS_A_REQUEST)
    try:
        collector = CollectorProcess(folder / "data", "--clickhouse", store.dsn)
        load.aim(collector.endpoints()["grpc"])
        load.start()
        store.proxy.be("down")
        time.sleep(seconds / 4)
        early, sent = collector.resident_bytes(), load.account.acknowledged_records
        time.sleep(seconds * 3 / 4)
        late, meanwhile = collector.resident_bytes(), load.account.acknowledged_records - sent
        load.stop()
        store.proxy.be("well")
        outcome = count(collector, load.account, kills=0)
        return Outage(meanwhile / (seconds * 3 / 4), early / _MIB, late / _MIB, outcome)
    finally:
        load.stop()
        store.stop()


def main() -> int:
    """Run as asked, print the counts, and say by exit code whether nothing was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glasshouse-outage-") as folder:
        outage = run(Path(folder), seconds=arguments.seconds)
    print(f"store away for {arguments.seconds:.0f} s: {outage}")
    return 1 if outage.outcome.lost or outage.outcome.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
