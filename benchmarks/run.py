"""Measure the collector, beside its peer, and compare with what was asked for.

    .venv/bin/python benchmarks/run.py [subject …] [--quick] [--json FILE]

Each subject prints its tables when it is done. A subject that cannot be measured says why, the others
still are, and the exit code is 1.
"""

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path

from programs import Failed
from report import Report
from settings import Settings

SUBJECTS = {
    "decode": "the native decoder alone",
    "journal_to_sink": "gRPC → journal → a discarding ClickHouse, by 512, 32 and 1 spans, beside Rotel",
    "embedded": "end to end into the embedded store for a minute, merges included; where the time goes",
    "freshness": "acknowledged to queryable at 20,000 spans a second",
    "memory": "resident memory at 50,000 spans a second",
    "queries": "a trace by id and a word in 10 M records",
    "api": "every kind of question to the query API on 20 M spans and log records, beside ingest",
    "disk": "bytes on disk on the Train Ticket recordings",
    "prometheus": "the Prometheus exporter: CPU a span, /metrics at 100,000 series, memory a series",
    "sdk": "a log call, a span, a request with the SDK, beside OpenTelemetry's and beside none; importing it",
}


def main() -> None:
    """Run the subjects asked for, all if none is named."""
    parser = argparse.ArgumentParser(
        description="Measure the collector.", epilog=_epilog(), formatter_class=_Raw
    )
    parser.add_argument("subjects", nargs="*", metavar="subject", help="which; all if none is named")
    parser.add_argument(
        "--quick", action="store_true", help="a fifth of the time; the figures are no evidence"
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns of each collector beside its peer")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    parser.add_argument(
        "--trainticket",
        type=Path,
        default=Path(os.environ.get("TRAINTICKET", "../shared/data/trainticket")),
        help="folder of the Train Ticket recordings ($TRAINTICKET)",
    )
    options = parser.parse_args()
    unknown = set(options.subjects) - set(SUBJECTS)
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}; there are: {', '.join(SUBJECTS)}")
    settings = Settings(options.quick, 1 if options.quick else options.repeats, options.trainticket)
    reports, failed = _measure(options.subjects or list(SUBJECTS), settings)
    if options.json:
        options.json.write_text(json.dumps([report.as_json() for report in reports], indent=1))
    sys.exit(1 if failed else 0)


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the list of subjects as it is written."""


def _epilog() -> str:
    return "subjects:\n" + "\n".join(f"  {name:16} {what}" for name, what in SUBJECTS.items())


def _measure(names: list[str], settings: Settings) -> tuple[list[Report], bool]:
    reports: list[Report] = []
    failed = False
    print(_machine(settings), flush=True)
    for name in names:
        began = time.monotonic()
        try:
            found: list[Report] = importlib.import_module(f"subjects.{name}").run(settings)
        except (Failed, OSError, ImportError) as failure:
            failed = True
            found = [Report(name, SUBJECTS[name], notes=[f"not measured: {failure}"])]
        for report in found:
            print(report.markdown(), flush=True)
        print(f"({name}: {time.monotonic() - began:.0f} s)\n", file=sys.stderr, flush=True)
        reports += found
    return reports, failed


def _machine(settings: Settings) -> str:
    models = {line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")}
    load = os.getloadavg()
    about = (
        f"{os.cpu_count()} cores, {', '.join(sorted(models)) or 'CPU'}, load {load[0]:.1f} before the start"
    )
    return about + ("; quick, so no evidence\n" if settings.quick else "\n")


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    main()
