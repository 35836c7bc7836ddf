"""What a process costs, from /proc: CPU seconds with its threads and children, resident memory."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return user and system time of the process, all its threads, and its children alive or waited for."""
    return sum(_own_cpu_seconds(each) for each in _family(pid))


def resident_bytes(pid: int) -> int:
    """Return the resident memory of the process and its children now."""
    return sum(_status_bytes(each, "VmRSS") for each in _family(pid))


def peak_resident_bytes(pid: int) -> int:
    """Return the highest resident memory the process itself ever had."""
    return _status_bytes(pid, "VmHWM")


def _family(pid: int) -> list[int]:
    members = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue  # the thread ended meanwhile
        for child in children:
            members += _family(int(child))
    return members


def _own_cpu_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    # proc(5): utime, stime, cutime, cstime are fields 14-17; two of the 17 went before the parenthesis.
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def _status_bytes(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    found = (int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
    return next(found, 0)


@dataclass(frozen=True, slots=True)
class MemorySeen:
    """Resident memory over a while: the steady value is the median of the samples' second half."""

    steady: int
    peak: int


class MemoryWatch:
    """Samples a process's resident memory, five times a second, while the context is open."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._samples: list[int] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._ended.wait(0.2):
            self._samples.append(resident_bytes(self._pid))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def seen(self) -> MemorySeen:
        """Return what was seen so far."""
        later = sorted(self._samples[len(self._samples) // 2 :]) or [0]
        return MemorySeen(steady=later[len(later) // 2], peak=max(self._samples, default=0))


class CpuMeter:
    """CPU seconds of a process since it was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cpu, self._time = cpu_seconds(pid), time.monotonic()

    def spent(self) -> float:
        """Return the CPU seconds spent since the start."""
        return cpu_seconds(self._pid) - self._cpu

    def elapsed(self) -> float:
        """Return the seconds passed since the start."""
        return time.monotonic() - self._time
