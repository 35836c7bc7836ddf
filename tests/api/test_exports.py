"""Rows as CSV, NDJSON and Parquet, of lists and of SQL."""

import csv
import io
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from glasshouse_collector.api import create_app
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from kept_records import keep

Serve = Callable[..., httpx.Client]
NOON = 1_900_000_800 * 10**9
SPAN = {"start_time": "2030-03-15T00:00:00Z", "end_time": "2030-03-19T00:00:00Z", "order": "oldest"}
BODIES = ['says "hi", twice', "=1+cmd|'/C calc'!A0", "two\nlines", "naïve"]


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    """Keep a few awkward log records."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for number, body in enumerate(BODIES):
        record = records.add(time_unix_nano=NOON + number, severity_number=9)
        record.body.string_value = body
        record.attributes.add(key="order.id").value.int_value = number
    keep(store, RequestKind.LOGS, Signal.LOGS, request, "exported")
    return store


@pytest.fixture(scope="module")
def client(shared_services: Services, filled: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with the records."""
    shared_services.provide(Store, filled)
    return shared_serve(create_app(shared_services))


def logs(client: httpx.Client, **more: Any) -> httpx.Response:
    """Ask for the log records."""
    answer = client.get("/api/v1/logs", params=SPAN | more.pop("params", {}), **more)
    assert answer.status_code == 200, answer.text
    return answer


def test_csv_has_a_line_a_record_and_runs_in_no_spreadsheet(client: httpx.Client) -> None:
    """Nested fields are columns of their own, and what looks like a formula is marked as text."""
    answer = logs(client, params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["body"] for row in rows] == [BODIES[0], "'" + BODIES[1], *BODIES[2:]]
    assert [row["attributes.order.id"] for row in rows] == ["0", "1", "2", "3"]


def test_ndjson_has_the_records_as_json_has_them(client: httpx.Client) -> None:
    """Each line is one record, the same as in the answer as JSON; the header asks as well."""
    answer = logs(client, headers={"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [orjson.loads(line) for line in answer.content.splitlines()] == logs(client).json()["logs"]


def test_parquet_opens_as_a_table(client: httpx.Client) -> None:
    """With the columns of the CSV, and the texts as they are."""
    table = pq.read_table(io.BytesIO(logs(client, params={"format": "parquet"}).content))
    assert table.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert table["time"].cast(pa.int64()).to_pylist() == [NOON + number for number in range(len(BODIES))]
    assert table["body"].to_pylist() == BODIES
    assert "attributes.order.id" in table.column_names


def test_columns_are_the_same_whatever_rows_there_are(client: httpx.Client) -> None:
    """Those of the model, in its order; what senders name stands where the field does."""
    all_rows, one, none = (
        next(csv.reader(io.StringIO(logs(client, params={"format": "csv", **asked}).text, newline="")))
        for asked in ({}, {"limit": 1, "order": "newest"}, {"service_name": "none"})
    )
    fields = list(logs(client).json()["logs"][0])
    assert all_rows == one
    assert [name for name in all_rows if "." not in name] == [it for it in fields if it in all_rows]
    assert none == [name for name in all_rows if not name.startswith("attributes.")]


@pytest.mark.parametrize("wanted", ["csv", "ndjson", "parquet"])
def test_an_answer_without_rows_is_an_empty_file(client: httpx.Client, wanted: str) -> None:
    """Where nothing is found there are no lines below the head; Parquet still opens."""
    answer = logs(client, params={"service_name": "none", "format": wanted})
    if wanted == "parquet":
        assert pq.read_table(io.BytesIO(answer.content)).num_rows == 0
    elif wanted == "csv":
        assert answer.text.startswith("id,")
        assert answer.text.count("\r\n") == 1
    else:
        assert answer.text.strip() == ""


def test_the_parameter_wins_over_the_header(client: httpx.Client) -> None:
    """So that an address in a browser, which accepts anything, is enough."""
    answer = logs(client, params={"format": "json"}, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/v1/logs?format=xlsx", "format: one of json, csv, ndjson or parquet is expected, not 'xlsx'"),
        (f"/api/v1/traces/{'ab' * 16}?format=csv", "format: there is no such parameter"),
    ],
)
def test_a_format_that_cannot_be_is_told(client: httpx.Client, path: str, told: str) -> None:
    """An unknown format, and one asked of an answer that is no list, are 400."""
    answer = client.get(path)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("wanted", ["csv", "ndjson", "parquet"])
def test_sql_is_exported_too(client: httpx.Client, wanted: str) -> None:
    """The rows of a query, with its own columns."""
    sql = "SELECT Body, toUInt64(18446744073709551615) AS large FROM otel_logs ORDER BY Timestamp LIMIT 1"
    answer = client.post(f"/api/v1/sql?format={wanted}", json={"query": sql})
    assert answer.status_code == 200, answer.text
    if wanted == "parquet":
        assert pq.read_table(io.BytesIO(answer.content)).to_pylist() == [
            {"Body": BODIES[0], "large": 18446744073709551615}
        ]
    elif wanted == "csv":
        assert list(csv.reader(io.StringIO(answer.text))) == [
            ["Body", "large"],
            [BODIES[0], "18446744073709551615"],
        ]
    else:
        assert orjson.loads(answer.content) == {"Body": BODIES[0], "large": "18446744073709551615"}
