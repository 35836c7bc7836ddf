"""Questions in SQL, which can read the store's tables and do nothing else."""

from typing import Any

import orjson
import pyarrow as pa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from glasshouse_collector.api.exports import (
    BINARY,
    EXPORTABLE,
    EXPORTS,
    MEDIA_TYPES,
    Format,
    encode_table,
    format_of,
)
from glasshouse_collector.api.json_values import json_values
from glasshouse_collector.api.problems import BODY_PROBLEMS, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.store import ProjectStore, QueryAnswer

ARROW = "application/vnd.apache.arrow.stream"


class SqlQuestion(BaseModel):
    """One statement that reads."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(
        min_length=1,
        description="One SELECT, SHOW, DESCRIBE or EXPLAIN in ClickHouse's SQL.",
        examples=["SELECT ServiceName, count() AS spans FROM otel_traces GROUP BY ServiceName"],
    )
    parameters: dict[str, str | int | float | bool] = Field(
        default={},
        description="Values for `{name:Type}` in the query; never put a value into the text itself.",
        examples=[{"service": "shop"}],
    )


class SqlColumn(BaseModel):
    """One column of an answer."""

    name: str
    type: str = Field(description="ClickHouse's type.", examples=["LowCardinality(String)", "DateTime64(9)"])


class SqlStatistics(BaseModel):
    """What the query cost."""

    elapsed_seconds: float
    rows_read: int
    bytes_read: int


class SqlAnswer(BaseModel):
    """The rows of an answer."""

    columns: list[SqlColumn]
    rows: list[list[Any]] = Field(
        description="A list a row, in the order of the columns. Integers of 64 bits and more, and decimals, "
        'are text; so are NaN and the infinities ("NaN", "Infinity", "-Infinity"); times are RFC 3339 in UTC.'
    )
    statistics: SqlStatistics


def sql_routes(questions: Questions) -> APIRouter:
    """Return `/sql`."""
    routes = APIRouter(tags=["sql"])

    @routes.post(
        "/sql",
        summary="Ask in SQL",
        response_model=SqlAnswer,
        dependencies=EXPORTABLE,
        responses={
            200: {"content": {ARROW: {"schema": BINARY}, **EXPORTS[200]["content"]}},
            **answers(*BODY_PROBLEMS),
        },
    )
    async def sql(request: Request, question: SqlQuestion) -> Response:
        """Run one read-only statement within the collector's limits of time, rows and memory.

        Answers JSON, another `format`, or an Arrow IPC stream to
        `Accept: application/vnd.apache.arrow.stream`. A
        statement that is wrong or may not run is a 400 with ClickHouse's message; one that goes
        over a limit is a 422, never a shorter answer; where too many questions are being
        answered, or the store is away, it is a 503 with Retry-After.
        """
        wanted = format_of(request)
        as_arrow = ARROW in request.headers.get("accept", "")

        def ask(store: ProjectStore) -> bytes:
            answer = store.query_readonly(question.query, questions.limits, question.parameters)
            return _arrow(answer) if as_arrow else _encoded(answer, wanted)

        body = await questions.ask(request, ask)
        return Response(body, media_type=ARROW if as_arrow else MEDIA_TYPES[wanted])

    return routes


def _arrow(answer: QueryAnswer) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, answer.table.schema) as stream:
        stream.write_table(answer.table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def _encoded(answer: QueryAnswer, wanted: Format) -> bytes:
    columns = [
        json_values(column, kind)
        for column, (_, kind) in zip(answer.table.columns, answer.columns, strict=True)
    ]
    return _json(answer, columns) if wanted is Format.JSON else encode_table(answer.table, columns, wanted)


def _json(answer: QueryAnswer, columns: list[list[Any]]) -> bytes:
    statistics = answer.statistics
    return orjson.dumps(
        {
            "columns": [{"name": name, "type": kind} for name, kind in answer.columns],
            "rows": list(zip(*columns, strict=True)),
            "statistics": {
                "elapsed_seconds": statistics.elapsed,
                "rows_read": statistics.rows_read,
                "bytes_read": statistics.bytes_read,
            },
        }
    )
