"""Answers as JSON, or their rows as CSV, NDJSON or Parquet."""

import csv
import io
from collections.abc import Iterable
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import Depends, Query
from pydantic import BaseModel
from starlette.requests import Request

from glasshouse_collector.api.flat_rows import cell, columns_of, flattened
from glasshouse_collector.api.problems import Problem


class Format(StrEnum):
    """What an answer is written as."""

    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


MEDIA_TYPES: Final = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}
BINARY: Final = {"type": "string", "format": "binary"}
EXPORTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            media_type.partition(";")[0]: {"schema": BINARY}
            for name, media_type in MEDIA_TYPES.items()
            if name is not Format.JSON
        }
    }
}
"""The other answers of a route whose rows can be exported."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""With what a spreadsheet takes a text for a formula."""


def asked_format(
    wanted: Annotated[
        Format | None,
        Query(
            alias="format",
            description="What the rows are written as; without it, what `Accept` says, else JSON. The other "
            "formats hold the rows alone: nested fields as `name.field`, lists as JSON.",
        ),
    ] = None,
) -> None:
    """Document the parameter; `format_of` reads it."""
    del wanted


EXPORTABLE: Final = [Depends(asked_format)]
"""The dependencies of a route whose rows can be exported."""


def format_of(request: Request) -> Format:
    """Return the format that is asked for, by the parameter or the header. Raises `Problem`."""
    written = request.query_params.get("format")
    if written is not None:
        try:
            return Format(written)
        except ValueError:
            raise Problem(HTTPStatus.BAD_REQUEST, f"format: one of {', '.join(Format)} is expected") from None
    accepted = request.headers.get("accept", "").lower()
    for name, media_type in MEDIA_TYPES.items():
        if media_type.partition(";")[0] in accepted:
            return name
    return Format.JSON


def encode(found: BaseModel, rows: str, wanted: Format) -> bytes:
    """Return the answer in the format; all but JSON hold the list `rows` of the answer alone."""
    if wanted is Format.JSON:
        return found.model_dump_json().encode()
    listed = found.model_dump(mode="json")[rows]
    if wanted is Format.NDJSON:
        return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in listed)
    columns = columns_of(type(found), rows, listed)
    flat = [dict(flattened(row)) for row in listed]
    if wanted is Format.CSV:
        return _csv(list(columns), ([row.get(name) for name in columns] for row in flat))
    return _parquet(
        pa.table({name: array([row.get(name) for row in flat]) for name, array in columns.items()})
    )


def encode_table(table: pa.Table, values: Iterable[Iterable[Any]], wanted: Format) -> bytes:
    """Return a table of the store; `values` are its columns as JSON shows them."""
    if wanted is Format.PARQUET:
        return _parquet(table)
    rows = zip(*values, strict=True)
    if wanted is Format.CSV:
        return _csv(table.column_names, ([cell(value) for value in row] for row in rows))
    return b"".join(
        orjson.dumps(dict(zip(table.column_names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
        for row in rows
    )


def _csv(names: list[str], rows: Iterable[Iterable[Any]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([_harmless(name) for name in names])
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return written.getvalue().encode()


def _harmless(value: Any) -> Any:
    """Return the value as CSV has it, and so that no spreadsheet runs what a sender wrote into it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    body: bytes = sink.getvalue().to_pybytes()
    return body
