"""An incident of millions of spans: one case again and again, with shifted ids, at the same times.

Copies are no independent traces: what one trace of normal times happened to lack, all its copies lack, and
then looks sure. So this measures time and memory; whether the answer is right is told, and no target.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from glasshouse_collector.insights.windows import SECOND, Window
from insights.asking import Answer, ask, replay
from insights.cases import Case
from insights.recording import Recording
from meter import MemoryWatch, cpu_seconds, peak_resident_bytes, resident_bytes
from offline import ask as ask_store
from programs import Glasshouse
from report import Report
from subjects.embedded import settle

SUBJECT: Final = "insights_scale"
SPANS: Final = 5_000_000
_AT_ONCE: Final = 1_000_000
"""Rows that one statement writes, or so."""
_LONGEST: Final = 5 * SECOND
"""Spans of a window's traces begin until so long after it."""
_SHIFTED: Final = "lower(hex(MD5(concat({name}, '-', toString(copy)))))"
_COPIES: Final = "concat('replayed-', toString(copy), '-', BatchId) AS BatchId"
_FROM: Final = "WHERE NOT startsWith(BatchId, 'replayed-') AND (TIMES)) ARRAY JOIN range(FIRST, LAST) AS copy"
_SPANS: Final = f"""
INSERT INTO otel_traces SELECT * REPLACE (
    {_SHIFTED.format(name="TraceId")} AS TraceId,
    substring({_SHIFTED.format(name="SpanId")}, 1, 16) AS SpanId,
    ParentSpanId = '' ? '' : substring({_SHIFTED.format(name="ParentSpanId")}, 1, 16) AS ParentSpanId,
    {_COPIES})
FROM (SELECT * FROM otel_traces {_FROM}
"""
_LOGS: Final = f"""
INSERT INTO otel_logs SELECT * REPLACE (
    TraceId = '' ? '' : {_SHIFTED.format(name="TraceId")} AS TraceId,
    SpanId = '' ? '' : substring({_SHIFTED.format(name="SpanId")}, 1, 16) AS SpanId,
    {_COPIES})
FROM (SELECT * FROM otel_logs {_FROM}
"""


def run(case: Case, spans: int) -> tuple[Report, Answer]:
    """Fill a store until the incident has so many spans, and ask; return figures and the answer."""
    with tempfile.TemporaryDirectory(prefix="bench-insights-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        with Glasshouse(data=data) as collector:
            replay(collector, case.files, "")
        in_incident = sum(1 for _ in Recording.read(case.files).spans(case.incident))
        copies = max(1, round(spans / in_incident))
        for statement in _statements(copies, max(1, _AT_ONCE // in_incident), case):
            ask_store(data, statement, "SELECT 1")
        with Glasshouse(data=data) as collector:
            settle(collector)
            return _measure(collector, case)


def _statements(copies: int, at_once: int, case: Case) -> Iterator[str]:
    times = " OR ".join(map(_within, (case.incident, *case.baselines)))
    for first in range(1, copies, at_once):
        for statement in (_SPANS, _LOGS):
            last = min(first + at_once, copies)
            yield statement.replace("FIRST", str(first)).replace("LAST", str(last)).replace("TIMES", times)


def _measure(collector: Glasshouse, case: Case) -> tuple[Report, Answer]:
    [[spans]] = collector.sql(f"SELECT count() FROM otel_traces WHERE {_within(case.incident)}")
    [[all_spans]] = collector.sql("SELECT count() FROM otel_traces")
    [[logs]] = collector.sql("SELECT count() FROM otel_logs")
    rested, spent = resident_bytes(collector.pid), cpu_seconds(collector.pid)
    with MemoryWatch(collector.pid) as watch:
        answer = ask(collector, case)
    spent = cpu_seconds(collector.pid) - spent
    report = Report(SUBJECT, f"An incident of {int(spans):,} spans in {case.incident.seconds:.0f} seconds")
    report.add("seconds", "seconds until the answer", "s", answer.seconds)
    report.add(
        "memory", "resident memory of the collector, peak while it answers", "MB", watch.seen().peak / 1e6
    )
    report.add("rested", "the same before the question", "MB", rested / 1e6)
    report.add(
        "most", "the highest it ever had, its start included", "MB", peak_resident_bytes(collector.pid) / 1e6
    )
    report.add("cpu", "CPU", "s", spent)
    report.notes += [
        f"{int(all_spans):,} spans and {int(logs):,} log records in the store; case {case.name}",
        _looked_at(answer),
        *(f"the answer notes: {note}" for note in answer.told["notes"]),
        f"service {_verdict(answer.service_right)}, kind {_verdict(answer.kind_right)}",
        *(f"said: {it['service']} {it['kind']}, score {it['score']:.0f}" for it in answer.causes[:3]),
    ]
    return report, answer


def _within(window: Window) -> str:
    times = (f"fromUnixTimestamp64Nano({moment})" for moment in (window.start, window.end + _LONGEST))
    return "Timestamp >= {} AND Timestamp < {}".format(*times)


def _looked_at(answer: Answer) -> str:
    told = answer.told
    records = f"{told['spans']:,} spans, {told['log_records']:,} log records of {told['traces']:,} traces"
    return f"looked at in the incident: {records}, one trace in {told['one_in']}"


def _verdict(right: bool) -> str:
    return "right" if right else "WRONG"
