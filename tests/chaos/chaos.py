"""Kills the collector at random points under load, then counts: every acknowledged record, exactly once.

python tests/chaos/chaos.py --kills 200 --store embedded
python tests/chaos/chaos.py --kills 50 --store http
"""

import argparse
import random
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from collector_process import CollectorProcess, until
from faulty_proxy import FaultyProxy
from numbered_load import KINDS, RECORDS_A_REQUEST, Load

_TABLES = {
    "traces": ("otel_traces", "SpanAttributes"),
    "logs": ("otel_logs", "LogAttributes"),
    "metrics": ("otel_metrics_gauge", "Attributes"),
}


@dataclass(frozen=True)
class Outcome:
    """Counts of records after a round."""

    kills: int
    sent: int
    acknowledged: int
    lost: int
    doubled: int
    torn: int
    """Requests that were not acknowledged and are there in part."""


class StoreProcess:
    """`glasshouse store serve --writable` behind a proxy that can fail."""

    def __init__(self, folder: Path, seed: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        program = Path(sys.executable).parent / "glasshouse"
        with (folder / "store.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    "store",
                    "serve",
                    "--data-dir",
                    folder / "store",
                    "--port",
                    str(port),
                    "--writable",
                ],
                stdout=log,
                stderr=log,
            )
        until(lambda: _listens(port), "the store listens")
        self.proxy = FaultyProxy(port, seed)
        self.proxy.start()
        self.dsn = f"http://127.0.0.1:{self.proxy.port}"

    def stop(self) -> None:
        """End the store and the way to it."""
        self.proxy.stop()
        self._process.kill()
        self._process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(folder: Path, *, kills: int, store: str, seed: int) -> Outcome:
    """Kill `kills` times, let everything arrive, and count."""
    dice = random.Random(seed)
    behind = StoreProcess(folder, seed) if store == "http" else None
    options = ("--clickhouse", behind.dsn) if behind else ()
    load = Load()
    load.start()
    try:
        for kill in range(kills):
            collector = CollectorProcess(folder / "data", *options)
            if behind:
                behind.proxy.faults = kill > 0
            load.aim(collector.endpoints()["grpc"])
            time.sleep(dice.uniform(0.0, 1.5))
            collector.kill()
            load.aim(None)
        load.stop()
        if behind:
            behind.proxy.faults = False
        return _count(CollectorProcess(folder / "data", *options), load, kills)
    finally:
        load.stop()
        if behind:
            behind.stop()


def _count(collector: CollectorProcess, load: Load, kills: int) -> Outcome:
    lost = doubled = torn = 0
    until(collector.drained, "everything is delivered", patience=180)
    for kind in KINDS:
        table, attributes = _TABLES[kind]
        rows = collector.ask(
            f"SELECT intDiv(toUInt64({attributes}['chaos.n']), {RECORDS_A_REQUEST}) AS request, count(), "
            f"uniqExact({attributes}['chaos.n']) FROM {table} WHERE mapContains({attributes}, 'chaos.n') "
            "GROUP BY request LIMIT 100000"
        )
        found = {int(request): (int(count), int(distinct)) for request, count, distinct in rows}
        for request in load.account.sent[kind]:
            count, distinct = found.get(request, (0, 0))
            doubled += count - distinct
            if request in load.account.acknowledged[kind]:
                lost += RECORDS_A_REQUEST - distinct
            else:
                torn += 0 < distinct < RECORDS_A_REQUEST
    assert collector.stop() == 0
    sent, acknowledged = (
        sum(len(numbers) for numbers in account.values()) * RECORDS_A_REQUEST
        for account in (load.account.sent, load.account.acknowledged)
    )
    return Outcome(kills, sent, acknowledged, lost, doubled, torn)


def main() -> int:
    """Run as asked, print the counts, and say by exit code whether nothing was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--store", choices=("embedded", "http"), default="embedded")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glasshouse-chaos-") as folder:
        outcome = run(Path(folder), kills=arguments.kills, store=arguments.store, seed=arguments.seed)
    print(f"store {arguments.store}, seed {arguments.seed}: {outcome}")
    return 1 if outcome.lost or outcome.doubled or outcome.torn or not outcome.acknowledged else 0


if __name__ == "__main__":
    sys.exit(main())
