"""The journal alone: what an append costs the event loop and the machine, and how fast it is read back.

    python benchmarks/journal.py --directory /var/tmp/journal-benchmark

For each size of request it keeps `--in-flight` appends waiting until `--seconds` have passed, then
reads everything back in runs. CPU is that of the whole process, writer thread and compression included;
"loop" is the event loop's thread alone, the generator's own few microseconds included.
"""

import argparse
import asyncio
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Journal, JournalSettings
from workload import Kind, encode

_VARIANTS = 16
_SIZES = (1, 32, 512)
_RUN_RECORDS = 50_000
_RUN_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure: seconds of appending, appends waiting at a time, durability."""

    directory: Path
    seconds: float
    in_flight: int
    durability: Literal["fsync", "os"]


def _payloads(records: int) -> Sequence[bytes]:
    """Return requests of spans whose ids and times are random, as real ones are."""
    payloads = []
    for seed in range(_VARIANTS):
        request = encode(Kind.TRACES, records, Random(seed))
        payload = bytearray(request.payload)
        slots = request.slots()
        for offsets, width in ((slots.trace_ids, 16), (slots.span_ids, 8), (slots.parent_ids, 8)):
            for offset in offsets:
                payload[offset : offset + width] = os.urandom(width)
        for offset in (*slots.starts, *slots.ends):
            payload[offset : offset + 3] = os.urandom(3)
        payloads.append(bytes(payload))
    return payloads


def _open(plan: Plan, metrics: Metrics) -> Journal:
    shutil.rmtree(plan.directory, ignore_errors=True)
    settings = JournalSettings(plan.directory, plan.durability, max_bytes=8 << 30, segment_bytes=128 << 20)
    return Journal.open(settings, metrics, SystemClock())


async def _append_until(journal: Journal, payloads: Sequence[bytes], records: int, end: float) -> int:
    count = 0
    while time.monotonic() < end:
        payload = payloads[count % len(payloads)]
        await journal.append(Frame(RequestKind.TRACES, "default", records, time.time_ns(), payload))
        count += 1
    return count


async def _measure(plan: Plan, records: int) -> None:
    payloads, metrics = _payloads(records), Metrics()
    journal = _open(plan, metrics)
    consumer = journal.consumer("benchmark")
    began, cpu, loop_cpu = time.monotonic(), time.process_time(), time.thread_time()
    end = began + plan.seconds
    counts = await asyncio.gather(
        *(_append_until(journal, payloads, records, end) for _ in range(plan.in_flight))
    )
    took, cpu, loop_cpu = time.monotonic() - began, time.process_time() - cpu, time.thread_time() - loop_cpu
    count = sum(counts)
    raw = count * sum(map(len, payloads)) / len(payloads)
    kept = metrics.registry.get_sample_value("glasshouse_journal_bytes") or 0.0
    fsyncs = metrics.registry.get_sample_value("glasshouse_journal_fsync_seconds_count") or 0.0
    print(
        f"{records:4} spans a request ({raw / count:9,.0f} bytes): {count / took:8,.0f} appends/s "
        f"{count * records / took:10,.0f} spans/s | {cpu / count * 1e6:6.1f} µs CPU an append, "
        f"{loop_cpu / count * 1e6:5.1f} on the loop | {count / max(1.0, fsyncs):5.1f} appends an fsync | "
        f"{raw / kept:4.1f} : 1"
    )
    began, cpu = time.monotonic(), time.process_time()
    read = 0
    while read < count:
        run = await consumer.next_run(max_records=_RUN_RECORDS, max_bytes=_RUN_BYTES, linger=0)
        if run is None:
            break
        read += len(run.frames)
        await consumer.commit(run)
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    print(
        f"     read back: {read / took:8,.0f} frames/s {read * records / took:10,.0f} spans/s, "
        f"{cpu / read * 1e6:6.1f} µs CPU a frame"
    )
    await journal.close()
    shutil.rmtree(plan.directory)


def main() -> None:
    """Measure every size and print two lines each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="made anew, removed in the end")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--durability", choices=("fsync", "os"), default="fsync")
    arguments = parser.parse_args()
    plan = Plan(arguments.directory, arguments.seconds, arguments.in_flight, arguments.durability)
    for records in _SIZES:
        asyncio.run(_measure(plan, records))


if __name__ == "__main__":
    main()
