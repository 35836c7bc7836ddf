"""Keeps a request that came with an Idempotency-Key once, through retries, crashes and restarts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final

from glasshouse_collector.api.problems import Problem, unavailable
from glasshouse_collector.control import Database
from glasshouse_collector.control.receipts import MARK_BYTES, REMEMBERED, Receipt, Receipts
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import GlasshouseError, Retryable
from glasshouse_collector.journal import Journal

log = logging.getLogger(__name__)

MOST_KEY: Final = 255
"""Characters of an Idempotency-Key."""
_MARK_FIELD: Final = b"\x82\x7d" + bytes([MARK_BYTES])
"""Tag and length of the mark in a request: field 2000, of which OTLP knows nothing, so that it is skipped."""
_MOST_LATE: Final = 10_000

Answer = dict[str, Any]
Append = Callable[[bytes], Awaitable[None]]
"""Puts a payload into the journal."""


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with an Idempotency-Key, which stands for `body` within a project.

    `payload` is what is to be kept of it, `answer` what its sender is told then: of the same body always
    the same, so that it need not be remembered.
    """

    project: str
    key: str
    body: bytes
    payload: bytes
    answer: Answer

    @property
    def slot(self) -> tuple[str, str]:
        """What the request is told from others by."""
        return self.project, self.key


class IngestOnce:
    """Remembers what was answered, in the database of projects and keys.

    All methods belong to one event loop.
    """

    def __init__(self, services: Services, journal: Journal) -> None:
        self._services = services
        self._journal = journal
        self._receipts: Receipts | None = None
        self._running: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self._late: dict[tuple[str, str], tuple[Receipt, bool]] = {}

    async def settle(self) -> None:
        """Find out what became of requests that a crash cut off; as well before anything is delivered.

        Where the database is away it is done when the first of them is sent again.
        """
        try:
            await asyncio.to_thread(self._settle)
        except LookupError:
            log.info("requests that were cut off are looked for once the database of keys is connected")
        except Retryable as away:
            log.warning("requests that were cut off are looked for later: %s", away)

    async def keep(self, request: KeyedRequest, append: Append) -> Answer:
        """Return the answer to the request, which is kept now, or was before.

        Raises `Problem`, a 422 where the key came with another body, and what `append` raises.
        """
        slot = request.slot
        while (running := self._running.get(slot)) is not None:
            await asyncio.wait({running})
        # A task of its own: a sender that leaves meanwhile must not cut it off.
        task = asyncio.create_task(self._keep(request, append))
        self._running[slot] = task
        task.add_done_callback(lambda _: self._running.pop(slot, None))
        return await asyncio.shield(task)

    async def _keep(self, request: KeyedRequest, append: Append) -> Answer:
        receipt = await asyncio.to_thread(self._begin, request)
        if receipt.body_hash != sha256(request.body).hexdigest():
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "Idempotency-Key: it came with another body before; a new request needs a key of its own",
            )
        if not receipt.new:
            _check_kept(receipt)
            return request.answer
        try:
            await append(request.payload + _MARK_FIELD + receipt.mark)
        except GlasshouseError:
            await self._note(request.slot, receipt, kept=False)
            raise
        await self._note(request.slot, receipt, kept=True)
        return request.answer

    def _begin(self, request: KeyedRequest) -> Receipt:
        """Return the key's row, made now where there is none; raises `Problem`."""
        slot = request.slot
        try:
            receipts = self._connected()
            late = self._late.get(slot)
            if late is not None:
                _write(receipts, *late)
                self._late.pop(slot, None)
            receipt = receipts.begin(*slot, request.body)
            if receipt.state == "begun" and not receipt.ours and receipt.journal == self._journal.id:
                self._settle()
                receipt = receipts.begin(*slot, request.body)
        except LookupError:
            raise unavailable("the database of projects and keys is not connected yet") from None
        except Retryable as away:
            raise unavailable(str(away)) from None
        return receipt

    async def _note(self, slot: tuple[str, str], receipt: Receipt, *, kept: bool) -> None:
        """Write down what became of the request; where that fails now, before it is asked for again."""
        try:
            await asyncio.to_thread(_write, self._connected(), receipt, kept)
        except Retryable as away:
            log.warning("a request's Idempotency-Key is written down later: %s", away)
            if len(self._late) < _MOST_LATE:
                self._late[slot] = (receipt, kept)

    def _settle(self) -> None:
        def tails(since: datetime) -> set[bytes]:
            since_ns = int(since.astimezone(UTC).timestamp()) * 10**9
            return self._journal.tails(RequestKind.LOGS, since_ns, MARK_BYTES)

        self._connected().settle(tails)

    def _connected(self) -> Receipts:
        if self._receipts is None:
            self._receipts = Receipts(self._services.get(Database), self._journal)
        return self._receipts


def _write(receipts: Receipts, receipt: Receipt, kept: bool) -> None:
    if kept:
        receipts.finish(receipt)
    else:
        receipts.forget(receipt)


def _check_kept(receipt: Receipt) -> None:
    """Return where the request was kept before; raises a `Problem` where that is not certain."""
    if receipt.state == "kept":
        return
    if receipt.state == "begun":
        raise unavailable("a request with this Idempotency-Key is still being taken, send it again")
    hours = int(REMEMBERED.total_seconds() // 3600)
    raise Problem(
        HTTPStatus.CONFLICT,
        "Idempotency-Key: a crash cut the first request off, and it cannot be told whether it was kept; look "
        "for its records, and send what is missing with a new key "
        f"(this one is free again {hours} hours after it)",
    )
