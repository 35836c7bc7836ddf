"""A trace by its id among 10 M spans, and a word in 10 M log records of the last day: asked cold, then warm.

The rows are made by the engine itself from `numbers()`; nothing is merged by hand.
"""

import json
import time
from collections.abc import Callable
from hashlib import md5
from random import Random

from asking import Question, measure
from offline import ask
from programs import Glasshouse, fetch
from report import Report
from settings import Settings
from subjects.embedded import settle
from workload import SPANS_A_TRACE

_ROWS = 10_000_000
_QUESTIONS, _QUICK_QUESTIONS = 120, 25
_DAY_NS = 86_400 * 10**9
_SYLLABLES = ["ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu"]
_SYLLABLES += ["ra", "se", "ti", "vo", "zu", "bre", "dra", "fli", "gro", "sta"]
_WORDS = len(_SYLLABLES) ** 3

_SHARED = """
    ['frontend','cart','checkout','payment','catalog','shipping','email','search'][hash % 8 + 1] AS service,
    map('deployment.environment.name', 'production', 'host.name', concat('node-', toString(hash % 12)),
        'k8s.pod.name', concat(service, '-6f7d9c5b8-', toString(hash % 16)), 'service.name', service,
        'service.version', '2.14.3') AS resource"""

_SPANS = f"""
INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName,
    ResourceAttributes, ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode,
    Project, BatchId, BatchRow)
WITH sipHash64(number) AS hash, intDiv(number, {SPANS_A_TRACE}) AS trace,
    number % {SPANS_A_TRACE} AS place, intDiv({_DAY_NS}, intDiv(ROWS, {SPANS_A_TRACE})) AS pace, {_SHARED}
SELECT
    fromUnixTimestamp64Nano(BEGIN + trace * pace + place * 1000000),
    lower(hex(MD5(toString(trace)))), lower(hex(hash)), place = 0 ? '' : lower(hex(sipHash64(number - 1))),
    concat(['GET','GET','POST','PUT'][hash % 4 + 1], ' /api/',
        ['cart','orders','products','users'][hash % 4 + 1]),
    ['Server','Client','Internal'][hash % 3 + 1], service, resource,
    'opentelemetry.instrumentation.fastapi', '0.66b2',
    map('enduser.id', concat('user-', toString(hash % 10000000)), 'http.request.method', 'GET',
        'http.response.status_code', hash % 50 = 0 ? '500' : '200', 'http.route', '/api/orders/{{id}}',
        'server.address', concat(service, '.shop.svc.cluster.local'), 'server.port', '8080',
        'url.full', concat('https://storefront.shop.example.com/api/orders/', toString(hash % 1000003)),
        'user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0'),
    hash % 100000000, hash % 50 = 0 ? 'Error' : 'Unset', 'default', 'benchmark', number % 65536
FROM numbers(ROWS)
SETTINGS max_insert_threads = 2, max_threads = 2
"""

_RECORDS = f"""
INSERT INTO otel_logs (Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName,
    ResourceAttributes, Body, ScopeName, LogAttributes, Project, BatchId, BatchRow)
WITH sipHash64(number) AS hash, {_SYLLABLES} AS syllables, {_SHARED},
    arrayMap(step -> toUInt32(pow((sipHash64(number, step) % 1000003) / 1000003, 3) * {_WORDS}),
        range(9)) AS words,
    arrayMap(word -> concat(syllables[word % 20 + 1], syllables[intDiv(word, 20) % 20 + 1],
        syllables[intDiv(word, 400) + 1]), words) AS spelled
SELECT
    fromUnixTimestamp64Nano(BEGIN + number * intDiv({_DAY_NS}, ROWS)),
    lower(hex(MD5(toString(intDiv(number, {SPANS_A_TRACE}))))), lower(hex(hash)), 1,
    ['INFO','INFO','WARN','ERROR'][hash % 4 + 1], [9,9,13,17][hash % 4 + 1], service, resource,
    concat(arrayStringConcat(spelled, ' '), ' for order ', toString(hash % 100000000)), 'shop.orders',
    map('code.line.number', toString(hash % 400), 'thread.name', concat('worker-', toString(hash % 8))),
    'default', 'benchmark', number % 65536
FROM numbers(ROWS)
SETTINGS max_insert_threads = 2, max_threads = 2
"""

_TRACE = """
WITH (SELECT (min(Start), max(End)) FROM otel_traces_trace_id_ts
      WHERE Project = 'default' AND TraceId = {asked:String}) AS bounds
SELECT Timestamp, SpanId, ParentSpanId, SpanName, ServiceName, Duration, StatusCode, SpanAttributes
FROM otel_traces
WHERE Project = 'default' AND TraceId = {asked:String} AND Timestamp >= bounds.1 AND Timestamp <= bounds.2
ORDER BY Timestamp
"""
_FOUND = """Project = 'default' AND Timestamp >= now() - INTERVAL 1 DAY
AND hasAllTokens(lower(Body), {asked:String})"""
_NEWEST = f"""
SELECT Timestamp, ServiceName, SeverityText, Body FROM otel_logs WHERE {_FOUND}
ORDER BY Timestamp DESC LIMIT 100
"""
_COUNT = f"SELECT count() AS found FROM otel_logs WHERE {_FOUND}"


def run(settings: Settings) -> list[Report]:
    """Make the rows, then ask."""
    rows = settings.count(_ROWS)
    traces = Report("trace_by_id", f"A trace by its id among {rows:,} spans")
    words = Report("word_search", f"A word in {rows:,} log records of the last day")
    random, asked = Random(20), _QUICK_QUESTIONS if settings.quick else _QUESTIONS
    ids = [_trace_id(number) for number in random.sample(range(rows // SPANS_A_TRACE), asked)]
    spelled = [_word(number) for number in random.sample(range(_WORDS), asked)]
    questions = [
        Question(traces, "", "GET /api/v1/traces/{id}", _read_trace, ids, SPANS_A_TRACE),
        Question(traces, "sql_", "its spans, by SQL", _sql(_TRACE), ids, SPANS_A_TRACE),
        Question(words, "", "the newest 100", _sql(_NEWEST), spelled, 1),
        Question(words, "count_", "how many", _sql(_COUNT), spelled, 1),
    ]
    with Glasshouse() as made:
        made.stop()
        began = time.monotonic()
        _fill(made, rows)
        made_in = time.monotonic() - began
        note = f"made in {made_in:.0f} s by INSERT SELECT; {asked} different questions each"
        for question in questions:
            measure(made.data, question)
    for report in (traces, words):
        report.notes.append(note)
    return [traces, words]


def _sql(query: str) -> Callable[[Glasshouse, str], int]:
    return lambda collector, asked: len(collector.sql(query, asked=asked))


def _read_trace(collector: Glasshouse, trace_id: str) -> int:
    """Return how many spans the answer has."""
    answer = json.loads(fetch(f"http://{collector.api}/api/v1/traces/{trace_id}"))
    return len(answer["spans"])


def _fill(made: Glasshouse, rows: int) -> None:
    """Make the rows with the engine, then let the collector merge as it will."""
    begin = time.time_ns() - _DAY_NS
    for statement in (_SPANS, _RECORDS):
        ask(made.data, statement.replace("BEGIN", str(begin)).replace("ROWS", str(rows)))
    with Glasshouse(data=made.data) as collector:
        settle(collector)


def _trace_id(number: int) -> str:
    return md5(str(number).encode(), usedforsecurity=False).hexdigest()


def _word(number: int) -> str:
    return _SYLLABLES[number % 20] + _SYLLABLES[number // 20 % 20] + _SYLLABLES[number // 400]
