"""The ready-made metrics: databases, caches, HTTP, business and the process itself."""

import asyncio
import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from glasshouse.metrics import business, cache, database, http, process
from glasshouse.metrics.observables import bind_all
from metric_reading import Reading


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Return an engine with a pool of at most three connections."""
    return create_engine(f"sqlite:///{tmp_path / 'shop.db'}", pool_size=2, max_overflow=1)


def test_queries_have_duration_operation_and_error(measured: Reading, engine: Engine, tmp_path: Path) -> None:
    """Each query is a duration with its operation; one that fails has its error's type."""
    undo = database.watch_engine(engine)
    database.watch_engine(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE item (id INTEGER)"))
        connection.execute(text("  insert into item VALUES (1)"))
        connection.execute(text("SELECT\n* FROM item"))
        connection.execute(text("explain SELECT 1"))
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT * FROM nothing"))
    undo()
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    engine.dispose()
    about = {"db.system.name": "sqlite", "db.namespace": str(tmp_path / "shop.db")}
    seen = measured.points("db.client.operation.duration")
    assert {(count, point.get("db.operation.name"), point.get("error.type")) for count, point in seen} == {
        (1, "CREATE", None),
        (1, "INSERT", None),
        (1, "SELECT", None),
        (1, None, None),
        (1, "SELECT", "OperationalError"),
    }
    assert all(about.items() <= point.items() for _, point in seen)


def test_errors_outside_of_queries_change_nothing(measured: Reading, tmp_path: Path) -> None:
    """A failed connect and a statement that was never sent are not durations; later queries still are."""
    away = create_engine(f"sqlite:///{tmp_path / 'no' / 'such.db'}")
    database.watch_engine(away)
    with pytest.raises(OperationalError):
        away.connect()
    assert "db.client.operation.duration" not in measured.names()


def test_asynchronous_engines_are_watched(measured: Reading, tmp_path: Path) -> None:
    """An asynchronous engine's queries and pool are reported as a plain one's."""

    async def ask() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}")
        undo = database.watch_engine(engine, "main")
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            assert _states(measured, "main") == {"used": 1, "idle": 0}
        assert _states(measured, "main") == {"used": 0, "idle": 1}
        undo()
        await engine.dispose()

    asyncio.run(ask())
    ((count, about),) = measured.points("db.client.operation.duration")
    assert (count, about["db.operation.name"]) == (1, "SELECT")


def _states(measured: Reading, pool: str) -> dict[str, int]:
    if "db.client.connection.count" not in measured.names():
        return {}
    return {
        about["db.client.connection.state"]: count
        for count, about in measured.points("db.client.connection.count")
        if about["db.client.connection.pool.name"] == pool
    }


def test_pool_shows_used_idle_and_most(measured: Reading, engine: Engine) -> None:
    """The pool is told apart by its name: connections used and idle, and how many there may be."""
    undo = database.watch_engine(engine, "shop")
    first, second = engine.connect(), engine.connect()
    assert _states(measured, "shop") == {"used": 2, "idle": 0}
    first.close()
    assert _states(measured, "shop") == {"used": 1, "idle": 1}
    assert (3, {"db.client.connection.pool.name": "shop"}) in measured.points("db.client.connection.max")
    second.close()
    undo()
    engine.dispose()
    assert _states(measured, "shop") == {}


def test_pool_name_keeps_the_password(measured: Reading) -> None:
    """A pool without a name is called by host, port and database; user and password are never shown."""
    engine = create_engine("postgresql+psycopg://shop:hunter2@db.internal:5433/shop")
    undo = database.watch_engine(engine)
    names = {
        about["db.client.connection.pool.name"] for _, about in measured.points("db.client.connection.max")
    }
    undo()
    assert "db.internal:5433/shop" in names
    assert "hunter2" not in str(names)


def test_a_watched_engine_can_go(measured: Reading, tmp_path: Path) -> None:
    """Watching keeps no engine alive, and nothing is reported of one that is gone."""
    engine: Any = create_engine(f"sqlite:///{tmp_path / 'gone.db'}")
    database.watch_engine(engine, "gone")
    gone = weakref.ref(engine)
    assert _states(measured, "gone") == {"used": 0, "idle": 0}
    engine.dispose()
    del engine
    gc.collect()
    assert gone() is None
    assert _states(measured, "gone") == {}


def test_cache_hits_misses_duration_and_size(measured: Reading) -> None:
    """A cache counts hits and misses, times its operations, and is asked for its size."""
    held: dict[str, str] = {}
    sessions = cache.Cache("sessions")
    undo = sessions.watch(size_bytes=lambda: sum(map(len, held.values())), items=lambda: len(held))
    for _ in range(2):
        with sessions.time("get"):
            sessions.looked_up(held.get("a"))
        held["a"] = "12345"
        sessions.changed("set")
    named = {"cache.name": "sessions"}
    assert {
        (count, about["cache.operation.name"], about.get("cache.outcome"))
        for count, about in measured.points("cache.operations")
    } == {(1, "get", "hit"), (1, "get", "miss"), (2, "set", None)}
    assert measured.points("cache.operation.duration") == [(2, {**named, "cache.operation.name": "get"})]
    assert measured.points("cache.size") == [(5, named)]
    assert measured.points("cache.items") == [(1, named)]
    undo()
    assert "cache.items" not in measured.names()


def test_business_metrics(measured: Reading) -> None:
    """Users, credits, queries, jobs, exports and websockets are counted, failures by their type."""
    business.active_users(12, workspace_id="w1")
    business.credits_consumed(2.5, "w1", {"plan": "pro"})
    business.query("funnel")
    business.query("funnel", error=TimeoutError())
    with business.background_job("mail"), business.websocket():
        assert measured.points("job.active") == [(1, {"job.name": "mail"})]
        assert measured.points("websocket.connections") == [(1, {})]
    with pytest.raises(OSError, match="full"), business.export("csv"):
        raise OSError("full")
    assert measured.points("job.active") == [(0, {"job.name": "mail"})]
    assert measured.points("job.duration") == [(1, {"job.name": "mail"})]
    assert measured.points("export.duration") == [(1, {"export.format": "csv", "error.type": "OSError"})]
    assert measured.points("users.active") == [(12, {"workspace.id": "w1"})]
    assert measured.points("credits.consumed") == [(2.5, {"plan": "pro", "workspace.id": "w1"})]
    assert measured.points("queries") == [
        (1, {"query.type": "funnel"}),
        (1, {"query.type": "funnel", "error.type": "TimeoutError"}),
    ]


def test_http_server_requests(measured: Reading) -> None:
    """A hand-made server has the metrics of the conventions; an odd method makes no series of its own."""
    with http.ServerRequest("get", "/users/{id}") as request:
        request.status_code = 503
        assert measured.points("http.server.active_requests") == [
            (1, {"http.request.method": "GET", "url.scheme": "http"})
        ]
    with pytest.raises(KeyError), http.ServerRequest("FR\u00d6B"):
        raise KeyError
    about = {"url.scheme": "http"}
    assert measured.points("http.server.request.duration") == [
        (
            1,
            {
                **about,
                "http.request.method": "GET",
                "http.route": "/users/{id}",
                "http.response.status_code": 503,
                "error.type": "503",
            },
        ),
        (1, {**about, "http.request.method": "_OTHER", "error.type": "KeyError"}),
    ]


def test_process_metrics(measured: Reading) -> None:
    """CPU time, memory, threads and files of this process are what the system says."""
    process.watch()
    bind_all()
    modes = {about["cpu.mode"]: seconds for seconds, about in measured.points("process.cpu.time")}
    assert set(modes) == {"user", "system"}
    assert modes["user"] > 0
    ((resident, _),) = measured.points("process.memory.usage")
    ((virtual, _),) = measured.points("process.memory.virtual")
    assert 1 << 20 < resident < virtual
    assert measured.points("process.unix.file_descriptor.count")[0][0] >= 3
    assert measured.points("process.thread.count")[0][0] >= 1


def test_cpu_share_is_of_the_time_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share of the CPUs is of the time since it was last asked, and the same within one second."""
    clock = SimpleNamespace(now=100.0, cpu=7.0)
    told = SimpleNamespace(monotonic=lambda: clock.now, process_time=lambda: clock.cpu)
    monkeypatch.setattr(process, "time", told)
    monkeypatch.setattr(process, "_cpus", lambda: 2)
    share = process._CpuShare()
    assert share() is None
    clock.now, clock.cpu = 110.0, 12.0
    assert share() == 0.25
    clock.now, clock.cpu = 110.5, 12.5
    assert share() == 0.25
