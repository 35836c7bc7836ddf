"""Hours of quiet traffic, made of some recorded minutes: the same visitors at random again, or not at all.

For each stretch of time as long as the recording, every visitor's session comes as often as a Poisson
number of mean 1 says, at a random time of the stretch, whole, with ids of its own (a bootstrap of sessions):
so counts scatter from minute to minute as independent visitors' do. Gauges run forwards and backwards in
turns, so that they have no steps that the recording has not; counters go on where they ended.
"""

from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from glasshouse_collector.insights.windows import SECOND, Window
from offline import ask
from programs import Failed

DAY: Final = 86_400 * SECOND
_RAMP_SECONDS: Final = 20
"""Left out at both ends of a recording: processes start and stop there."""
_STRETCHES_AT_ONCE: Final = 30
_POISSON: Final = (
    "multiIf({u} < 0.36788, 0, {u} < 0.73576, 1, {u} < 0.91970, 2, {u} < 0.98101, 3, {u} < 0.99634, 4, 5)"
)
"""The Poisson distribution of mean 1, turned round."""
_DRAW: Final = "(cityHash64({unit}, stretch, 'often') % 1000000) / 1000000"
_UNITS: Final = """
    SELECT TraceId, anyIf(SpanAttributes['session.id'], SpanAttributes['session.id'] != '') AS Session,
        if(Session = '', TraceId, Session) AS Unit, toUnixTimestamp64Nano(min(Timestamp)) AS TraceBegan,
        min(TraceBegan) OVER (PARTITION BY Unit) AS Began
    FROM otel_traces WHERE Project = 'default' AND NOT startsWith(BatchId, 'quiet-')
    GROUP BY TraceId
"""
_MOMENT: Final = (
    "fromUnixTimestamp64Nano(toInt64($until) - toInt64(stretch + 1) * $length + "
    "(Began - $since + toInt64(cityHash64(Unit, stretch, again, 'when') % $length)) % $length + "
    "(toUnixTimestamp64Nano(Timestamp) - Began))"
)
_ID: Final = "lower(hex(MD5(concat({name}, '-', toString(stretch), '-', toString(again)))))"
_BATCH: Final = "concat('quiet-', toString(stretch), '-', toString(again), '-', BatchId) AS BatchId"
_OFTEN: Final = _POISSON.format(u="cityHash64(Unit, stretch, 'often') % 1000000 / 1000000")
_RECORDED: Final = "Project = 'default' AND NOT startsWith(BatchId, 'quiet-')"
_SESSIONS: Final = f"""(
    SELECT recorded.*, Unit, Began FROM {{table}} AS recorded INNER JOIN ({_UNITS}) AS units USING (TraceId)
    WHERE {_RECORDED} AND Began >= $since AND Began < $since + $length
) ARRAY JOIN range($first, $last) AS stretch ARRAY JOIN range({_OFTEN}) AS again
"""
_SPANS: Final = f"""
INSERT INTO otel_traces SELECT * EXCEPT (Unit, Began) REPLACE (
    {_ID.format(name="TraceId")} AS TraceId, substring({_ID.format(name="SpanId")}, 1, 16) AS SpanId,
    ParentSpanId = '' ? '' : substring({_ID.format(name="ParentSpanId")}, 1, 16) AS ParentSpanId,
    {_MOMENT} AS Timestamp, {_BATCH})
FROM {_SESSIONS.format(table="otel_traces")}
"""
_LOGS: Final = f"""
INSERT INTO otel_logs SELECT * EXCEPT (Unit, Began) REPLACE (
    {_ID.format(name="TraceId")} AS TraceId, substring({_ID.format(name="SpanId")}, 1, 16) AS SpanId,
    {_MOMENT} AS Timestamp, {_BATCH})
FROM {_SESSIONS.format(table="otel_logs")}
"""
_SERIES: Final = "PARTITION BY MetricName, ServiceName, Attributes, ResourceAttributes"
_POINTS: Final = f"""
INSERT INTO {{table}} SELECT * EXCEPT (Oldest, Newest, At) REPLACE (
    {{value}} AS Value, {{batch}},
    fromUnixTimestamp64Nano(toInt64($until) - toInt64(stretch + 1) * $length
        + ({{turned}} ? $length - 1 - At : At)) AS TimeUnix,
    fromUnixTimestamp64Nano(toInt64($until) - $stretches * $length) AS StartTimeUnix)
FROM (
    SELECT *, min(Value) OVER ({_SERIES}) AS Oldest, max(Value) OVER ({_SERIES}) AS Newest,
        toUnixTimestamp64Nano(TimeUnix) - $since AS At
    FROM {{table}} WHERE {_RECORDED} AND {{which}} AND At >= 0 AND At < $length
) ARRAY JOIN range($first, $last) AS stretch
"""
_TURNED: Final = "stretch % 2 = 1"
_NEW: Final = "concat('quiet-', toString(stretch), '-', BatchId) AS BatchId"
_GAUGES: Final = _POINTS.format(
    table="otel_metrics_gauge", value="Value", batch=_NEW, turned=_TURNED, which="1"
)
_LEVELS: Final = _POINTS.format(
    table="otel_metrics_sum", value="Value", batch=_NEW, turned=_TURNED, which="NOT IsMonotonic"
)
_COUNTERS: Final = _POINTS.format(
    table="otel_metrics_sum",
    value="Value - Oldest + ($stretches - 1 - stretch) * (Newest - Oldest)",
    batch=_NEW,
    turned="0",
    which="IsMonotonic",
)


_STATEMENTS: Final = (_SPANS, _LOGS, _GAUGES, _LEVELS, _COUNTERS)
_TIMES: Final = f"""
SELECT toUnixTimestamp64Nano(min(Timestamp)) AS first, toUnixTimestamp64Nano(max(Timestamp)) AS last
FROM otel_traces WHERE {_RECORDED}
"""
_COUNT: Final = "SELECT count() AS spans FROM otel_traces WHERE startsWith(BatchId, 'quiet-')"


@dataclass(frozen=True, slots=True)
class History:
    """Hours of quiet: from when until when, in nanoseconds, and how many spans are in them."""

    window: Window
    spans: int


def fill(data: Path, hours: float) -> History:
    """Add so many hours of quiet, in the past, to the store of a stopped collector.

    The store has the recording, and nothing else; the quiet ends a day before it. Histograms are left out.
    """
    [times] = ask(data, _TIMES)
    since = int(times["first"]) + _RAMP_SECONDS * SECOND
    length = int(times["last"]) - _RAMP_SECONDS * SECOND - since
    if length <= _RAMP_SECONDS * SECOND:
        raise Failed("the recording of quiet traffic is too short")
    until = (since // DAY - 1) * DAY
    stretches = max(1, round(hours * 3600 * SECOND / length))
    values = {"since": since, "until": until, "length": length, "stretches": stretches}
    for first in range(0, stretches, _STRETCHES_AT_ONCE):
        at_once = {**values, "first": first, "last": min(first + _STRETCHES_AT_ONCE, stretches)}
        ask(data, *(Template(statement).substitute(at_once) for statement in _STATEMENTS), "SELECT 1")
    [counted] = ask(data, _COUNT)
    return History(Window(until - stretches * length, until), int(counted["spans"]))
