"""Questions in SQL, over a real socket to a real embedded store."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pyarrow as pa
import pytest

from glasshouse_collector.api import ApiConfig, create_app
from glasshouse_collector.core.access import Authenticator, TokenAccess
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.status import Status
from glasshouse_collector.store import Store

Serve = Callable[..., httpx.Client]
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def client(shared_services: Services, store: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with a store."""
    shared_services.provide(Store, store)
    return shared_serve(create_app(shared_services))


def ask(client: httpx.Client, query: str, **more: Any) -> httpx.Response:
    """Ask one query."""
    return client.post("/api/v1/sql", json={"query": query, **more})


def value(client: httpx.Client, expression: str) -> Any:
    """Return one expression's value as JSON carries it."""
    answer = ask(client, f"SELECT {expression}")
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"][0][0]


def test_an_answer_has_columns_rows_and_statistics(client: httpx.Client) -> None:
    """Columns have ClickHouse's names and types, rows are lists in their order."""
    answer = ask(client, "SELECT number AS n, toString(number) AS t FROM numbers(3)")
    assert answer.status_code == 200
    body = answer.json()
    assert body["columns"] == [{"name": "n", "type": "UInt64"}, {"name": "t", "type": "String"}]
    assert body["rows"] == [["0", "0"], ["1", "1"], ["2", "2"]]
    assert body["statistics"]["rows_read"] == 3
    assert body["statistics"]["elapsed_seconds"] > 0


def test_an_answer_without_rows_keeps_its_columns(client: httpx.Client) -> None:
    """The columns of an empty table are told."""
    body = ask(client, "SELECT TraceId, Timestamp, SpanAttributes FROM otel_traces").json()
    assert [it["name"] for it in body["columns"]] == ["TraceId", "Timestamp", "SpanAttributes"]
    assert body["rows"] == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1::UInt8", 1),
        ("toUInt64('18446744073709551615')", "18446744073709551615"),
        ("toInt64(-5)", "-5"),
        ("toInt128('-170141183460469231731687303715884105728')", "-170141183460469231731687303715884105728"),
        ("toUInt256('7')", "7"),
        ("1.5", 1.5),
        ("nan", "NaN"),
        ("inf", "Infinity"),
        ("-inf", "-Infinity"),
        ("CAST(1.5, 'BFloat16')", 1.5),
        ("toDecimal64('1.2500', 4)", "1.2500"),
        ("true", True),
        ("NULL", None),
        ("'hé'", "hé"),
        ("unhex('ff61')", "\ufffda"),
        ("toFixedString('ab', 2)", "ab"),
        ("toLowCardinality('lc')", "lc"),
        ("toDate('2024-01-02')", "2024-01-02"),
        ("toDateTime('2024-01-02 03:04:05', 'Asia/Tokyo')", "2024-01-01T18:04:05Z"),
        ("toDateTime64('2024-01-02 03:04:05.123456789', 9, 'UTC')", "2024-01-02T03:04:05.123456789Z"),
        ("toDateTime64('1950-01-02 03:04:05.5', 3, 'UTC')", "1950-01-02T03:04:05.500Z"),
        ("CAST(NULL, 'Nullable(DateTime64(3))')", None),
        ("toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
        ("toIPv4('1.2.3.4')", "1.2.3.4"),
        ("toIPv6('::1')", "::1"),
        ("CAST('b, \\'c', 'Enum8(\\'a\\' = 1, \\'b, \\\\\\'c\\' = -2)')", "b, 'c"),
        ("[1, 2]::Array(UInt64)", ["1", "2"]),
        ("[[toDate('2024-01-02')], []]", [["2024-01-02"], []]),
        ("map('a', 1::UInt64, 'b', 2)", {"a": "1", "b": "2"}),
        ("map(1, [nan])", {"1": ["NaN"]}),
        ("tuple(1, 'x')", [1, "x"]),
        (
            "CAST((1, toDateTime64(0, 9, 'UTC')), 'Tuple(a UInt64, `b c` DateTime64(9, \\'UTC\\'))')",
            {"a": "1", "b c": "1970-01-01T00:00:00.000000000Z"},
        ),
        ("INTERVAL 3 DAY", "3"),
    ],
)
def test_every_type_is_told_in_json_without_loss(
    client: httpx.Client, expression: str, expected: object
) -> None:
    """What JSON has no number for is text; nested types keep their shape."""
    assert value(client, expression) == expected


def test_rows_of_nested_values_keep_their_own(client: httpx.Client) -> None:
    """Arrays, maps and tuples of many rows, empty ones among them, fall to the right rows."""
    query = (
        "SELECT range(number % 3)::Array(UInt64), if(number % 2, map('k', number), map()), "
        "(number, toString(number)) FROM numbers(4)"
    )
    assert ask(client, query).json()["rows"] == [
        [[], {}, ["0", "0"]],
        [["0"], {"k": "1"}, ["1", "1"]],
        [["0", "1"], {}, ["2", "2"]],
        [[], {"k": "3"}, ["3", "3"]],
    ]


def test_parameters_are_values_not_text(client: httpx.Client) -> None:
    """A parameter cannot change the query."""
    nasty = "' OR 1=1 --"
    answer = ask(client, "SELECT {a:String}, {b:UInt8}", parameters={"a": nasty, "b": 7})
    assert answer.json()["rows"] == [[nasty, 7]]


def test_an_arrow_stream_for_those_who_accept_it(client: httpx.Client) -> None:
    """The same rows as an Arrow IPC stream."""
    answer = client.post(
        "/api/v1/sql",
        json={"query": "SELECT number FROM numbers(3)"},
        headers={"Accept": "application/vnd.apache.arrow.stream"},
    )
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert pa.ipc.open_stream(answer.content).read_all().to_pylist() == [{"number": it} for it in range(3)]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELEC 1", "Syntax error"),
        ("SELECT nothing FROM otel_traces", "nothing"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("INSERT INTO otel_logs (Body) VALUES ('x')", "only reads"),
        ("DROP TABLE otel_traces", "only reads"),
        ("SELECT 1; SELECT 2", "Multi-statements are not allowed"),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')", "not allowed"),
        ("SELECT * FROM file('/etc/passwd', 'LineAsString')", "not allowed"),
        ("SELECT 1 SETTINGS max_execution_time = 0", "not allowed"),
        ("SELECT 1 INTO OUTFILE '/tmp/glasshouse-must-not-exist'", "INTO OUTFILE"),
        ("SELECT 1 FORMAT CSV", "FORMAT is not allowed here; ask with format=csv, ndjson or parquet instead"),
        ("SELECT throwIf(1, 'first\nsecond')", "first second"),
    ],
)
def test_a_query_that_may_not_run_is_a_problem_in_one_line(
    client: httpx.Client, query: str, told: str
) -> None:
    """Wrong and forbidden queries are 400 with the reason, never a traceback."""
    answer = ask(client, query)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert told in problem["detail"]
    assert "\n" not in problem["detail"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("limits", "query", "setting"),
    [
        ({"query_rows": 100}, "SELECT number FROM numbers(101)", "api.query_rows"),
        (
            {"query_seconds": 0.1},
            "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(number)",
            "api.query_seconds",
        ),
        (
            {"query_memory": 20 << 20},
            "SELECT length(groupArray(number)) FROM numbers(100000000)",
            "api.query_memory",
        ),
    ],
)
def test_a_query_over_a_limit_names_the_setting(  # noqa: PLR0913, PLR0917  (fixtures)
    services: Services, store: Store, serve: Serve, limits: dict[str, Any], query: str, setting: str
) -> None:
    """Rows, time and memory over the limit are 422, never a shorter answer."""
    services.provide(Store, store)
    answer = ask(serve(create_app(services, ApiConfig(**limits))), query)
    assert answer.status_code == 422, answer.text
    assert setting in answer.json()["detail"]
    assert answer.json()["clickhouse_code"] > 0


@dataclass
class HeldStore:
    """A store whose questions wait until they may go on; notes what it is asked."""

    store: Store
    entered: threading.Event = field(default_factory=threading.Event)
    leave: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def of_project(self, project: str, comment: str) -> Any:
        """Return a project's view of it."""
        within = self.store.of_project(project, comment)
        ask = within.query_readonly

        def query_readonly(sql: str, *arguments: Any) -> Any:
            self.asked.append(sql)
            self.entered.set()
            assert self.leave.wait(30)
            return ask(sql, *arguments)

        within.query_readonly = query_readonly  # type: ignore[method-assign, assignment]
        return within


def hold(services: Services, store: Store) -> HeldStore:
    """Let the services offer a held store."""
    held = HeldStore(store)
    services.provide(Store, cast("Store", held))
    return held


def test_too_many_questions_are_told_to_come_back(services: Services, store: Store, serve: Serve) -> None:
    """A question that finds no free turn in time is 503 with Retry-After; the running one is answered."""
    held = hold(services, store)
    limits = ApiConfig(query_concurrency=1, query_concurrency_per_key=2, query_wait_seconds=0.05)
    client = serve(create_app(services, limits))
    first: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: first.append(ask(client, "SELECT 1")))
    asking.start()
    assert held.entered.wait(30)
    refused = ask(client, "SELECT 2")
    held.leave.set()
    asking.join()
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "2"
    assert first[0].json()["rows"] == [[1]]
    assert ask(client, "SELECT 3").json()["rows"] == [[3]]


def test_one_key_leaves_turns_to_others(services: Services, store: Store, serve: Serve) -> None:
    """Beyond its own turns a key is told 429, while another project is still answered."""
    held = hold(services, store)
    limits = ApiConfig(query_concurrency=2, query_concurrency_per_key=1, query_wait_seconds=0.05)
    client = serve(create_app(services, limits))
    asking = threading.Thread(target=lambda: ask(client, "SELECT 1"))
    asking.start()
    assert held.entered.wait(30)
    refused = ask(client, "SELECT 2")
    held.leave.set()
    other = client.post("/api/v1/sql?project=other", json={"query": "SELECT 3"})
    asking.join()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "2"
    assert other.json()["rows"] == [[3]]


def test_who_hangs_up_while_waiting_is_not_asked_for(services: Services, store: Store, serve: Serve) -> None:
    """A question whose asker left before its turn never reaches the store."""
    held = hold(services, store)
    client = serve(create_app(services, ApiConfig(query_concurrency=1, query_wait_seconds=30)))
    asking = threading.Thread(target=lambda: ask(client, "SELECT 1"))
    asking.start()
    assert held.entered.wait(30)
    with httpx.Client(base_url=client.base_url, timeout=0.5) as hasty, pytest.raises(httpx.ReadTimeout):
        ask(hasty, "SELECT 2")
    wait_for_status(client, "400")
    held.leave.set()
    asking.join()
    assert held.asked == ["SELECT 1"]
    assert ask(client, "SELECT 3").status_code == 200
    assert held.asked == ["SELECT 1", "SELECT 3"]


def test_who_hangs_up_while_asking_stops_the_query(services: Services, store: Store, serve: Serve) -> None:
    """The engine ends the query long before its limit, and the turn is free again."""
    services.provide(Store, store)
    client = serve(create_app(services, ApiConfig(query_concurrency=1, query_seconds=600)))
    endless = "SELECT sum(cityHash64(number)) FROM numbers(100000000000)"
    running = (
        "SELECT query FROM system.processes "
        "WHERE query LIKE '%numbers(100000000000)%' AND query NOT LIKE '%processes%'"
    )
    with httpx.Client(base_url=client.base_url, timeout=1) as hasty, pytest.raises(httpx.ReadTimeout):
        ask(hasty, endless)
    wait_for_status(client, "400")
    assert not store.query_arrow(running).num_rows
    assert ask(client, "SELECT 3").json()["rows"] == [[3]]


def test_a_slow_question_is_logged_without_what_it_asks(
    services: Services, store: Store, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Its route, project and ClickHouse's mark of it are told, its SQL is not; and it is counted."""
    services.provide(Store, store)
    client = serve(create_app(services, ApiConfig(slow_query_seconds=0.001)))
    ask(client, "SELECT 'confidential', sum(number) FROM numbers(10000000)")
    [told] = [it.getMessage() for it in caplog.records if "slow question" in it.getMessage()]
    assert "POST /api/v1/sql took" in told
    assert "project default, key none, log_comment glasshouse-" in told
    assert "confidential" not in told
    assert 'glasshouse_api_slow_questions_total{route="/api/v1/sql"} 1.0' in client.get("/metrics").text


def wait_for_status(client: httpx.Client, status: str) -> None:
    """Wait until the API has counted an answer of that status to a query."""
    line = f'glasshouse_api_requests_total{{method="POST",route="/api/v1/sql",status="{status}"}} 1.0'
    for _ in range(1000):
        if line in client.get("/metrics").text:
            return
    pytest.fail(f"no answer {status} was counted")


def test_without_a_store_it_says_why(services: Services, serve: Serve) -> None:
    """Before the store is connected a question is 503 with the store's own reason."""
    services.get(Status).set("store", ready=False, detail="connection refused")
    answer = ask(serve(create_app(services)), "SELECT 1")
    assert answer.status_code == 503
    assert "the store is not connected: connection refused" in answer.json()["detail"]
    assert "retry-after" in answer.headers


def test_only_a_key_opens_it(services: Services, store: Store, serve: Serve) -> None:
    """Without the right key /api/v1 and /metrics are 401, and the health pages stay open."""
    services.provide(Store, store)
    services.provide(Authenticator, TokenAccess("secret"))  # type: ignore[type-abstract]
    client = serve(create_app(services))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}):
        refused = client.post("/api/v1/sql", json={"query": "SELECT 1"}, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["content-type"] == PROBLEM
        assert refused.headers["www-authenticate"] == "Bearer"
    for headers in ({"Authorization": "Bearer secret"}, {"X-API-Key": "secret"}):
        assert client.post("/api/v1/sql", json={"query": "SELECT 1"}, headers=headers).status_code == 200
    assert {client.get(it).status_code for it in ("/health", "/live")} == {200}
    assert client.get("/metrics").status_code == 401


@pytest.mark.parametrize(
    ("content", "content_type", "told"),
    [
        (b"{", "application/json", "the body is no JSON"),
        (b'{"sql": "SELECT 1"}', "application/json", "query"),
        (b'{"query": ""}', "application/json", "query"),
        (b'{"query": 1}', "application/json", "query"),
        (b'{"query": "SELECT 1"}', "text/plain", "body"),
    ],
)
def test_a_malformed_body_names_the_field(
    client: httpx.Client, content: bytes, content_type: str, told: str
) -> None:
    """A body that is no question is 400 and names what is wrong."""
    answer = client.post("/api/v1/sql", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == PROBLEM
    assert told in answer.json()["detail"]
