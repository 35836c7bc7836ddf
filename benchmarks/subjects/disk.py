"""Bytes on disk a span, log record and data point: the Train Ticket recordings, merged."""

import gzip
import re
import subprocess
from pathlib import Path

from offline import ask
from programs import BIN, Failed, Glasshouse
from report import Report
from settings import Settings

_SEND_SECONDS = 300
_QUICK_FILES = 10
_TIME = re.compile(rb'"timeUnixNano": ?"\d+"')
_NEGATIVE = re.compile(rb'"timeUnixNano": ?"-\d+"')
_TABLES = {
    "span": ["otel_traces", "otel_traces_trace_id_ts"],
    "log_record": ["otel_logs"],
    "data_point": [
        f"otel_metrics_{kind}" for kind in ("gauge", "sum", "histogram", "exp_histogram", "summary")
    ],
}


def run(settings: Settings) -> list[Report]:
    """Send every case, merge, and divide what the parts hold by their rows."""
    report = Report("disk", "Bytes on disk (Train Ticket, merged)")
    files = sorted(settings.trainticket.glob("*/*.jsonl.gz"))[: _QUICK_FILES if settings.quick else None]
    if not files:
        report.notes.append(
            f"skipped: no recordings under {settings.trainticket} (name another with --trainticket)"
        )
        return [report]
    with Glasshouse() as collector:
        mended = [_mended(path, collector.folder) for path in files]
        report.notes += sorted({note for _, note in mended if note})
        _send(collector, [path for path, _ in mended])
        collector.drain()
        data = collector.data
        collector.stop()
        for signal, tables in _TABLES.items():
            rows, size = _merged(data, tables)
            if rows:
                report.add(signal, f"bytes a {signal.replace('_', ' ')}", "B", size / rows)
                report.notes.append(f"{rows:,} {signal.replace('_', ' ')}s in {size / 1e6:.1f} MB")
    return [report]


def _mended(path: Path, folder: Path) -> tuple[str, str]:
    """Return a file without negative times, which OTLP does not have, and what was changed."""
    text = gzip.decompress(path.read_bytes())
    if not _NEGATIVE.search(text):
        return str(path), ""
    valid = _TIME.search(text)
    mended, changed = _NEGATIVE.subn(valid[0] if valid else b'"timeUnixNano":"0"', text)
    copy = folder / f"{path.parent.name}-{path.name}"
    copy.write_bytes(gzip.compress(mended, 1))
    return str(
        copy
    ), f"{path.parent.name}/{path.name}: {changed} records with a negative time were given a valid one"


def _send(collector: Glasshouse, files: list[str]) -> None:
    # The recordings are older than the store's retention, so their times move, all by one offset.
    options = ["--protocol", "http", "--endpoint", f"http://{collector.http}", "--shift-to-now"]
    command = [str(BIN / "glasshouse"), "send", *options, *files]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_SEND_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"glasshouse send did not end within {_SEND_SECONDS} s") from None
    if done.returncode:
        raise Failed(f"glasshouse send: {done.stderr.decode()[-1000:]}")


def _merged(data: Path, tables: list[str]) -> tuple[int, int]:
    """Merge the tables; return the first one's rows, and the bytes of all."""
    names = ", ".join(f"'{table}'" for table in tables)
    (found,) = ask(
        data,
        *(f"OPTIMIZE TABLE {table} FINAL" for table in tables),
        f"SELECT sumIf(rows, table != 'otel_traces_trace_id_ts') AS rows, sum(bytes_on_disk) AS bytes "
        f"FROM system.parts WHERE active AND table IN ({names})",
    )
    return int(found["rows"]), int(found["bytes"])
