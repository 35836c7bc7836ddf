"""A process that takes one request with an Idempotency-Key, and is killed at a chosen point of it.

    python cut_off_request.py FOLDER KEY before|after|never

Without being killed it prints the answer, or the status of the problem.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from glasshouse_collector.api import IngestOnce
from glasshouse_collector.api.ingest.once import KeyedRequest
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.control import Database
from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Journal, JournalSettings


def opened(folder: Path) -> tuple[Services, Journal]:
    """Return the folder's journal, and services with its database."""
    services = Services()
    services.provide(Database, Database.open(f"sqlite:///{folder / 'control.db'}"))
    settings = JournalSettings(
        directory=folder / "journal", durability="fsync", max_bytes=1 << 30, segment_bytes=1 << 20
    )
    journal = Journal.open(settings, Metrics(), SystemClock())
    journal.consumer("test")  # as a collector's exporters are: a journal without any is a new one each time
    return services, journal


async def take(folder: Path, key: str, body: bytes, kill: str) -> object:
    """Take the request; return its answer, or a problem's status."""
    services, journal = opened(folder)
    once = IngestOnce(services, journal)
    await once.settle()

    async def append(payload: bytes) -> None:
        if kill == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        await journal.append(Frame(RequestKind.LOGS, "shop", 1, SystemClock().time_ns(), payload))
        if kill == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    request = KeyedRequest("shop", key, body, b"payload of " + key.encode(), {"accepted": 1})
    try:
        return await once.keep(request, append)
    except Problem as problem:
        return problem.status_code
    finally:
        await journal.close()
        services.get(Database).close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(take(Path(sys.argv[1]), sys.argv[2], b"body", sys.argv[3]))))  # noqa: T201
