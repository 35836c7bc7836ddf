"""Takes older clients' requests: read, unpacked, made OTLP, and through the door as everything else."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect, Request

from glasshouse_collector.api.access import caller_of
from glasshouse_collector.api.ingest.model import IngestAnswer
from glasshouse_collector.api.ingest.once import MOST_KEY, IngestOnce, KeyedRequest
from glasshouse_collector.api.problems import Problem, unavailable
from glasshouse_collector.codec.decompression import ENCODINGS, IDENTITY, decompress
from glasshouse_collector.core.access import Caller
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Door, Services
from glasshouse_collector.core.errors import Backpressure, LimitReached, TooLarge, Undecodable
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.ingest import Converted, Malformed, Reader, TooMany, convert, read_items

MOST_BYTES: Final = 8 << 20
"""Of one body, as sent and again unpacked."""
_LINES: Final = "application/x-ndjson"
_BODY_SECONDS: Final = 30.0
_AT_ONCE: Final = 64
"""Requests whose bodies are in memory; one more is told to come back."""
_LARGE: Final = 8 << 10
"""Bytes from which a body is read in a thread, one at a time: parsed, it is many times its size."""


@dataclass(frozen=True, slots=True)
class Format:
    """What one kind of client sends, and how it wants to be told to slow down.

    `transport` names it in the metrics, `scope` its records. `limit_status` is told to a sender that is
    over a limit of its own.
    """

    read: Reader
    scope: str
    transport: str
    limit_status: HTTPStatus


class Ingesting:
    """Takes requests of all formats; one instance an application."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._metrics = services.get(Metrics)
        self._clock = SystemClock()
        self._taking = 0
        self._one_large = asyncio.Semaphore(1)

    async def take(self, request: Request, format_: Format) -> IngestAnswer:
        """Return what was kept, once it is on disk; raises `Problem`."""
        caller = caller_of(request)
        try:
            if self._taking >= _AT_ONCE:
                raise unavailable("enough requests are being taken, send it again")
            self._taking += 1
            try:
                return await self._take(request, format_, caller)
            finally:
                self._taking -= 1
        except Problem as refused:
            reason = _REASONS.get(refused.status_code, "other")
            labels = (format_.transport, reason, RequestKind.LOGS, caller.project)
            self._metrics.refused_requests.labels(*labels).inc()
            raise

    async def _take(self, request: Request, format_: Format, caller: Caller) -> IngestAnswer:
        key = _idempotency_key(request)
        lines = _content_type(request) == _LINES
        body = await _read(request)
        encoding = _content_encoding(request)
        received_ns = self._clock.time_ns()

        def read() -> tuple[bytes, Converted]:
            clear = body if encoding in IDENTITY else _decompressed(encoding, body)
            return clear, convert(_items(clear, lines=lines), format_.read, format_.scope, received_ns)

        if len(body) < _LARGE and encoding in IDENTITY:
            clear, converted = read()
        else:
            async with self._one_large:
                clear, converted = await asyncio.to_thread(read)
        answer = IngestAnswer.of(converted)
        if converted.mistakes and not converted.accepted:
            self._count_rejected(answer, caller)
            first = f"{answer.errors[0].field}: {answer.errors[0].message}"
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"no item can be taken; the first: {first}",
                extra=answer.model_dump(),
            )
        if answer.accepted:
            sent = format_.transport.encode() + b"\0" + clear
            told = answer.model_dump()
            keyed = KeyedRequest(caller.project, key, sent, converted.payload, told)
            return await self._kept(keyed, answer, format_, caller)
        return answer

    async def _kept(
        self, request: KeyedRequest, answer: IngestAnswer, format_: Format, caller: Caller
    ) -> IngestAnswer:
        async def append(payload: bytes) -> None:
            await self._door().accept(
                RequestKind.LOGS, payload, caller.project, transport=format_.transport, key=caller.key
            )
            self._count_rejected(answer, caller)  # here: a request that is sent again counts once

        told = request.answer
        with _door_problems(format_):
            if request.key:
                told = await self._once().keep(request, append)
            else:
                await append(request.payload)
        return IngestAnswer.model_validate(told)

    def _count_rejected(self, answer: IngestAnswer, caller: Caller) -> None:
        if answer.rejected:
            counter = self._metrics.rejected_records.labels(RequestKind.LOGS, "bad_item", caller.project)
            counter.inc(answer.rejected)

    def _door(self) -> Door:
        return self._services.get(Door)  # type: ignore[type-abstract]  # services are found by contract

    def _once(self) -> IngestOnce:
        try:
            return self._services.get(IngestOnce)
        except LookupError:
            raise unavailable("the database of projects and keys is not connected yet") from None


_REASONS: Final = {
    400: "undecodable",
    408: "slow",
    409: "idempotency_key",
    413: "too_large",
    415: "unsupported_media_type",
    422: "bad_items",
    429: "quota",
    503: "backpressure",
}
"""The reasons in the metrics, by status."""


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "").strip()
    if len(key) > MOST_KEY:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"Idempotency-Key: up to {MOST_KEY} characters are expected, not {len(key)}",
        )
    return key


def _content_type(request: Request) -> str:
    written = request.headers.get("content-type", "")
    content_type = written.partition(";")[0].strip().lower()
    if content_type not in {"application/json", _LINES}:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type: application/json or {_LINES} is expected, not {written[:100]!r}",
        )
    return content_type


def _content_encoding(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ENCODINGS and encoding not in IDENTITY:
        known = ", ".join([*ENCODINGS, "identity"])
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Encoding: one of {known} is expected, not {encoding[:100]!r}",
        )
    return encoding


async def _read(request: Request) -> bytes:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.body()
    except TimeoutError:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body did not arrive within {_BODY_SECONDS:g} seconds",
            headers={"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise Problem(HTTPStatus.BAD_REQUEST, "the sender left before the request was whole") from None


def _decompressed(encoding: str, body: bytes) -> bytes:
    try:
        return decompress(encoding, body, MOST_BYTES)
    except TooLarge:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {MOST_BYTES:,} bytes, unpacked"
        ) from None
    except Undecodable as wrong:
        raise Problem(HTTPStatus.BAD_REQUEST, str(wrong)) from None


def _items(clear: bytes, *, lines: bool) -> list[object]:
    try:
        return list(read_items(clear, lines=lines))
    except Malformed as wrong:
        raise Problem(HTTPStatus.BAD_REQUEST, str(wrong)) from None
    except TooMany as wrong:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(wrong)) from None


@contextmanager
def _door_problems(format_: Format) -> Iterator[None]:
    """Tell why the door did not take a request, so that the sender comes back with it."""
    try:
        yield
    except Backpressure as wait:
        over = isinstance(wait, LimitReached)
        raise Problem(
            format_.limit_status if over else HTTPStatus.SERVICE_UNAVAILABLE,
            str(wait),
            headers={"Retry-After": str(max(1, math.ceil(wait.retry_after)))},
        ) from None
    except TooLarge as wrong:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(wrong)) from None
