"""CPU, memory, threads and files of this process, by the semantic conventions; memory and files on Linux."""

import functools
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from glasshouse.metrics.measurements import Given, Number
from glasshouse.metrics.observables import Kind, Observe, observe

_PROC = Path("/proc/self")
# Two readers may ask right after each other; over so short a time the share of a CPU would be noise.
_SHORTEST_SECONDS = 1.0


@functools.cache
def watch() -> None:
    """Report on this process at each collection from now on; to call it again changes nothing."""
    share = _CpuShare()
    table: list[tuple[Kind, str, str, str, Observe]] = [
        ("counter", "process.cpu.time", "s", "CPU time used, by mode.", _cpu_time),
        ("gauge", "process.cpu.utilization", "1", "Share of the CPUs used since it was last asked.", share),
        ("up_down_counter", "process.memory.usage", "By", "Physical memory in use.", _resident),
        ("up_down_counter", "process.memory.virtual", "By", "Virtual memory committed.", _virtual),
        ("up_down_counter", "process.thread.count", "{thread}", "Python threads.", threading.active_count),
        ("up_down_counter", "process.unix.file_descriptor.count", "{file_descriptor}", "Open files.", _files),
    ]
    for row in table:
        observe(*row)


def _cpu_time() -> Iterable[tuple[Number, Given]]:
    spent = os.times()
    return [(spent.user, {"cpu.mode": "user"}), (spent.system, {"cpu.mode": "system"})]


class _Reading(NamedTuple):
    at: float
    cpu_seconds: float


class _CpuShare:
    def __init__(self) -> None:
        self._last = _Reading(time.monotonic(), time.process_time())
        self._share: float | None = None

    def __call__(self) -> float | None:
        now = _Reading(time.monotonic(), time.process_time())
        elapsed = now.at - self._last.at
        if elapsed >= _SHORTEST_SECONDS:
            used = now.cpu_seconds - self._last.cpu_seconds
            # A fork starts its own count of CPU time.
            self._share = max(0.0, used) / elapsed / _cpus()
            self._last = now
        return self._share


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _resident() -> int | None:
    return _pages(1)


def _virtual() -> int | None:
    return _pages(0)


def _pages(column: int) -> int | None:
    try:
        return int((_PROC / "statm").read_text().split()[column]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _files() -> int | None:
    try:
        return len(os.listdir(_PROC / "fd"))  # noqa: PTH208 - one call less in a hot directory
    except OSError:
        return None
