"""Hours of quiet are made of whole sessions of the recording, as often and as scattered as they came."""

import gzip
from pathlib import Path
from typing import Final

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from insights.asking import replay
from insights.quiet_history import DAY, History, fill
from insights.recorder import json_line
from offline import ask
from programs import Glasshouse

SECOND: Final = 10**9
START: Final = 1_795_000_000 * SECOND
SECONDS: Final = 100
"""Of which the first and the last twenty are left out."""
HOURS: Final = 0.5
SHOP: Final = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop"))])


def session(second: int) -> list[Span]:
    """Return two traces of one visitor, the second of them two seconds later: one span, and two."""
    spans = []
    for trace, (offset, depth) in enumerate(((0, 1), (2, 2))):
        for level in range(depth):
            number = second * 10 + trace * 3 + level + 1
            spans.append(
                Span(
                    trace_id=(second * 10 + trace + 1).to_bytes(16),
                    span_id=number.to_bytes(8),
                    parent_span_id=(number - 1).to_bytes(8) if level else b"",
                    name=f"level {level}",
                    start_time_unix_nano=START + (second + offset) * SECOND + level,
                    end_time_unix_nano=START + (second + offset) * SECOND + 1000,
                    attributes=[]
                    if level
                    else [KeyValue(key="session.id", value=AnyValue(string_value=f"s{second}"))],
                )
            )
    return spans


def recorded(folder: Path) -> list[Path]:
    """Write a recording: a session a second, each with a log record; a gauge and a counter that rise."""
    spans = [span for second in range(SECONDS - 2) for span in session(second)]
    logs = [
        LogRecord(
            time_unix_nano=span.start_time_unix_nano,
            trace_id=span.trace_id,
            span_id=span.span_id,
            body=AnyValue(string_value="seen"),
        )
        for span in spans
        if not span.parent_span_id
    ]
    points = [NumberDataPoint(time_unix_nano=START + at * SECOND, as_int=at) for at in range(SECONDS)]
    level = Metric(name="level", gauge=Gauge(data_points=points))
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    counter = Metric(
        name="counter", sum=Sum(data_points=points, is_monotonic=True, aggregation_temporality=cumulative)
    )
    traces = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=SHOP, scope_spans=[ScopeSpans(spans=spans)])]
    )
    records = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=SHOP, scope_logs=[ScopeLogs(log_records=logs)])]
    )
    metrics = ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(resource=SHOP, scope_metrics=[ScopeMetrics(metrics=[level, counter])])
        ]
    )
    (folder / "traces.jsonl.gz").write_bytes(gzip.compress(json_line(traces)))
    (folder / "logs.jsonl.gz").write_bytes(gzip.compress(json_line(records)))
    (folder / "metrics.jsonl.gz").write_bytes(gzip.compress(json_line(metrics)))
    return sorted(folder.glob("*.gz"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, History]:
    """Fill a store with half an hour."""
    folder = tmp_path_factory.mktemp("quiet")
    data = folder / "data"
    with Glasshouse(data=data) as collector:
        replay(collector, recorded(folder), "")
    return data, fill(data, HOURS)


QUIET: Final = "startsWith(BatchId, 'quiet-')"


def test_sessions_come_whole_and_at_the_rate_of_the_recording(filled: tuple[Path, History]) -> None:
    """Some 1,800 sessions in half an hour, with all their spans and records, no id twice."""
    data, history = filled
    assert history.window.seconds == pytest.approx(HOURS * 3600, rel=0.02)
    assert history.window.end % DAY == 0
    assert history.window.end < START
    [spans] = ask(
        data,
        f"""SELECT count() AS spans, uniq(TraceId, SpanId) AS different,
        countIf(SpanName = 'level 1') AS below, countIf(ParentSpanId != ''
            AND ParentSpanId NOT IN (SELECT SpanId FROM otel_traces WHERE {QUIET})) AS orphans
        FROM otel_traces WHERE {QUIET}""",
    )
    assert int(spans["spans"]) == int(spans["different"]) == history.spans
    assert int(spans["spans"]) == pytest.approx(3 * HOURS * 3600, rel=0.1)
    assert int(spans["below"]) * 3 == int(spans["spans"])
    assert int(spans["orphans"]) == 0
    [logs] = ask(
        data,
        f"""SELECT count() AS logs,
            countIf((TraceId, SpanId) NOT IN (SELECT TraceId, SpanId FROM otel_traces)) AS astray
            FROM otel_logs WHERE {QUIET}""",
    )
    assert (int(logs["logs"]) * 3, int(logs["astray"])) == (int(spans["spans"]) * 2, 0)


def test_counts_scatter_as_independent_visitors_do(filled: tuple[Path, History]) -> None:
    """Sessions a minute have about the variance of their mean: the recording's own had none."""
    data, _ = filled
    [found] = ask(
        data,
        f"""SELECT avg(n) AS mean, varSamp(n) AS variance FROM (SELECT toStartOfMinute(Timestamp) AS m,
        count() AS n FROM otel_traces WHERE {QUIET} AND SpanName = 'level 1' GROUP BY m
        ORDER BY m LIMIT 28 OFFSET 1)""",
    )
    assert found["mean"] == pytest.approx(60, rel=0.1)
    assert 0.4 < found["variance"] / found["mean"] < 2.2


def test_levels_have_no_steps_and_counters_never_fall(filled: tuple[Path, History]) -> None:
    """The gauge goes up and down again; the counter rises by the same from point to point, over all."""
    data, _ = filled
    steps = f"""SELECT min(d) AS least, max(d) AS most, max(Value) AS highest FROM (SELECT Value,
        Value - lagInFrame(Value, 1, Value) OVER (ORDER BY TimeUnix ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
        AS d FROM {{}} WHERE {QUIET})"""
    [level] = ask(data, steps.format("otel_metrics_gauge"))
    assert (level["least"], level["most"]) == (-1, 1)
    [counter] = ask(data, steps.format("otel_metrics_sum"))
    assert (counter["least"], counter["most"]) == (0, 1)
    assert counter["highest"] > 1000
