"""A process that appends and delivers until it is killed; it tells what was promised and delivered.

    python victim.py DIRECTORY FIRST SEED

It prints a line for each frame acknowledged, and writes a line for each run delivered, to
DIRECTORY/../delivered.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Consumer, Journal, JournalSettings

_APPENDERS = 8


async def _append(journal: Journal, numbers: list[int], dice: random.Random) -> None:
    while True:
        numbers[0] += 1
        number = numbers[0]
        payload = f"{number} ".encode() * dice.choice((1, 10, 500))
        await journal.append(Frame(RequestKind.TRACES, "default", 1, number, payload))
        os.write(1, f"{number}\n".encode())


async def _deliver(consumer: Consumer, delivered: int, dice: random.Random) -> None:
    while run := await consumer.next_run(max_records=dice.randint(1, 40), max_bytes=20_000, linger=0.001):
        numbers = " ".join(frame.payload.split()[0].decode() for frame in run.frames)
        os.write(delivered, f"{run.origin.batch_id} {int(run.origin.in_doubt)} {numbers}\n".encode())
        for _ in range(dice.randint(0, 100)):  # delivered, and not known to be: a good time to die
            await asyncio.sleep(0)
        await consumer.commit(run)


async def _live(directory: Path, first: int, seed: int) -> None:
    dice = random.Random(seed)
    settings = JournalSettings(directory, "fsync", 1 << 30, 20_000)
    journal = Journal.open(settings, Metrics(), SystemClock())
    delivered = os.open(directory.parent / "delivered", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    numbers = [first]
    await asyncio.gather(
        _deliver(journal.consumer("store"), delivered, dice),
        *(_append(journal, numbers, dice) for _ in range(_APPENDERS)),
    )


if __name__ == "__main__":
    asyncio.run(_live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
