"""No question reads another project's records, whatever is asked and however."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from glasshouse_collector.api import create_app
from glasshouse_collector.control import Database, Keys, KeySettings, Projects
from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.core.access import Authenticator, Caller, Scope, credential
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Unauthenticated
from glasshouse_collector.store import Store
from kept_records import keep
from migrated_store import migrated_store

Serve = Callable[..., httpx.Client]
SPAN = {"start_time": "now-1h", "end_time": "now"}
TRACE_OF = {"ours": "aa" * 16, "theirs": "bb" * 16}


THEIRS = {
    "otel_traces": "StatusMessage = 'word-of-theirs'",
    "otel_logs": "Body = 'word-of-theirs'",
    "otel_metrics_gauge": "MetricDescription = 'word-of-theirs'",
    "otel_traces_trace_id_ts": f"TraceId = '{TRACE_OF['theirs']}'",
}
"""Holds for the rows of the other project, by a column that the filter says nothing of."""


class OneKeyEach:
    """Knows one key a project, which is called as the project is."""

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Return a caller of the project that the key names."""
        del scope
        key = credential(headers)
        if key not in TRACE_OF:
            raise Unauthenticated("no such key")
        return Caller(key, key)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend a store with the same records of two projects, each with words of its own."""
    opened = migrated_store(tmp_path_factory, "apart")
    for project in TRACE_OF:
        _fill(opened, project)
    for table in ("otel_traces", "otel_logs", "otel_metrics_gauge", "otel_traces_trace_id_ts"):
        opened.engine.command(f"OPTIMIZE TABLE {table} FINAL")  # so that granules have rows of both
    yield opened
    opened.close()


def _fill(store: Store, project: str) -> None:
    now = time.time_ns() - 60 * 10**9
    mark, trace = f"word-of-{project}", bytes.fromhex(TRACE_OF[project])
    spans = ExportTraceServiceRequest()
    own = spans.resource_spans.add()
    for key, value in (("service.name", "shop"), ("service.version", mark), ("host.name", mark)):
        own.resource.attributes.add(key=key).value.string_value = value
    for number, kind in enumerate((Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)):
        span = own.scope_spans.add().spans.add(
            trace_id=trace,
            span_id=bytes([number + 1]) * 8,
            parent_span_id=bytes([number]) * 8 if number else b"",
            name="GET /" if not number else mark,
            kind=kind,
            start_time_unix_nano=now,
            end_time_unix_nano=now + 10**6,
        )
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = mark
        span.attributes.add(key="peer.service").value.string_value = mark
        raised = span.events.add(name="exception", time_unix_nano=now)
        for key in ("exception.type", "exception.message", "exception.stacktrace"):
            raised.attributes.add(key=key).value.string_value = mark
    keep(store, RequestKind.TRACES, Signal.TRACES, spans, f"spans-{project}", project)
    logs = ExportLogsServiceRequest()
    record = (
        logs.resource_logs.add(resource=own.resource)
        .scope_logs.add()
        .log_records.add(time_unix_nano=now, trace_id=trace, span_id=b"\x01" * 8, severity_number=17)
    )
    record.body.string_value = mark
    record.attributes.add(key="exception.type").value.string_value = mark
    keep(store, RequestKind.LOGS, Signal.LOGS, logs, f"logs-{project}", project)
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add(resource=own.resource).scope_metrics.add().metrics.add()
    metric.name, metric.description = "queue.length", mark
    point = metric.gauge.data_points.add(time_unix_nano=now, as_double=7)
    point.attributes.add(key="queue").value.string_value = mark
    keep(store, RequestKind.METRICS, Signal.METRICS_GAUGE, metrics, f"metrics-{project}", project)


@pytest.fixture(scope="module")
def client(
    shared_services: Services,
    filled: Store,
    shared_serve: Serve,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """Lend a client of an API that knows the two keys; it sends ours."""
    shared_services.provide(Store, filled)
    shared_services.provide(Authenticator, OneKeyEach())  # type: ignore[type-abstract]
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('keys')}/control.db")
    shared_services.provide(Projects, projects := Projects(database))
    shared_services.provide(Keys, keys := Keys(database))
    shared_services.provide(Incidents, Incidents(database))
    shared_services.provide(Feedback, Feedback(database))
    for project in TRACE_OF:
        projects.create(f"{project}: word-of-{project}", project_id=project)
        keys.create(project, KeySettings(f"word-of-{project}"))
    client = shared_serve(create_app(shared_services))
    client.headers["X-API-Key"] = "ours"
    yield client
    database.close()


def paths(client: httpx.Client) -> dict[str, Any]:
    """Return what the API answers under /api/v1."""
    document: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    return {path: methods for path, methods in document.items() if path.startswith("/api/v1")}


def asked(client: httpx.Client, key: str) -> dict[str, str]:
    """Ask everything that can be read, as the owner of `key`, of ids and names of the project `theirs`."""
    owner = {"X-API-Key": "theirs"}
    log = client.get("/api/v1/logs", params=SPAN, headers=owner).json()["logs"][0]["id"]
    values = {"trace_id": TRACE_OF["theirs"], "a": TRACE_OF["theirs"], "b": TRACE_OF["theirs"]}
    values |= {"log_id": log, "name": "shop", "service_name": "shop", "key": "queue", "signal": "traces"}
    answers = {}
    for path, methods in paths(client).items():
        if "get" not in methods or path.endswith("/tail"):
            continue
        named = {it["name"]: it for it in methods["get"].get("parameters", [])}
        wanted = {
            name: values[name] for name, it in named.items() if it.get("required") and it["in"] == "query"
        }
        within = {name: value for name, value in SPAN.items() if name in named}
        for name in ("queue.length", "shop"):
            address = path.format(
                **(values | {"name": name, "error_id": "0", "prefix": "gh_00000000"})
                | {"project_id": "theirs", "incident_id": "0" * 12}
            )
            answer = client.get(address, params=wanted | within, headers={"X-API-Key": key})
            assert answer.status_code < 500, answer.text
            answers[f"{path} {name}"] = answer.text
    return answers


def test_every_answer_is_of_the_keys_own_project(client: httpx.Client) -> None:
    """Of all that can be asked, nothing tells a word of another project; the owner is told it."""
    told = {key: asked(client, key) for key in TRACE_OF}
    assert [path for path, text in told["ours"].items() if "word-of-theirs" in text] == []
    owned = [path for path, text in told["theirs"].items() if "word-of-theirs" in text]
    assert {"/api/v1/logs shop", "/api/v1/traces/{trace_id} shop"} <= set(owned)
    assert [path for path, text in told["theirs"].items() if "word-of-ours" in text] == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count() FROM otel_logs WHERE Project = 'theirs'",
        "SELECT count() FROM otel_logs AS l WHERE l.Body = 'word-of-theirs'",
        "SELECT count() FROM default.otel_logs WHERE Body LIKE '%theirs%'",
        (
            "SELECT countIf(Project != 'ours') FROM (SELECT Project FROM otel_traces UNION ALL "
            "SELECT Project FROM otel_logs)"
        ),
        "WITH x AS (SELECT * FROM otel_traces) SELECT count() FROM x WHERE Project = 'theirs'",
        "SELECT count() FROM otel_logs a JOIN otel_logs b ON 1 = 1 WHERE b.Project = 'theirs'",
        (
            "SELECT count() FROM otel_logs a RIGHT JOIN otel_traces b ON a.TraceId = b.TraceId "
            "WHERE b.Project != 'ours'"
        ),
        "SELECT count() FROM view(SELECT * FROM otel_logs) WHERE Project = 'theirs'",
        "SELECT (SELECT count() FROM otel_traces WHERE Project = 'theirs')",
        (
            "SELECT count() FROM otel_logs WHERE TraceId IN "
            "(SELECT TraceId FROM otel_traces WHERE Project = 'theirs')"
        ),
        "SELECT count() FROM otel_traces_trace_id_ts WHERE Project = 'theirs'",
        "SELECT count() FROM otel_metrics_gauge WHERE Project = 'theirs'",
    ],
)
def test_sql_counts_nothing_of_another_project(client: httpx.Client, sql: str) -> None:
    """However a query reaches a table, it finds no row of the others."""
    answer = client.post("/api/v1/sql", json={"query": sql})
    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"] == [["0"]]


@pytest.mark.parametrize(
    "table", ["otel_traces", "otel_logs", "otel_metrics_gauge", "otel_traces_trace_id_ts"]
)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count() FROM {table} WHERE throwIf({theirs}) = 0",
        "SELECT count() FROM {table} WHERE NOT throwIf({theirs}) AND Project != ''",
        "SELECT count() FROM {table} WHERE toUInt32(if({theirs}, concat('x', Project), '1')) = 1",
        "SELECT sum(toUInt32(if({theirs}, Project, '1'))) FROM {table}",
        "SELECT count() FROM (SELECT * FROM {table}) WHERE throwIf({theirs}) = 0",
        "SELECT count() FROM {table} a JOIN {table} b ON a.Project = b.Project WHERE throwIf(b.{theirs}) = 0",
        "SELECT count() FROM {table} a JOIN {table} b ON toUInt32(if(b.{theirs}, 'x', '1')) = 1",
        "SELECT count() FROM {table} GROUP BY throwIf({theirs})",
        "SELECT 1 FROM {table} ORDER BY throwIf({theirs}) LIMIT 1",
        "SELECT count() FROM {table} HAVING countIf(throwIf({theirs}) = 0) > 0",
        "SELECT DISTINCT throwIf({theirs}) FROM {table} LIMIT 1",
        "WITH x AS (SELECT * FROM {table}) SELECT count() FROM x WHERE throwIf({theirs}) = 0",
        "SELECT count() FROM {table} WHERE 1 IN (SELECT 1 FROM {table} WHERE throwIf({theirs}) = 0)",
    ],
)
def test_sql_that_fails_at_others_rows_does_not_see_them(client: httpx.Client, sql: str, table: str) -> None:
    """An expression that would fail at another project's row answers: whether it fails would tell."""
    answer = client.post("/api/v1/sql", json={"query": sql.format(table=table, theirs=THEIRS[table])})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["rows"]) == 1


def test_a_join_takes_no_rows_from_later_answers(client: httpx.Client) -> None:
    """What one statement filtered out is there for the next; nothing is remembered of the filter."""
    joined = (
        "SELECT count() FROM otel_logs a RIGHT JOIN otel_traces b ON a.TraceId = b.TraceId "
        "WHERE b.Project != 'ours'"
    )
    for sql, rows in ((joined, [["0"]]), ("SELECT count() FROM otel_traces", [["2"]])):
        assert client.post("/api/v1/sql", json={"query": sql}).json()["rows"] == rows
    [trace] = client.get("/api/v1/traces", params=SPAN).json()["traces"]
    assert trace["spans"] == 2


def test_sql_tells_a_type_of_its_own_rows(client: httpx.Client) -> None:
    """A column's type, which a subquery can decide, is not made of the others' rows either."""
    sql = "SELECT toFixedString('x', 1 + (SELECT count() FROM otel_logs)) AS x"
    [column] = client.post("/api/v1/sql", json={"query": sql}).json()["columns"]
    assert column["type"] == "Nullable(FixedString(2))"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM merge('default', 'otel_logs')",
        "SELECT total_rows FROM system.tables",
        "SELECT rows FROM system.parts",
        "SELECT * FROM system.parts_columns",
        "SELECT table_rows FROM information_schema.tables",
        "SELECT count() FROM otel_logs SETTINGS additional_table_filters = {}",
        "SELECT * FROM mergeTreeIndex('default', 'otel_logs')",
        "SELECT * FROM loop('default', 'otel_logs') LIMIT 1",
        "SELECT count() FROM otel_logs PREWHERE Project = 'theirs'",
        "SELECT count() FROM otel_logs `p` prewhere throwIf(Project = 'theirs')",
        "EXPLAIN ESTIMATE SELECT * FROM otel_logs",
        "EXPLAIN indexes = 1 SELECT * FROM otel_logs",
        "SELECT getSetting('additional_table_filters')",
    ],
)
def test_sql_that_would_look_past_the_project_is_refused(client: httpx.Client, sql: str) -> None:
    """What reads tables by another way, or tells how much everyone keeps, is 400 for a key of a project."""
    assert client.post("/api/v1/sql", json={"query": sql}).status_code == 400


@pytest.mark.parametrize("project", ["theirs", "*", "_self", "default"])
def test_a_key_cannot_name_another_project(client: httpx.Client, project: str) -> None:
    """Only who may see everything can say which project; a key is told that it sees its own alone."""
    refused = client.get("/api/v1/logs", params=SPAN | {"project": project})
    assert refused.status_code == 403
    assert refused.json()["detail"] == "project: this key sees the project ours alone"


def test_who_may_see_all_names_one_or_all(services: Services, filled: Store, serve: Serve) -> None:
    """Without keys the default project is shown, another by its name, and every one as `*`."""
    services.provide(Store, filled)
    client = serve(create_app(services))

    def seen(**named: str) -> set[str]:
        return {log["body"] for log in client.get("/api/v1/logs", params=SPAN | named).json()["logs"]}

    assert seen() == set()
    assert seen(project="ours") == {"word-of-ours"}
    assert seen(project="*") == {"word-of-ours", "word-of-theirs"}
    assert client.get("/api/v1/logs", params=SPAN | {"project": "o' OR 1"}).status_code == 400
