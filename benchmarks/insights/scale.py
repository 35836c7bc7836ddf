"""An incident of millions of spans: one case of Train Ticket again and again, with shifted ids."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

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
_SHIFTED: Final = "lower(hex(MD5(concat({name}, '-', toString(copy)))))"
_COPIES: Final = "concat('replayed-', toString(copy), '-', BatchId) AS BatchId"
_FROM: Final = "WHERE NOT startsWith(BatchId, 'replayed-')) ARRAY JOIN range(FIRST, LAST) AS copy"
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
        for statement in _statements(copies, max(1, _AT_ONCE // in_incident)):
            ask_store(data, statement, "SELECT 1")
        with Glasshouse(data=data) as collector:
            settle(collector)
            return _measure(collector, case)


def _statements(copies: int, at_once: int) -> Iterator[str]:
    for first in range(1, copies, at_once):
        for statement in (_SPANS, _LOGS):
            last = min(first + at_once, copies)
            yield statement.replace("FIRST", str(first)).replace("LAST", str(last))


def _measure(collector: Glasshouse, case: Case) -> tuple[Report, Answer]:
    within = (
        f"Timestamp >= fromUnixTimestamp64Nano({case.incident.start}) AND "
        f"Timestamp < fromUnixTimestamp64Nano({case.incident.end})"
    )
    [[spans]] = collector.sql(f"SELECT count() FROM otel_traces WHERE {within}")
    [[all_spans]] = collector.sql("SELECT count() FROM otel_traces")
    [[logs]] = collector.sql("SELECT count() FROM otel_logs")
    rested, spent = resident_bytes(collector.pid), cpu_seconds(collector.pid)
    with MemoryWatch(collector.pid) as watch:
        answer = ask(collector, case)
    spent = cpu_seconds(collector.pid) - spent
    report = Report(SUBJECT, f"An incident of {int(spans):,} spans in two minutes")
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
        f"{int(all_spans):,} spans and {int(logs):,} log records in all windows; case {case.name}",
        _looked_at(answer),
        *(f"the answer notes: {note}" for note in answer.told["notes"]),
        f"service {_verdict(answer.service_right)}, kind {_verdict(answer.kind_right)}",
    ]
    return report, answer


def _looked_at(answer: Answer) -> str:
    told = answer.told
    records = f"{told['spans']:,} spans, {told['log_records']:,} log records of {told['traces']:,} traces"
    return f"looked at in the incident: {records}, one trace in {told['one_in']}"


def _verdict(right: bool) -> str:
    return "right" if right else "WRONG"
