"""Every kind of question to the query API, on the shop's telemetry replayed to 20 M spans and log records.

Each is asked cold and warm, and the same is asked the naive way: in SQL over the raw tables, as one would
without rollups, cursors and indexes. At last the questions go on while spans come in.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np

from asking import Question, measure, seconds_of
from offline import ask
from programs import Failed, Glasshouse, Load, fetch
from replay import REPLAYED_COUNTER, recorded, replay
from report import Report
from settings import Settings
from subjects.embedded import settle

_RECORDS: Final = 20_000_000
_POINTS: Final = 5_000_000
_RECORDED_SECONDS: Final = 60.0
_QUESTIONS, _QUICK_QUESTIONS = 40, 15
_NAIVE_QUESTIONS: Final = 5
_RATE: Final = 20_000
_SERIES: Final = 1000
_METRIC_STEPS: Final = 60
_POINTS_A_SERIES: Final = 360
_METRIC: Final = "http.server.request.duration"
_BY_BUCKETS: Final = f"""SELECT Attributes, toStartOfInterval(TimeUnix, INTERVAL 6 MINUTE) AS t,
    sumForEach(BucketCounts) FROM otel_metrics_histogram WHERE MetricName = '{_METRIC}'
    AND TimeUnix > now() - INTERVAL 6 HOUR"""


_DAY: Final = "Timestamp > now() - INTERVAL 1 DAY"
_NAIVE: Final = {
    "trace": (
        "a trace by its id",
        "SELECT * FROM otel_traces WHERE TraceId = {asked:String} ORDER BY Timestamp",
    ),
    "logs": (
        "log page, service and attribute, a day",
        f"""SELECT * FROM otel_logs WHERE {_DAY} AND ServiceName = 'cart'
        AND LogAttributes['user.id'] = {{asked:String}} ORDER BY Timestamp DESC LIMIT 100""",
    ),
    "level": (
        "log page, service and level, a day",
        f"""SELECT * FROM otel_logs WHERE {_DAY} AND ServiceName = {{asked:String}} AND SeverityNumber >= 9
        ORDER BY Timestamp DESC LIMIT 100""",
    ),
    "word": (
        "word search, 7 days",
        """SELECT * FROM otel_logs WHERE Timestamp > now() - INTERVAL 7 DAY
        AND Body ILIKE concat('%', {asked:String}, '%') ORDER BY Timestamp DESC LIMIT 100""",
    ),
    "histogram": (
        "log counts by time and level, a day",
        f"""SELECT toStartOfFiveMinutes(Timestamp) AS t, SeverityNumber, count() FROM otel_logs
        WHERE {_DAY} AND ServiceName = {{asked:String}} GROUP BY t, SeverityNumber ORDER BY t""",
    ),
    "search": (
        "trace search by attribute, a day",
        f"""SELECT TraceId, min(Timestamp) AS began, count() FROM otel_traces WHERE {_DAY} AND TraceId IN (
            SELECT TraceId FROM otel_traces
            WHERE {_DAY} AND SpanAttributes['session.id'] = {{asked:String}}
        ) GROUP BY TraceId ORDER BY began DESC LIMIT 100""",
    ),
    "services": (
        "services, a day",
        f"""SELECT ServiceName, count(), countIf(StatusCode = 'Error'),
        quantiles(0.5, 0.95, 0.99)(Duration), max(Timestamp)
        FROM otel_traces WHERE {_DAY} GROUP BY ServiceName""",
    ),
    "service": (
        "one service, a day",
        f"""SELECT SpanName, SpanKind, count(), quantiles(0.5, 0.95, 0.99)(Duration) FROM otel_traces
        WHERE {_DAY} AND ServiceName = {{asked:String}} GROUP BY SpanName, SpanKind""",
    ),
    "map": (
        "service map, an hour",
        """SELECT a.ServiceName, b.ServiceName, count() FROM otel_traces a JOIN otel_traces b
        ON a.TraceId = b.TraceId AND a.SpanId = b.ParentSpanId WHERE a.Timestamp > now() - INTERVAL 1 HOUR
        AND b.Timestamp > now() - INTERVAL 1 HOUR AND a.ServiceName != b.ServiceName GROUP BY ALL""",
    ),
    "keys": (
        "attribute keys, a day",
        f"""SELECT arrayJoin(mapKeys(SpanAttributes)) AS key, count() FROM otel_traces
        WHERE {_DAY} AND ServiceName = {{asked:String}} GROUP BY key ORDER BY count() DESC""",
    ),
    "errors": (
        "errors by type and place, a day",
        f"""SELECT ServiceName, Events.Attributes[1]['exception.type'] AS type, count() FROM otel_traces
        WHERE {_DAY} AND has(Events.Name, 'exception') GROUP BY ServiceName, type""",
    ),
    "names": (
        "metric names",
        """SELECT MetricName, any(MetricUnit), uniq(Attributes) FROM otel_metrics_histogram
        GROUP BY MetricName""",
    ),
    "metric": (
        f"p95 of some services' {_SERIES:,} series, 6 hours",
        f"{_BY_BUCKETS} AND has(splitByChar(',', {{asked:String}}), ServiceName) GROUP BY Attributes, t",
    ),
    "metric_all": (
        f"p95 of all services' series, the largest {_SERIES:,} told, 6 hours",
        # An answer of /sql has at most 100,000 rows (api.query_rows): so many series as are told, not all.
        f"""{_BY_BUCKETS} AND {{asked:String}} = '' GROUP BY Attributes, t
        ORDER BY Attributes, t LIMIT {_SERIES * _METRIC_STEPS}""",
    ),
    "counter": (
        f"rate of a counter of {_SERIES:,} series, 6 hours",
        f"""SELECT Attributes, toStartOfInterval(TimeUnix, INTERVAL 6 MINUTE) AS t, max(Value) - min(Value)
        FROM otel_metrics_sum WHERE MetricName = '{REPLAYED_COUNTER}' AND TimeUnix > now() - INTERVAL 6 HOUR
        AND {{asked:String}} = '' GROUP BY Attributes, t""",
    ),
}
"""What each kind is called, and how it is asked without anything made for it."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of question: what it is asked with, how, and the same in SQL over raw tables."""

    name: str
    label: str
    naive: str
    asked: list[str]
    ask: Callable[[Glasshouse, str], int]


def run(settings: Settings) -> list[Report]:
    """Record, replay, ask; then ask while spans come in."""
    with tempfile.TemporaryDirectory(prefix="bench-api-", ignore_cleanup_errors=True) as folder:
        data = recorded(Path(folder), settings.seconds(_RECORDED_SECONDS))
        report = Report("api", "The query API on the shop's telemetry, replayed with shifted ids")
        began = time.monotonic()
        counts = _fill(data, settings)
        report.notes.append(f"{counts}; replayed in {time.monotonic() - began:.0f} s")
        kinds = _kinds(data, _QUICK_QUESTIONS if settings.quick else _QUESTIONS)
        for kind in kinds:
            try:
                _compare(data, report, kind)
            except (Failed, OSError) as failure:
                report.notes.append(f"not measured: {kind.label}: {failure}")
        return [report, _beside_ingest(data, kinds, settings)]


def _fill(data: Path, settings: Settings) -> str:
    rows = settings.count(_RECORDS)
    wanted = {
        "otel_traces": rows,
        "otel_logs": rows,
        "otel_metrics_histogram": settings.count(_POINTS),
        "otel_metrics_sum": settings.count(_SERIES * _POINTS_A_SERIES),
    }
    replay(data, wanted)
    with Glasshouse(data=data) as collector:
        settle(collector)
        counted = [
            f"{int(collector.sql(f'SELECT count() FROM {table}')[0][0]):,} {name}"
            for table, name in (
                ("otel_traces", "spans"),
                ("otel_logs", "log records"),
                ("otel_metrics_histogram", "data points"),
            )
        ]
    return ", ".join(counted)


def _kinds(data: Path, questions: int) -> list[_Kind]:
    """Return the kinds of questions, with ids and words that are there."""
    random = Random(5)

    def some(expression: str, table: str, where: str) -> list[str]:
        sql = (
            f"SELECT DISTINCT {expression} AS it FROM {table} WHERE Project = 'default' AND {where} "
            f"AND cityHash64({expression}) % 97 = 5 LIMIT 20000"
        )
        found = sorted(row["it"] for row in ask(data, sql))
        return random.sample(found, min(questions, len(found)))

    day = "Timestamp > now() - INTERVAL 20 HOUR"
    services = [random.choice(["gateway", "cart", "checkout", "payment"]) for _ in range(questions)]
    traces = some("TraceId", "otel_traces", "SpanName != '' AND ParentSpanId = ''")
    sessions = some("SpanAttributes['session.id']", "otel_traces", f"{day} AND ServiceName = 'gateway'")
    orders = some("LogAttributes['order.id']", "otel_logs", "LogAttributes['order.id'] != ''")
    users = some("LogAttributes['user.id']", "otel_logs", f"{day} AND ServiceName = 'cart'")
    asks = {
        "logs": (
            users,
            _get("/logs", "logs", service_name="cart", attribute="user.id={}", start_time="now-1d"),
        ),
        "level": (services, _get("/logs", "logs", service_name="{}", level="info", start_time="now-1d")),
        "word": (orders, _get("/logs", "logs", text="{}", start_time="now-7d")),
        "histogram": (services, _get("/logs/histogram", "steps", service_name="{}", start_time="now-1d")),
        "search": (sessions, _get("/traces", "traces", attribute="session.id={}", start_time="now-1d")),
        "services": (services, _get("/services", "services", lookback_minutes="1440")),
        "service": (services, _get("/services/{}", "operations", start_time="now-1d")),
        "map": (services, _get("/service-map", "edges", start_time="now-1h")),
        "keys": (
            services,
            _get("/attributes", "attributes", signal="traces", service_name="{}", start_time="now-1d"),
        ),
        "errors": (services, _get("/errors", "errors", start_time="now-1d")),
        "names": (services, _get("/metrics/names", "metrics")),
        "metric": ([_services_with_series(data)] * questions, _metric_query),
        "metric_all": ([""] * questions, _metric_query),
        "counter": ([""] * questions, _counter_query),
        # At last, when days that nobody writes to are old enough to be merged, as days of long ago are.
        "trace": (traces, _get("/traces/{}", "spans")),
    }
    return [_Kind(name, *_NAIVE[name], asked, ask) for name, (asked, ask) in asks.items()]


def _get(path: str, rows: str, **parameters: str) -> Callable[[Glasshouse, str], int]:
    """Return what asks the API and counts the rows of the answer; `{}` takes what is asked with."""

    def asks(collector: Glasshouse, asked: str) -> int:
        query = urlencode({name: value.format(asked) for name, value in parameters.items()})
        answer = json.loads(fetch(f"http://{collector.api}/api/v1{path.format(asked)}?{query}"))
        return len(answer[rows])

    return asks


def _services_with_series(data: Path) -> str:
    """Return the services, with commas, that have `_SERIES` of the metric or just above, else all."""
    sql = (
        "SELECT ServiceName AS name, uniq(ResourceAttributes, Attributes) AS series "
        f"FROM otel_metrics_histogram WHERE Project = 'default' AND MetricName = '{_METRIC}' "
        "GROUP BY name ORDER BY series, name"
    )
    counted = {row["name"]: int(row["series"]) for row in ask(data, sql)}
    together = (some for number in range(1, len(counted)) for some in combinations(counted, number))
    enough = [some for some in together if sum(map(counted.__getitem__, some)) >= _SERIES]
    return ",".join(min(enough, key=lambda some: sum(map(counted.__getitem__, some)), default=counted))


def _metric_query(collector: Glasshouse, asked: str) -> int:
    """Ask for the p95 of these services' series, with commas between them; of all where none is named."""
    keys = ["http.route", "http.request.method", "http.response.status_code"]
    return _series(
        collector,
        name=_METRIC,
        function="p95",
        service_name=asked.split(",") if asked else [],
        group_by=["replica", "service_name", *keys],
    )


def _counter_query(collector: Glasshouse, asked: str) -> int:
    del asked
    keys = ["replica", "service_name", "resource.service.instance.id", "cpu.mode"]
    return _series(collector, name=REPLAYED_COUNTER, function="rate", group_by=keys)


def _series(collector: Glasshouse, **asked: Any) -> int:
    """Ask for a metric over the last six hours, and count the series of the answer."""
    question = {**asked, "start_time": "now-6h", "steps": _METRIC_STEPS, "limit": _SERIES}
    answer = fetch(
        f"http://{collector.api}/api/v1/metrics/query",
        json.dumps(question).encode(),
        {"Content-Type": "application/json"},
    )
    return len(json.loads(answer)["series"])


def _compare(data: Path, report: Report, kind: _Kind) -> None:
    measure(data, Question(report, f"{kind.name}_", kind.label, kind.ask, kind.asked, 1))
    naive = Question(
        report,
        "",
        f"{kind.label}, in SQL",
        lambda collector, asked: len(collector.sql(kind.naive, asked=asked)),
        kind.asked[:_NAIVE_QUESTIONS],
        1,
    )
    with Glasshouse(data=data) as collector:
        taken = seconds_of(collector, naive, before=lambda: None)
    milliseconds = float(np.median(taken)) * 1e3
    report.add(f"{kind.name}_naive", f"{kind.label}, the naive way, warm, median", "ms", milliseconds)


def _beside_ingest(data: Path, kinds: list[_Kind], settings: Settings) -> Report:
    """Send spans at a steady rate alone, then with somebody who asks without a pause."""
    report = Report("api_ingest", f"{_RATE:,} spans a second come in, alone and while questions are asked")
    seconds = settings.seconds(40)
    with Glasshouse(data=data) as collector:
        settle(collector)
        alone = Load(collector.grpc, records=512, rate=_RATE, seconds=seconds).finish()
        collector.drain()
        stop = threading.Event()
        answered = _Asking(collector, kinds, stop)
        answered.start()
        before, began = collector.exported(), time.monotonic()
        try:
            beside = Load(collector.grpc, records=512, rate=_RATE, seconds=seconds).finish()
            stored = (collector.exported() - before) / (time.monotonic() - began)
        finally:
            stop.set()
            answered.join()
        collector.drain()
    if answered.failure is not None:
        raise Failed(f"a question while spans came in: {answered.failure}")
    for name, sent in (("alone", alone), ("beside", beside)):
        report.add(f"{name}_rate", f"spans acknowledged a second, {name}", "1/s", sent.records / sent.seconds)
        report.add(f"{name}_p99", f"time to acknowledge, {name}, p99", "ms", sent.answer_p99 * 1e3)
    report.add("stored", "spans stored a second meanwhile", "1/s", stored)
    report.add(
        "kept",
        "of the rate alone",
        "%",
        100 * (beside.records / beside.seconds) / (alone.records / alone.seconds),
    )
    report.add("asked_p95", f"p95 of {len(answered.taken):,} answers meanwhile", "ms", answered.p95 * 1e3)
    return report


class _Asking(threading.Thread):
    """Asks one question after the other, of every kind, until it is told to stop."""

    def __init__(self, collector: Glasshouse, kinds: list[_Kind], stop: threading.Event) -> None:
        super().__init__(name="asking")
        self._collector = collector
        self._kinds = kinds
        self._stop_asking = stop
        self.taken: list[float] = []
        self.failure: Exception | None = None

    @property
    def p95(self) -> float:
        """Seconds within which 95 % of the answers came."""
        return float(np.percentile(self.taken, 95))

    def run(self) -> None:
        """Ask."""
        number = 0
        try:
            while not self._stop_asking.is_set():
                kind = self._kinds[number % len(self._kinds)]
                began = time.perf_counter()
                kind.ask(self._collector, kind.asked[number % len(kind.asked)])
                self.taken.append(time.perf_counter() - began)
                number += 1
        except Exception as failure:  # noqa: BLE001  (the thread's owner raises it)
            self.failure = failure
