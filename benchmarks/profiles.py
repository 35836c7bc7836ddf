"""Where a collector's time goes: its own histograms, the CPU of its threads and of its libraries."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from report import Report

_TICKS = os.sysconf("SC_CLK_TCK")
_STAGES = {
    "journal_fsync": ("glasshouse_journal_fsync_seconds", "", "journal: fsync"),
    "decode": ("glasshouse_decode_seconds", "", "decode to Arrow"),
    "export": ("glasshouse_export_seconds", 'exporter="clickhouse"', "deliver to the store"),
    "series": ("glasshouse_export_seconds", 'exporter="prometheus"', "make series of them"),
}
"""Histogram, label, and what it is called."""
_LIBRARIES = (
    ("otlp_arrow", "native codec (check, decode)"),
    ("_native", "native codec (check, decode)"),
    ("chdb", "embedded ClickHouse (insert, merge)"),
    ("otlp_grpc", "gRPC"),
    ("cygrpc", "gRPC"),
    ("arrow", "Arrow (processors)"),
    ("python", "Python"),
    ("lz4", "compression"),
    ("zstd", "compression"),
    ("kernel", "kernel (network, disk)"),
    ("libc", "libc (copies)"),
)


class Profile:
    """Samples one process during a load and describes it in figures per span."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._threads = _thread_seconds(pid)
        self._shares: Mapping[str, float] = {}
        self._missing = ""

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Let perf watch the process meanwhile; without perf only say so."""
        perf = shutil.which("perf")
        if perf is None:
            self._missing = "perf is not installed, so there is no account by library"
            yield
            return
        with tempfile.NamedTemporaryFile() as samples:
            record = [perf, "record", "-q", "-F", "99", "-p", str(self._pid), "-o", samples.name]
            recorder = subprocess.Popen(record, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                yield
            finally:
                recorder.send_signal(signal.SIGINT)
                complaint = recorder.communicate()[1].decode().strip()
            listing = [perf, "report", "-i", samples.name, "--sort", "dso", "--stdio", "-q"]
            text = subprocess.run(listing, capture_output=True, check=False).stdout.decode()
        self._shares = _by_library(text)
        if not self._shares:
            self._missing = f"perf saw nothing: {complaint}"

    def describe(
        self, report: Report, before: Mapping[str, float], after: Mapping[str, float], spans: int
    ) -> None:
        """Add the stages to a report, in microseconds a span or percent."""
        for key, (histogram, of, label) in _STAGES.items():
            seconds, count = (
                _sum(after, f"{histogram}_{part}", of) - _sum(before, f"{histogram}_{part}", of)
                for part in ("sum", "count")
            )
            report.add(key, f"{label} (by the clock)", "µs/span", seconds / spans * 1e6)
            report.notes.append(f"{label}: {count:,.0f} times, {seconds / max(1, count) * 1e3:.1f} ms each")
        for label, share in _largest(self._shares):
            report.add(f"library:{label}", f"CPU in {label}", "%", share)
        for label, seconds in self._thread_shares().items():
            report.add(f"thread:{label}", f"CPU of threads {label}", "µs/span", seconds / spans * 1e6)
        if self._missing:
            report.notes.append(self._missing)

    def _thread_shares(self) -> dict[str, float]:
        spent: defaultdict[str, float] = defaultdict(float)
        for thread, (name, seconds) in _thread_seconds(self._pid).items():
            spent[name] += seconds - self._threads.get(thread, ("", 0.0))[1]
        return {name: seconds for name, seconds in _largest(spent) if seconds > 0.05}


def _largest(amounts: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(amounts.items(), key=lambda item: -item[1])[:10]


def _sum(samples: Mapping[str, float], name: str, label: str) -> float:
    return sum(value for each, value in samples.items() if each.partition("{")[0] == name and label in each)


def _thread_seconds(pid: int) -> dict[int, tuple[str, float]]:
    """Return each thread's name, without its number, and CPU seconds."""
    threads = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            stat = (task / "stat").read_text()
        except OSError:
            continue  # the thread ended meanwhile
        name = re.sub(r"[-_#: ]*\d+$", "", stat[stat.find("(") + 1 : stat.rfind(")")])
        fields = stat.rpartition(")")[2].split()
        threads[int(task.name)] = (name, (int(fields[11]) + int(fields[12])) / _TICKS)
    return threads


def _by_library(listing: str) -> dict[str, float]:
    shares: defaultdict[str, float] = defaultdict(float)
    for line in listing.splitlines():
        found = re.match(r"\s*([\d.]+)%\s+(\S+)", line)
        if found:
            name = next((label for part, label in _LIBRARIES if part in found[2].lower()), "the rest")
            shares[name] += float(found[1])
    return dict(shares)
