"""Hours of quiet traffic, watched minute by minute as the job does: each incident is a false alarm."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from glasshouse_collector.core.access import DEFAULT_PROJECT
from glasshouse_collector.core.incidents import Incident
from glasshouse_collector.insights.detection import detect
from glasshouse_collector.insights.windows import SECOND, Window
from glasshouse_collector.store import QueryLimits, Store, StoreSettings
from insights import shop
from insights.asking import replay
from insights.cases import otlp_files
from insights.quiet_history import History, fill
from programs import Glasshouse
from report import Report

SUBJECT: Final = "insights_quiet"
HOURS: Final = 6.0
_MINUTE: Final = 60 * SECOND
_WARM_UP_MINUTES: Final = 75
"""Before that there is not enough to compare with, and nothing is judged."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The incidents of some minutes, and the seconds that each look took."""

    incidents: Sequence[Incident]
    minutes: int
    seconds: float


def run(hours: float, seed: int, recording: Path | None) -> tuple[Report, Watched]:
    """Record some minutes of quiet (or take a recording), make hours of it, and watch them."""
    with tempfile.TemporaryDirectory(prefix="bench-quiet-", ignore_cleanup_errors=True) as temporary:
        folder = recording or Path(temporary) / "recorded"
        if recording is None:
            shop.record_quiet(seed, folder)
        data = Path(temporary) / "data"
        with Glasshouse(data=data) as collector:
            replay(collector, otlp_files(folder), "")
        history = fill(data, hours + _WARM_UP_MINUTES / 60)
        watched = watch(data, history)
    return _report(history, watched), watched


def watch(data: Path, history: History) -> Watched:
    """Look at each minute once it is over, knowing the incidents so far."""
    store = Store.open(StoreSettings(dsn=f"chdb://{(data / 'store').resolve()}"))
    known: dict[str, Incident] = {}
    first = -(-history.window.start // _MINUTE) + _WARM_UP_MINUTES
    minutes = range(first, history.window.end // _MINUTE)
    began = time.perf_counter()
    try:
        project = store.of_project(DEFAULT_PROJECT)
        for minute in minutes:
            window = Window(minute * _MINUTE, (minute + 1) * _MINUTE)
            for incident in detect(project, window, QueryLimits(), list(known.values())):
                known[incident.id] = incident
    finally:
        store.close()
    seconds = (time.perf_counter() - began) / max(1, len(minutes))
    return Watched(list(known.values()), len(minutes), seconds)


def _report(history: History, watched: Watched) -> Report:
    days = watched.minutes / (24 * 60)
    report = Report(
        SUBJECT, f"{watched.minutes / 60:.1f} hours of the shop's quiet traffic, minute by minute"
    )
    report.add("incidents", "incidents found", "", len(watched.incidents))
    report.add("a_day", "incidents a day", "1/day", len(watched.incidents) / days)
    report.add("seconds", "seconds a look, mean", "s", watched.seconds)
    report.notes += [
        f"{history.spans:,} spans, {history.spans / history.window.seconds:.0f} a second",
        *(f"{it.started_at}: {it.title}; {'; '.join(it.signals[:3])}" for it in watched.incidents[:10]),
    ]
    return report
