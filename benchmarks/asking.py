"""Asks a collector's API the same questions cold and warm, and says how long the answers took.

Cold: the collector has just started, and before each question its store's files are dropped from the
page cache. Warm: the same questions again, in rounds, without that; a figure is the median of its rounds.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from programs import Failed, Glasshouse
from report import Report

_WARM_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of question: how and with what it is asked, and how many rows an answer has at least."""

    report: Report
    prefix: str
    label: str
    ask: Callable[[Glasshouse, str], int]
    asked: Sequence[str]
    rows: int


def measure(data: Path, question: Question) -> None:
    """Add p50 and p95, cold and warm, to the question's report; `Failed` where an answer lacks rows."""
    with Glasshouse(data=data) as collector:
        cold = [seconds_of(collector, question, before=lambda: _forget(data))]
        warm = [seconds_of(collector, question, before=lambda: None) for _ in range(_WARM_ROUNDS)]
    for name, rounds in (("cold", cold), ("warm", warm)):
        for share in (50, 95):
            label = f"{question.label}, {name}, p{share}"
            milliseconds = [float(np.percentile(taken, share)) * 1e3 for taken in rounds]
            question.report.add(f"{question.prefix}{name}_p{share}", label, "ms", *milliseconds)


def seconds_of(collector: Glasshouse, question: Question, before: Callable[[], None]) -> list[float]:
    """Return the seconds of each question; `Failed` where an answer lacks rows."""
    taken = []
    for asked in question.asked:
        before()
        began = time.perf_counter()
        rows = question.ask(collector, asked)
        taken.append(time.perf_counter() - began)
        if rows < question.rows:
            raise Failed(f"{question.label}, {asked}: {rows} rows, expected {question.rows} or more")
    return taken


def _forget(data: Path) -> None:
    """Drop the store's files from the page cache."""
    # os.walk passes over folders that a merge removes meanwhile.
    for folder, _, names in os.walk(data / "store"):
        for name in names:
            with suppress(OSError):
                descriptor = os.open(Path(folder, name), os.O_RDONLY)
                try:
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(descriptor)
