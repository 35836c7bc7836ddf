"""Runs the statements of ClickHouse's HTTP interface on the embedded engine; blocking."""

import json
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from glasshouse_collector.core.errors import GlasshouseError
from glasshouse_collector.store.embedded import EmbeddedEngine
from glasshouse_collector.store.engine import EngineFailure, Parameters, literal, quoted
from glasshouse_collector.store.handles import engine_failure, run
from glasshouse_collector.store.http_statement import (
    Asked,
    NotAllowed,
    insert_with_data,
    is_insert,
    settings_of_reader,
)
from glasshouse_collector.store.limits import NOTHING_REMEMBERED, QueryLimits
from glasshouse_collector.store.native_blocks import WITH_CUSTOM_SERIALIZATION, with_block_info
from glasshouse_collector.store.readonly import QueryRefused, ReadOnlyQueries

READONLY, SYNTAX_ERROR, SAME_ID_RUNS = 164, 62, 216
_FORMAT = re.compile(r"\s+FORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)
_SELECT = re.compile(r"\s*\(*\s*(?:SELECT|WITH|FROM)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a statement gave, in the format it was given in, and what it cost."""

    body: bytes
    format: str
    summary: dict[str, str] = field(default_factory=dict)


class HttpSession:
    """Answers requests; each has an engine handle of its own."""

    def __init__(self, engine: EmbeddedEngine, *, writable: bool, limits: QueryLimits) -> None:
        self._engine = engine
        self._writable = writable
        self._limits = limits
        self._readers = ReadOnlyQueries(engine)
        self._running: set[str] = set()
        self._guard = threading.Lock()

    def run(self, request: Asked, body: Iterable[bytes]) -> Reply:
        """Run the request's one statement; raises `EngineFailure` with ClickHouse's code and text."""
        with self._named(request.query_id):
            pieces = iter(body)
            if request.query.strip() and is_insert(request.query.encode()):
                statement, rest = f"{request.query}\n".encode(), pieces
            else:
                first = request.query.encode() + b"\n" if request.query.strip() else b""
                head, rest = _head(first, pieces)
                statement = head if is_insert(head) else head + b"".join(rest)
            if is_insert(statement):
                return self._insert(request, statement, rest)
            try:
                sql = statement.decode().strip()
            except UnicodeDecodeError:
                raise EngineFailure(
                    _error(SYNTAX_ERROR, "The query is no UTF-8"), code=SYNTAX_ERROR
                ) from None
            return self._write(request, sql) if self._writable else self._read(request, sql)

    def cancel(self, query_id: str) -> None:
        """End what runs under that id: its client has gone."""
        self._engine.command(f"KILL QUERY WHERE Settings['log_comment'] = {literal(query_id)} ASYNC")

    @contextmanager
    def _named(self, query_id: str) -> Iterator[None]:
        with self._guard:
            if query_id in self._running:
                text = f"Query with id = {query_id} is already running."
                raise EngineFailure(_error(SAME_ID_RUNS, text), code=SAME_ID_RUNS)
            self._running.add(query_id)
        try:
            yield
        finally:
            with self._guard:
                self._running.discard(query_id)

    def _read(self, request: Asked, sql: str) -> Reply:
        shown = _FORMAT.search(sql)
        output = shown.group(1) if shown else request.default_format
        try:
            settings = settings_of_reader(request.settings, self._limits.options())
            statement = self._readers.admit(sql[: shown.start()] if shown else sql, request.parameters)
        except (NotAllowed, QueryRefused) as refused:
            code = getattr(refused, "code", None) or READONLY
            raise EngineFailure(_error(code, str(refused)), code=code) from None
        except GlasshouseError as closed:
            raise EngineFailure(str(closed), code=None) from None
        settings |= {"log_comment": request.query_id, "allow_introspection_functions": 0, "readonly": 1}
        settings |= NOTHING_REMEMBERED
        return self._answer(request, statement, output, settings)

    def _write(self, request: Asked, sql: str) -> Reply:
        shown = _FORMAT.search(sql)
        output = shown.group(1) if shown else request.default_format
        settings = {"log_comment": request.query_id, **request.settings}
        return self._answer(request, sql[: shown.start()] if shown else sql, output, settings, check=True)

    def _answer(
        self, request: Asked, sql: str, output: str, settings: dict[str, Any], *, check: bool = False
    ) -> Reply:
        with self._handle(request, settings) as connection:
            if check:
                _check_single(connection, sql)
            result = run(connection, f"{sql}\n", output, request.parameters)
            body = result.bytes() or b""
            columns = (
                self._columns(connection, sql, request.parameters)
                if output == "Native" and request.protocol >= WITH_CUSTOM_SERIALIZATION
                else None
            )
        if columns:
            with self._handle(request, {}) as connection:
                body = with_block_info(connection, body, columns)
        return Reply(body, output, _summary(result))

    def _columns(self, connection: Any, sql: str, parameters: Parameters) -> list[tuple[str, str]]:
        if _SELECT.match(sql):
            result = run(connection, f"DESCRIBE TABLE ({sql}\n)", "JSONCompact", parameters)
            return [(row[0], row[1]) for row in json.loads(result.bytes())["data"]]
        meta = json.loads(run(connection, sql, "JSONCompact", parameters).bytes() or b"{}").get("meta", [])
        return [(column["name"], column["type"]) for column in meta]

    def _insert(self, request: Asked, statement: bytes, rest: Iterator[bytes]) -> Reply:
        if not self._writable:
            text = "Cannot execute query in readonly mode: start the store with --writable"
            raise EngineFailure(_error(READONLY, text), code=READONLY)
        settings = {"log_comment": request.query_id, **request.settings}
        insert = insert_with_data(statement)
        if insert is None:
            return self._answer(
                request, (statement + b"".join(rest)).decode(), request.default_format, settings, check=False
            )
        with self._handle(request, settings) as connection:
            try:
                with connection.send_insert(insert.head, insert.format) as inserter:
                    for piece in _joined(insert.data, rest):
                        inserter.append(piece)
                    written = inserter.finish()
            except RuntimeError as failure:
                raise engine_failure(failure) from None
        summary = {"written_rows": str(written.rows_written), "written_bytes": str(written.bytes_written)}
        return Reply(b"", request.default_format, summary)

    @contextmanager
    def _handle(self, request: Asked, settings: dict[str, Any]) -> Iterator[Any]:
        with self._engine.handle() as connection:
            if request.database:
                run(connection, f"USE {quoted(request.database)}", "Null")
            if settings:
                last = {"readonly": settings.pop("readonly")} if "readonly" in settings else {}
                chosen = ", ".join(
                    f"{name} = {literal(value)}" for name, value in {**settings, **last}.items()
                )
                run(connection, f"SET {chosen}", "Null")
            yield connection


def _head(first: bytes, pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Read until a statement's kind and clauses can be seen."""
    for piece in pieces:
        first += piece
        if len(first) >= 64 * 1024:
            break
    return first, pieces


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from (piece for piece in rest if piece)


def _check_single(connection: Any, sql: str) -> None:
    report = connection._conn.classify_query(sql, "default")  # noqa: SLF001  (chdb.durable does so too)
    if int(report["statement_count"]) > 1:
        text = "Syntax error (Multi-statements are not allowed)"
        raise EngineFailure(_error(SYNTAX_ERROR, text), code=SYNTAX_ERROR)


def _summary(result: Any) -> dict[str, str]:
    return {
        "read_rows": str(result.rows_read()),
        "read_bytes": str(result.bytes_read()),
        "written_rows": str(result.rows_written()),
        "written_bytes": str(result.bytes_written()),
        "elapsed_ns": str(int(result.elapsed() * 1e9)),
    }


def _error(code: int, text: str) -> str:
    return f"Code: {code}. DB::Exception: {text}"
