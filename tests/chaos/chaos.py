"""Kills the collector at random points under load, then counts: each record is there once, and told once.

python tests/chaos/chaos.py --kills 200 --store embedded
python tests/chaos/chaos.py --kills 50 --store http
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from collector_process import CollectorProcess
from counting import Outcome, count
from numbered_load import Load
from store_process import StoreProcess


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
                behind.proxy.be("faulty" if kill else "well")
            load.aim(collector.endpoints()["grpc"])
            time.sleep(dice.uniform(0.0, 1.5))
            collector.kill()
            load.aim(None)
        load.stop()
        if behind:
            behind.proxy.be("well")
        return count(CollectorProcess(folder / "data", *options), load.account, kills)
    finally:
        load.stop()
        if behind:
            behind.stop()


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
    wrong = outcome.lost or outcome.doubled or outcome.torn or outcome.miscounted
    return 1 if wrong or not outcome.acknowledged else 0


if __name__ == "__main__":
    sys.exit(main())
