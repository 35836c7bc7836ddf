"""A served API on a port of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from glasshouse_collector.api.config import ApiConfig
from glasshouse_collector.api.server import ApiServer
from glasshouse_collector.core.access import Authenticator, OpenAccess
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status


@pytest.fixture
def services() -> Services:
    """Services of a collector without a store."""
    offered = Services()
    offered.provide(Status, Status())
    offered.provide(Metrics, Metrics())
    offered.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    return offered


@contextmanager
def serving(app: FastAPI, config: ApiConfig | None = None) -> Iterator[httpx.Client]:
    """Serve `app` on a free port from a thread of its own; the client is bound to it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=30)

    server = ApiServer(app, config or ApiConfig(port=0))
    try:
        run(server.start())
        with httpx.Client(base_url=f"http://127.0.0.1:{server.bound_port}", timeout=60) as client:
            yield client
    finally:
        run(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
