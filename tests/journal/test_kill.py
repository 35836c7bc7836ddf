"""A process killed again and again, while it appends and delivers, loses and doubles nothing."""

import asyncio
import os
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Journal, JournalSettings

VICTIM = Path(__file__).with_name("victim.py")
NUMBERS_A_LIFE = 1_000_000
LIVES = int(os.environ.get("JOURNAL_KILLS", "15"))


def live_and_die(directory: Path, life: int, dice: random.Random) -> list[int]:
    """Start the process, kill it after some acknowledgements; return the numbers acknowledged."""
    command = [sys.executable, str(VICTIM), str(directory), str(life * NUMBERS_A_LIFE), str(life)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert victim.stderr is not None
        enough = dice.randint(1, 400)
        lines: list[bytes] = []
        while len(lines) < enough and (line := victim.stdout.readline()):
            lines.append(line)
        victim.kill()
        lines += victim.stdout.readlines()
        complaints = victim.stderr.read()
    assert len(lines) >= enough, complaints.decode()
    return [int(line) for line in lines if line.endswith(b"\n")]


async def deliver_rest(directory: Path) -> list[str]:
    """Deliver what the last life left; return the lines it would have written."""
    journal = Journal.open(JournalSettings(directory, "fsync", 1 << 30, 20_000), Metrics(), SystemClock())
    consumer = journal.consumer("store")
    lines = []
    while consumer.reader.lag_frames:
        run = await consumer.next_run(max_records=1000, max_bytes=1 << 30, linger=0)
        assert run is not None
        numbers = " ".join(frame.payload.split()[0].decode() for frame in run.frames)
        lines.append(f"{run.origin.batch_id} {int(run.origin.in_doubt)} {numbers}")
        await consumer.commit(run)
    await journal.close()
    return lines


@pytest.mark.chaos
@pytest.mark.timeout(20 * LIVES)
def test_killed_again_and_again(tmp_path: Path) -> None:
    """Every acknowledged frame comes in exactly one batch; a batch comes twice only in doubt, the same."""
    dice = random.Random(LIVES)
    directory, delivered = tmp_path / "journal", tmp_path / "delivered"
    acknowledged = [number for life in range(LIVES) for number in live_and_die(directory, life, dice)]
    lines = delivered.read_text().splitlines() + asyncio.run(deliver_rest(directory))

    batches: dict[str, list[str]] = {}
    deliveries: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        batch, in_doubt, *numbers = line.split()
        deliveries[batch].append(in_doubt)
        assert batches.setdefault(batch, numbers) == numbers, "a batch formed again is the same"
    assert all(doubts[1:] == ["1"] * (len(doubts) - 1) for doubts in deliveries.values())
    kept = [int(number) for numbers in batches.values() for number in numbers]
    assert len(kept) == len(set(kept)), "no frame is in two batches"
    assert set(acknowledged) <= set(kept)
    for life in range(LIVES):
        in_order = [number for number in kept if number // NUMBERS_A_LIFE == life]
        assert in_order == sorted(in_order)
