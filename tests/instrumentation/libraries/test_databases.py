"""Databases: each statement is a span with its text; values are not in it."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from application_process import Programs
from database_servers import postgresql, redis_server
from otlp_listener import Listener
from sent_telemetry import Sent

SQLALCHEMY = """
from contextlib import suppress

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

with create_engine("sqlite://").connect() as connection:
    connection.execute(text("SELECT :name AS name"), {"name": "hunter2"})
    with suppress(OperationalError):
        connection.execute(text("DELETE FROM nowhere"))
"""
SQLALCHEMY_BEFORE = """
from sqlalchemy import create_engine, text

import glasshouse

earlier = create_engine("sqlite://")
with earlier.connect() as connection:
    connection.execute(text("SELECT 'nobody looks yet'"))
glasshouse.configure()
later = create_engine("sqlite://")
for engine in (earlier, later, later.execution_options(logging_token="x")):
    for _ in range(2):
        with engine.begin() as connection:
            connection.execute(text("SELECT 1"))
"""
SQLALCHEMY_ASYNC = """
import asyncio
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

async def main():
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.connect() as connection:
        await connection.execute(text("SELECT :name AS name"), {"name": "hunter2"})
        with suppress(OperationalError):
            await connection.execute(text("DELETE FROM nowhere"))
    await engine.dispose()

asyncio.run(main())
"""
PSYCOPG = """
import sys
from contextlib import suppress

import psycopg

with suppress(psycopg.errors.UndefinedTable), psycopg.connect(sys.argv[1]) as connection:
    connection.execute("SELECT %s AS name", ("hunter2",))
    connection.cursor().execute("DELETE FROM nowhere")
"""
PSYCOPG_ASYNC = """
import asyncio
import sys
from contextlib import suppress

import psycopg

async def main():
    with suppress(psycopg.errors.UndefinedTable):
        async with await psycopg.AsyncConnection.connect(sys.argv[1]) as connection:
            await connection.execute("SELECT %s AS name", ("hunter2",))
            await connection.cursor().execute("DELETE FROM nowhere")

asyncio.run(main())
"""
REDIS = """
import sys
from contextlib import suppress

import redis

with redis.from_url(sys.argv[1]) as client:
    client.set("basket", "hunter2")
    with suppress(redis.ResponseError):
        client.incr("basket")
    client.pipeline().get("basket").get("other").execute()
"""
REDIS_ASYNC = """
import asyncio
import sys
from contextlib import suppress

import redis.asyncio

async def main():
    async with redis.asyncio.from_url(sys.argv[1]) as client:
        await client.set("basket", "hunter2")
        with suppress(redis.ResponseError):
            await client.incr("basket")
        await client.pipeline().get("basket").get("other").execute()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def postgresql_address() -> Iterator[str]:
    """Run a real PostgreSQL."""
    with postgresql() as address:
        yield address


@pytest.fixture
def redis_address() -> Iterator[str]:
    """Run a real Redis."""
    with redis_server() as address:
        yield address


@pytest.mark.parametrize("source", [SQLALCHEMY, SQLALCHEMY_ASYNC], ids=["engine", "asynchronous engine"])
def test_sqlalchemy(source: str, run: Callable[..., Sent]) -> None:
    """By the stable conventions, whatever the driver."""
    sent = run(source)
    selected, failed = [span for span in sent.spans("CLIENT") if span.name != "connect"]
    for span in (selected, failed):
        assert span.attributes["db.system.name"] == "sqlite"
    assert selected.attributes["db.query.text"] == "SELECT ? AS name"
    assert (failed.attributes["db.query.text"], failed.failed) == ("DELETE FROM nowhere", True)


def test_sqlalchemy_imported_before(programs: Programs, listener: Listener) -> None:
    """Each statement is seen once, whether its engine was made before, after, or of another."""
    program = str(programs.write("program.py", SQLALCHEMY_BEFORE))
    returned, output = programs.run("python", program, OTEL_EXPORTER_OTLP_ENDPOINT=listener.url)
    assert returned == 0, output
    queries = [span.attributes.get("db.query.text") for span in Sent(listener).spans("CLIENT")]
    assert [query for query in queries if query] == ["SELECT 1"] * 6


@pytest.mark.parametrize("source", [PSYCOPG, PSYCOPG_ASYNC], ids=["connection", "asynchronous connection"])
def test_psycopg(source: str, run: Callable[..., Sent], postgresql_address: str) -> None:
    """By the stable conventions, with the address of the server."""
    sent = run(source, arguments=(postgresql_address,))
    selected, failed = sent.spans("CLIENT")
    for span in (selected, failed):
        assert span.attributes["db.system.name"] == "postgresql"
        assert span.attributes["db.namespace"] == "postgres"
        assert span.attributes["server.port"] == urlsplit(postgresql_address).port
    assert selected.attributes["db.query.text"] == "SELECT %s AS name"
    assert (failed.attributes["db.query.text"], failed.failed) == ("DELETE FROM nowhere", True)


@pytest.mark.parametrize("source", [REDIS, REDIS_ASYNC], ids=["client", "asynchronous client"])
def test_redis(source: str, run: Callable[..., Sent], redis_address: str) -> None:
    """By the stable conventions; keys and values are left out."""
    sent = run(source, arguments=(redis_address,))
    stored, failed, pipeline = sent.spans("CLIENT")
    for span in (stored, failed, pipeline):
        assert span.attributes["db.system.name"] == "redis"
        assert span.attributes["server.port"] == urlsplit(redis_address).port
    assert stored.attributes["db.query.text"] == "SET ? ?"
    assert failed.failed
    assert pipeline.attributes["db.query.text"] == "GET ?\nGET ?"
