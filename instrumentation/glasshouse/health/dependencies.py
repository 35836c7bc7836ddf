"""Checks of what applications depend on: databases, caches, other services, workers."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from glasshouse.health.outcome import Unhealthy

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

_FIRST_ERROR = 400


def sqlalchemy(engine: "Engine | AsyncEngine") -> Callable[[], object]:
    """Check that an engine, plain or asynchronous, gives a connection and answers a query."""
    from sqlalchemy import literal, select  # noqa: PLC0415 - whoever has an engine has it

    question = select(literal(1))

    def ask(plain: "Engine") -> None:
        with plain.connect() as connection:
            connection.execute(question)

    async def ask_async(asynchronous: "AsyncEngine") -> None:
        async with asynchronous.connect() as connection:
            await connection.execute(question)

    return _either(engine, hasattr(engine, "sync_engine"), ask, ask_async)


def redis(client: Any) -> Callable[[], object]:
    """Check that a client of redis-py, plain or asynchronous, gets an answer to PING."""

    def ask(plain: Any) -> None:
        plain.ping()

    async def ask_async(asynchronous: Any) -> None:
        await asynchronous.ping()

    # By module, because redis need not be imported: its asynchronous client's ping() is a plain function.
    modules = {kind.__module__ for kind in type(client).__mro__}
    return _either(client, any(name.startswith("redis.asyncio") for name in modules), ask, ask_async)


def http(url: str, *, timeout: float = 5.0) -> Callable[[], object]:
    """Check that a URL answers with a status below 400; redirections count as an answer.

    `timeout` is that of connecting and of each read; the check has its own for the whole. ValueError where
    the URL is none. Of the URL only the host is ever shown.
    """
    import requests  # noqa: PLC0415 - slow to import, and not everybody asks

    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("url: should be a URL, as https://example.com/health")
    host = parts.hostname

    def ask() -> None:
        with requests.get(url, timeout=timeout, allow_redirects=False, stream=True) as response:
            if response.status_code >= _FIRST_ERROR:
                raise Unhealthy(f"{host} answered {response.status_code}")

    return ask


def celery(app: Any, *, workers: int = 1, timeout: float = 2.0) -> Callable[[], object]:
    """Check that at least so many workers of a Celery application answer a ping within `timeout` seconds."""

    def ask() -> str:
        with app.connection_for_write() as connection:
            # Otherwise a broker that is away is tried again and again, past any timeout.
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=timeout)
            replies = app.control.ping(connection=connection, timeout=timeout, limit=workers)
        if len(replies) < workers:
            raise Unhealthy(f"workers answering: {len(replies)}, wanted: {workers}")
        return f"workers answering: {len(replies)}"

    return ask


def _either(
    asked: Any, asynchronous: bool, ask: Callable[[Any], None], ask_async: Callable[[Any], Awaitable[None]]
) -> Callable[[], object]:
    if asynchronous:

        async def call_async() -> None:
            await ask_async(asked)

        return call_async

    def call() -> None:
        ask(asked)

    return call
