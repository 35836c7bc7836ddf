"""An application served on a free port, by the collector's own server, for as long as a test takes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI

from glasshouse_collector.api import ApiConfig, ApiServer
from glasshouse_collector.core.components import Services


@contextmanager
def serving(app: FastAPI, config: ApiConfig | None = None, services: Services | None = None) -> Iterator[str]:
    """Serve the app from a thread; lends its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=30)

    server = ApiServer(app, config or ApiConfig(port=0), services)
    try:
        run(server.start())
        yield f"http://127.0.0.1:{server.bound_port}"
    finally:
        run(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
