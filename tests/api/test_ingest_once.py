"""A request with an Idempotency-Key is kept once, whatever is killed when."""

import asyncio
import dataclasses
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

import cut_off_request
from collector_process import CollectorProcess, until
from control_time import Time
from cut_off_request import opened
from glasshouse_collector.api import IngestOnce
from glasshouse_collector.api.ingest.once import KeyedRequest
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.control import Database, Receipts
from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Backpressure
from glasshouse_collector.journal import Journal
from glasshouse_collector.journal.recovery import Recovered

ANSWER = {"accepted": 1}


def taken(folder: Path, key: str, kill: str = "never") -> object:
    """Take a request in a process of its own; return what it answered, None where it was killed."""
    command = [sys.executable, cut_off_request.__file__, str(folder), key, kill]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if kill != "never":
        assert done.returncode == -signal.SIGKILL, done.stderr
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def payloads(folder: Path) -> list[bytes]:
    """Return what the journal in the folder has, as it was before the mark was put behind it."""
    services, journal = opened(folder)
    kept: list[bytes] = []

    async def read() -> None:
        consumer = journal.consumer("test")
        while consumer.reader.has_more():
            run = await consumer.next_run(max_records=100, max_bytes=1 << 20, linger=0)
            kept.extend(frame.payload[: -3 - 16] for frame in (run.frames if run else []))
        await journal.close()

    asyncio.run(read())
    services.get(Database).close()
    return kept


def test_a_request_killed_after_it_was_kept_is_not_kept_again(tmp_path: Path) -> None:
    """The next try gets the answer that the first would have had, and the one after it too."""
    taken(tmp_path, "a", "after")
    assert taken(tmp_path, "a") == ANSWER
    assert taken(tmp_path, "a") == ANSWER
    assert payloads(tmp_path) == [b"payload of a"]


def test_a_request_killed_before_it_was_kept_is_kept_by_the_next_try(tmp_path: Path) -> None:
    """Once; also where others went well in between."""
    taken(tmp_path, "a", "before")
    assert taken(tmp_path, "b") == ANSWER
    assert taken(tmp_path, "a") == ANSWER
    assert taken(tmp_path, "a") == ANSWER
    assert payloads(tmp_path) == [b"payload of b", b"payload of a"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Services, Journal]]:
    """Lend a journal and a database."""
    services, journal = opened(tmp_path)
    yield services, journal
    services.get(Database).close()


class Asked:
    """An `IngestOnce` whose requests a test may hold up and refuse."""

    def __init__(self, services: Services, journal: Journal) -> None:
        self.once = IngestOnce(services, journal)
        self.journal = journal
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.refusal: Exception | None = None
        self.appended: list[bytes] = []

    async def append(self, payload: bytes) -> None:
        """Put a request into the journal, when the test lets it."""
        await self.go_on.wait()
        if self.refusal is not None:
            raise self.refusal
        await self.journal.append(Frame(RequestKind.LOGS, "shop", 1, SystemClock().time_ns(), payload))
        self.appended.append(payload)

    async def keep(self, key: str = "a", body: bytes = b"body", project: str = "shop") -> object:
        """Return the answer, or a problem's status."""
        try:
            return await self.once.keep(KeyedRequest(project, key, body, b"payload", ANSWER), self.append)
        except Problem as problem:
            return problem.status_code


def test_two_tries_at_once_are_one_request(folder: tuple[Services, Journal]) -> None:
    """The second waits for the first, and gets its answer."""

    async def both() -> None:
        asked = Asked(*folder)
        asked.go_on.clear()
        tries = [asyncio.create_task(asked.keep()) for _ in range(3)]
        while not asked.once._running:
            await asyncio.sleep(0)
        tries[0].cancel()  # a sender that leaves does not cut its request off
        asked.go_on.set()
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert answers[1:] == [ANSWER, ANSWER]
        assert len(asked.appended) == 1
        await asked.journal.close()

    asyncio.run(both())


def test_a_refused_request_may_come_again(folder: tuple[Services, Journal]) -> None:
    """Its key is as it was."""

    async def refused() -> None:
        asked = Asked(*folder)
        asked.refusal = Backpressure(1.0, "full")
        with pytest.raises(Backpressure):
            await asked.keep()
        asked.refusal = None
        assert await asked.keep() == ANSWER
        assert await asked.keep(body=b"another") == 422
        assert await asked.keep(body=b"another", project="bank") == ANSWER
        assert len(asked.appended) == 2
        await asked.journal.close()

    asyncio.run(refused())


def test_what_nobody_can_tell_any_more_is_said(folder: tuple[Services, Journal]) -> None:
    """Where the journal's part of a request that was cut off is delivered and gone: never kept twice."""
    services, journal = folder

    async def gone() -> None:
        asked = Asked(services, journal)
        earlier = Receipts(services.get(Database), journal)
        earlier.begin("shop", "a", b"body")
        consumer = journal.consumer("test")
        segments: set[int] = set()
        while len(segments) < 2:  # what was written to when it began is delivered and removed
            await asked.append(random.Random(1).randbytes(700 << 10))  # as does not compress
            segments |= {segment.number for segment in journal._segments}
            run = await consumer.next_run(max_records=1, max_bytes=1, linger=0)
            assert run is not None
            await consumer.commit(run)
        await asked.append(b"y")
        kept = len(asked.appended)
        journal._found = _of_a_later_process(journal)
        assert await asked.keep() == 409
        assert await asked.keep() == 409
        assert len(asked.appended) == kept
        await journal.close()

    asyncio.run(gone())


def _of_a_later_process(journal: Journal) -> Recovered:
    """Return what the journal would have found, opened now."""
    return dataclasses.replace(journal._found, next_number=journal._writer.next_number)


def test_another_collectors_request_is_waited_for(tmp_path: Path) -> None:
    """One that is still at it: its sender is told to come back."""
    (tmp_path / "one").mkdir()
    services, journal = opened(tmp_path / "one")
    receipts = Receipts(services.get(Database), journal)
    begun = receipts.begin("shop", "a", b"body")
    (tmp_path / "two").mkdir()
    _, second = opened(tmp_path / "two")

    async def wait() -> None:
        asked = Asked(services, second)
        assert await asked.keep() == 503
        receipts.finish(begun)
        assert await asked.keep() == ANSWER
        assert asked.appended == []
        await journal.close()
        await second.close()

    asyncio.run(wait())
    services.get(Database).close()


def test_a_key_is_free_again_after_a_day(folder: tuple[Services, Journal]) -> None:
    """And the rows of others as old are deleted."""
    services, journal = folder
    time = Time()
    receipts = Receipts(services.get(Database), journal, time)
    for key in ("a", "b"):
        receipts.finish(receipts.begin("shop", key, b"body"))
    time.passes(timedelta(hours=23))
    assert not receipts.begin("shop", "a", b"body").new
    time.passes(timedelta(hours=2))
    assert receipts.begin("shop", "a", b"other").new
    with services.get(Database).session() as session:
        assert len(session.connection().exec_driver_sql("SELECT * FROM ingest_requests").all()) == 1
    asyncio.run(journal.close())


class Sender(threading.Thread):
    """Sends requests, each with a key and until it is answered, to whatever collector runs."""

    def __init__(self, name: str, address: list[str], count: int) -> None:
        super().__init__(name=name, daemon=True)
        self._address = address
        self._count = count
        self.answered = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        """Send all."""
        with httpx.Client(timeout=30) as client:
            for number in range(self._count):
                until(lambda text=f"{self.name}-{number}": self._sent(client, text), "it is answered")  # type: ignore[misc]
                self.answered += 1

    def _sent(self, client: httpx.Client, text: str) -> bool:
        """Send a request; return whether it needs not be sent again."""
        item = {"service_name": "killed", "level": "INFO", "message": text}
        key = {"Idempotency-Key": text}
        try:
            sent = client.post(f"{self._address[0]}/api/v1/logs", json={"logs": [item]}, headers=key)
        except httpx.TransportError:
            return False
        if sent.status_code not in (202, 503):
            self.wrong.append(sent.text)
        return sent.status_code != 503


@pytest.mark.parametrize("kills", [2])
def test_a_collector_killed_again_and_again_keeps_each_request_once(tmp_path: Path, kills: int) -> None:
    """Senders that try until they are answered find each of their records there exactly once."""
    address = [""]
    collector = CollectorProcess(tmp_path / "data")
    address[0] = f"http://{collector.endpoints()['api']}"
    senders = [Sender(name, address, 60) for name in "abc"]
    try:
        for sender in senders:
            sender.start()
        for kill in range(1, kills + 1):
            least = 50 * kill
            until(lambda least=least: sum(each.answered for each in senders) >= least, "some are answered")  # type: ignore[misc]
            collector.kill()
            collector = CollectorProcess(tmp_path / "data")
            address[0] = f"http://{collector.endpoints()['api']}"
        for sender in senders:
            sender.join(timeout=120)
            assert not sender.is_alive()
            assert sender.wrong == []
        until(collector.drained, "everything is delivered")
        rows = collector.ask("SELECT Body, count() FROM otel_logs WHERE ServiceName = 'killed' GROUP BY Body")
        assert {body: int(count) for body, count in rows} == {
            f"{sender.name}-{number}": 1 for sender in senders for number in range(60)
        }
    finally:
        collector.kill()
