"""The shop's own telemetry, recorded once and replayed with shifted ids and times until it is enough.

A copy differs from the recording in every trace and span id, in time, and in the ids that its attributes
hold; in the text of its log records the attributes stand as a plain logger writes them, so that a word
search has words to find. Half of the copies lie in the last day, half in the six days before.
"""

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from offline import ask
from programs import BIN, Failed, Glasshouse

DAY_NS: Final = 86_400 * 10**9
_DAYS: Final = 7
_SESSIONS_A_SECOND: Final = 20
_FAULT: Final = ("--fault", "payment:exception", "--calm", "25s", "--duration", "5s")
_METRIC_HOURS: Final = 6
_METRIC_STEPS: Final = _METRIC_HOURS * 60

_SHIFTED: Final = "lower(hex(MD5(concat({name}, '-', toString(copy)))))"
_IDS: Final = ("session.id", "order.id", "user.id")
_ATTRIBUTES: Final = (
    "mapApply((k, v) -> (k, k IN ("
    + ", ".join(f"'{name}'" for name in _IDS)
    + ") ? substring(lower(hex(MD5(concat(v, '-', toString(copy))))), 1, 12) : v), {name})"
)
_MOMENT: Final = (
    f"fromUnixTimestamp64Nano(LAST - toInt64(moment < MOMENTS / 2 ? moment * {DAY_NS} / (MOMENTS / 2) : "
    f"{DAY_NS} + (moment - MOMENTS / 2) * {(_DAYS - 1) * DAY_NS} / (MOMENTS / 2)) "
    "+ (toUnixTimestamp64Nano(Timestamp) - RECORDED))"
)
"""When a copy was. Each copy of the spans has a moment of its own, and finds its log records there."""
_COPIES: Final = """
ARRAY JOIN range(FROM_NUMBER, TO_NUMBER) AS moment
ARRAY JOIN arrayMap(round -> moment + round * MOMENTS, range(ROUNDS)) AS copy
"""
_COPY: Final = "concat('replayed-', toString(copy), '-', BatchId) AS BatchId"
_RECORDED: Final = (
    "(SELECT * FROM {table} WHERE Project = 'default' AND NOT startsWith(BatchId, 'replayed-'))"
)
_SPANS: Final = f"""
INSERT INTO otel_traces SELECT * REPLACE (
    {_SHIFTED.format(name="TraceId")} AS TraceId,
    substring({_SHIFTED.format(name="SpanId")}, 1, 16) AS SpanId,
    ParentSpanId = '' ? '' : substring({_SHIFTED.format(name="ParentSpanId")}, 1, 16) AS ParentSpanId,
    {_ATTRIBUTES.format(name="SpanAttributes")} AS SpanAttributes,
    {_MOMENT} AS Timestamp, {_COPY})
FROM {_RECORDED.format(table="otel_traces")} {_COPIES}
"""
_LOGS: Final = f"""
INSERT INTO otel_logs SELECT * REPLACE (
    TraceId = '' ? '' : {_SHIFTED.format(name="TraceId")} AS TraceId,
    SpanId = '' ? '' : substring({_SHIFTED.format(name="SpanId")}, 1, 16) AS SpanId,
    {_ATTRIBUTES.format(name="LogAttributes")} AS LogAttributes,
    concat(Body, ' ', arrayStringConcat(arrayMap((k, v) -> concat(k, '=', v), mapKeys(LogAttributes),
        mapValues({_ATTRIBUTES.format(name="LogAttributes")})), ' ')) AS Body,
    {_MOMENT} AS Timestamp, {_COPY})
FROM {_RECORDED.format(table="otel_logs")} {_COPIES}
"""
_POINTS: Final = f"""
INSERT INTO otel_metrics_histogram SELECT * REPLACE (
    mapUpdate(Attributes, map('replica', toString(replica))) AS Attributes,
    fromUnixTimestamp64Nano(LAST - {_METRIC_HOURS * 3600 * 10**9}) AS StartTimeUnix,
    fromUnixTimestamp64Nano(LAST - (toInt64({_METRIC_STEPS}) - step) * 60000000000) AS TimeUnix,
    Count * (step + 1) AS Count, Sum * (step + 1) AS Sum,
    arrayMap(count -> count * (step + 1), BucketCounts) AS BucketCounts,
    concat('replayed-', toString(replica), '-', toString(step)) AS BatchId)
FROM (
    SELECT * FROM otel_metrics_histogram WHERE Project = 'default' AND NOT startsWith(BatchId, 'replayed-')
    ORDER BY TimeUnix DESC LIMIT 1 BY MetricName, ServiceName, Attributes, ResourceAttributes
) ARRAY JOIN range(FROM_NUMBER, TO_NUMBER) AS replica
ARRAY JOIN range({_METRIC_STEPS}) AS step
"""
REPLAYED_COUNTER: Final = "process.cpu.time"
_COUNTER: Final = f"""
INSERT INTO otel_metrics_sum SELECT * REPLACE (
    mapUpdate(Attributes, map('replica', toString(replica))) AS Attributes,
    fromUnixTimestamp64Nano(LAST - {_METRIC_HOURS * 3600 * 10**9}) AS StartTimeUnix,
    fromUnixTimestamp64Nano(LAST - (toInt64({_METRIC_STEPS}) - step) * 60000000000) AS TimeUnix,
    Value * (step + 1) AS Value,
    concat('replayed-', toString(replica), '-', toString(step)) AS BatchId)
FROM (
    SELECT * FROM otel_metrics_sum WHERE Project = 'default' AND NOT startsWith(BatchId, 'replayed-')
    AND MetricName = '{REPLAYED_COUNTER}'
    ORDER BY TimeUnix DESC LIMIT 1 BY ServiceName, Attributes, ResourceAttributes
) ARRAY JOIN range(FROM_NUMBER, TO_NUMBER) AS replica
ARRAY JOIN range({_METRIC_STEPS}) AS step
"""
_SERIES: Final = {
    "otel_metrics_histogram": "",
    "otel_metrics_sum": f"AND MetricName = '{REPLAYED_COUNTER}'",
}
"""Tables of points, and which of their metrics are replayed."""
_STATEMENTS: Final = {
    "otel_traces": _SPANS,
    "otel_logs": _LOGS,
    "otel_metrics_histogram": _POINTS,
    "otel_metrics_sum": _COUNTER,
}
_AT_ONCE: Final = 65_536
"""Rows that one statement writes, or so: about as many as the collector stores at once, so that the store
merges them as it would have."""


def recorded(folder: Path, seconds: float) -> Path:
    """Let the shop run for so long against a collector, and return the collector's data folder.

    One fault is on for a while, so that there are errors to find. Raises `Failed`.
    """
    data = folder / "recorded"
    with Glasshouse(data=data) as collector:
        options = ("--data-dir", folder / "shop", "--endpoint", f"http://{collector.http}")
        traffic = ("--sessions-per-second", str(_SESSIONS_A_SECOND), "--seed", "7", *_FAULT)
        shop = subprocess.Popen(
            [BIN / "glasshouse", "demo", *options, *traffic],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(seconds)
        finally:
            if shop.poll() is None:
                shop.send_signal(signal.SIGINT)
            shop.wait(60)
        collector.drain()
    return data


def replay(data: Path, wanted: Mapping[str, int]) -> None:
    """Add copies of what was recorded until each table has so many rows, or more; raises `Failed`.

    Records come in the order of their moments, as they would have come.
    """
    copies = {table: _copies(data, table, rows) for table, rows in wanted.items()}
    [found] = ask(
        data, "SELECT toUnixTimestamp64Nano(max(Timestamp)) AS t FROM otel_traces WHERE Project = 'default'"
    )
    last = time.time_ns()
    for table, number in copies.items():
        moments = number if table in _SERIES else copies["otel_traces"]
        values = {"MOMENTS": moments, "LAST": last, "RECORDED": int(found["t"])}
        values["ROUNDS"] = -(-number // moments)
        at_once = max(1, _AT_ONCE * moments // wanted[table])
        statements = []
        for first in range(1, moments + 1, at_once):
            bounds = {"FROM_NUMBER": first, "TO_NUMBER": min(first + at_once, moments + 1)}
            statement = _STATEMENTS[table]
            for name, value in (bounds | values).items():
                statement = statement.replace(name, str(value))
            statements.append(statement)
        ask(data, *statements, "SELECT 1")


def _copies(data: Path, table: str, rows: int) -> int:
    each = _recorded_rows(data, table)
    if not each:
        raise Failed(f"{table}: the shop recorded nothing")
    return -(-rows // each)


def _recorded_rows(data: Path, table: str) -> int:
    if table in _SERIES:
        series = "SELECT uniq(MetricName, ServiceName, Attributes, ResourceAttributes) AS rows FROM"
        asked = f"{series} {table} WHERE Project = 'default' {_SERIES[table]}"
        return int(ask(data, asked)[0]["rows"]) * _METRIC_STEPS
    return int(ask(data, f"SELECT count() AS rows FROM {table} WHERE Project = 'default'")[0]["rows"])
