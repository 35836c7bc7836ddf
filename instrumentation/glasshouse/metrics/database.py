"""Query durations, errors and the connection pool of a SQLAlchemy engine, by the semantic conventions."""

import re
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from glasshouse.failures import contained
from glasshouse.metrics import histogram, observe
from glasshouse.metrics.measurements import Given, Number

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine, ExceptionContext
    from sqlalchemy.ext.asyncio import AsyncEngine

Undo = Callable[[], None]
Observed = Iterable[tuple[Number, Given]]

operation_duration = histogram("db.client.operation.duration", "s", "Duration of database client operations.")

# Names of the conventions where SQLAlchemy's differ.
_SYSTEMS = {"mssql": "microsoft.sql_server", "oracle": "oracle.db"}
_OPERATIONS = frozenset(
    {"ALTER", "BEGIN", "CALL", "CREATE", "DELETE", "DROP", "INSERT", "MERGE", "PRAGMA", "SELECT", "TRUNCATE"}
    | {"REPLACE", "SET", "SHOW", "UPDATE", "VACUUM", "WITH"}
)
_FIRST_WORD = re.compile(r"[\s(]*([A-Za-z]+)")
_STARTED = "glasshouse.started"

_watched: "weakref.WeakKeyDictionary[Engine, Undo]" = weakref.WeakKeyDictionary()


def watch_engine(engine: "Engine | AsyncEngine", pool_name: str | None = None) -> Undo:
    """Report each query of a SQLAlchemy engine, and its pool at each collection, until the result is called.

    `pool_name` is by default host, port and database. Watching twice is watching once.
    """
    watched: Engine = getattr(engine, "sync_engine", engine)  # type: ignore[arg-type]
    with contained("watching a database engine"):
        if watched not in _watched:
            undos = [_watch_queries(watched), _watch_pool(watched, pool_name or _pool_name(watched))]
            _watched[watched] = partial(_end, weakref.ref(watched), undos)
        return _watched[watched]
    return lambda: None


def _end(reference: "weakref.ref[Engine]", undos: list[Undo]) -> None:
    engine = reference()
    if engine is not None:
        _watched.pop(engine, None)
    while undos:
        undos.pop()()


def _watch_queries(engine: "Engine") -> Undo:
    from sqlalchemy import event  # noqa: PLC0415 - whoever has an engine has it

    about = _about(engine)

    def start(connection: Any, *_: Any) -> None:
        connection.info.setdefault(_STARTED, []).append(time.perf_counter())

    def end(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        _record(connection, statement, about, None)

    def fail(failure: "ExceptionContext") -> None:
        error = failure.original_exception
        _record(failure.connection, failure.statement, about, type(error).__qualname__)

    listeners: Mapping[str, Callable[..., None]] = {
        "before_cursor_execute": start,
        "after_cursor_execute": end,
        "handle_error": fail,
    }
    for name, listener in listeners.items():
        event.listen(engine, name, listener)

    reference = weakref.ref(engine)

    def undo() -> None:
        for name, listener in listeners.items():
            if (still := reference()) is not None:
                event.remove(still, name, listener)

    return undo


def _record(connection: Any, statement: str | None, about: Mapping[str, object], error: str | None) -> None:
    # An error outside of a query, as of a commit or a connect, has no start.
    with contained("recording a query"):
        started = connection.info.get(_STARTED) if connection is not None else None
        if not started or statement is None:
            return
        elapsed = time.perf_counter() - started.pop()
        word = _FIRST_WORD.match(statement)
        operation = word[1].upper() if word else None
        named = {"db.operation.name": operation if operation in _OPERATIONS else None, "error.type": error}
        operation_duration.record(elapsed, {**about, **named})


def _watch_pool(engine: "Engine", name: str) -> Undo:
    # The metrics outlive many an engine; a reference would keep its connections open.
    reference = weakref.ref(engine)
    about = {"db.client.connection.pool.name": name}

    def counts() -> Observed:
        pool = _pool(reference)
        if pool is None:
            return []
        used, idle = pool.checkedout(), pool.checkedin()
        return [
            (used, {**about, "db.client.connection.state": "used"}),
            (idle, {**about, "db.client.connection.state": "idle"}),
        ]

    def most() -> Observed:
        pool = _pool(reference)
        overflow = getattr(pool, "_max_overflow", -1)
        # -1: as many as are asked for.
        return [(pool.size() + overflow, about)] if pool is not None and overflow >= 0 else []

    undos = [
        observe(
            "up_down_counter",
            "db.client.connection.count",
            "{connection}",
            "Connections of the pool that are in the state described.",
            counts,
        ),
        observe(
            "up_down_counter",
            "db.client.connection.max",
            "{connection}",
            "Most open connections allowed.",
            most,
        ),
    ]

    def undo() -> None:
        for each in undos:
            each()

    weakref.finalize(engine, undo).atexit = False
    return undo


def _pool(reference: "weakref.ref[Engine]") -> Any:
    """Return the pool that the engine has now, if it is one that counts."""
    engine = reference()
    pool = engine.pool if engine is not None else None
    return pool if hasattr(pool, "checkedout") and hasattr(pool, "checkedin") else None


def _about(engine: "Engine") -> dict[str, object]:
    url = engine.url
    return {
        "db.system.name": _SYSTEMS.get(engine.dialect.name, engine.dialect.name),
        "db.namespace": url.database,
        "server.address": url.host,
        "server.port": url.port,
    }


def _pool_name(engine: "Engine") -> str:
    url = engine.url
    place = f"{url.host}:{url.port}" if url.port else url.host or ""
    return f"{place}/{url.database or engine.dialect.name}".lstrip("/")
