"""ClickHouse's HTTP interface over the embedded engine, for whoever speaks it already.

clickhouse-connect, curl, Grafana's ClickHouse data source, a collector in server mode: each
takes this for a ClickHouse server. Read-only unless told otherwise; readers are held to what
`store.readonly` lets through.
Source: https://clickhouse.com/docs/interfaces/http.
"""

import asyncio
import base64
import binascii
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.store.embedded import EmbeddedEngine
from glasshouse_collector.store.engine import EngineFailure
from glasshouse_collector.store.http_coding import BadCoding, Decoder, encode
from glasshouse_collector.store.http_session import HttpSession, Reply
from glasshouse_collector.store.http_statement import Asked, NotAllowed, asked
from glasshouse_collector.store.limits import QueryLimits
from glasshouse_collector.store.settings import Folder, locate

MAX_BODY_BYTES = 1024 * 2**20
"""Of one request, after decompression."""

_BUSIEST = 16
"""Statements at a time; more wait."""

_STATUS_OF_CODE = {
    **dict.fromkeys((60, 81, 46, 47, 50, 56, 73, 115, 16, 8), 404),
    **dict.fromkeys(
        (62, 6, 20, 27, 33, 36, 38, 41, 42, 43, 53, 69, 70, 117, 130, 131, 349, 456, 457, 636), 400
    ),
    164: 403,
    159: 408,
    241: 413,
    396: 413,
    216: 409,
    48: 501,
    516: 403,
}
_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
    "Parquet": "application/octet-stream",
}


class HttpInterface:
    """An ASGI application."""

    def __init__(
        self, engine: EmbeddedEngine, *, writable: bool, token: str | None, limits: QueryLimits
    ) -> None:
        self._session = HttpSession(engine, writable=writable, limits=limits)
        self._token = token.encode() if token else None
        self._threads = ThreadPoolExecutor(_BUSIEST, thread_name_prefix="store-http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        with suppress(ClientDisconnect):
            response = await self._respond(request)
            await response(scope, receive, send)

    def close(self) -> None:
        """Wait for what runs."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _respond(self, request: Request) -> Response:  # noqa: PLR0911  (one a kind of answer)
        if request.url.path in ("/ping", "/replicas_status"):
            return PlainTextResponse("Ok.\n")
        if request.url.path != "/":
            return PlainTextResponse("There is no handle for this path; queries go to /\n", 404)
        if request.method not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Use GET or POST\n", 405, {"Allow": "GET, HEAD, POST"})
        query_id = str(uuid.uuid4())
        try:
            if not self._may_enter(request):
                raise EngineFailure("Code: 516. DB::Exception: Authentication failed", code=516)  # noqa: TRY301
            statement = asked(await self._query_string(request), request.headers, query_id)
            query_id = statement.query_id
            if request.method != "POST" and not statement.query:
                return PlainTextResponse("Ok.\n")
            reply = await self._run(request, statement)
        except NotAllowed as refused:
            return _failed(EngineFailure(f"Code: 115. DB::Exception: {refused}", code=115), query_id)
        except BadCoding as refused:
            return _failed(EngineFailure(f"Code: 36. DB::Exception: {refused}", code=36), query_id)
        except EngineFailure as failure:
            return _failed(failure, query_id)
        return _succeeded(reply, request, query_id)

    async def _query_string(self, request: Request) -> dict[str, str]:
        given = dict(request.query_params)
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise EngineFailure("Code: 48. DB::Exception: External data are not supported", code=48)
        if given.get("compress") == "1" or given.get("decompress") == "1":
            text = "compress=1 is not supported; use Accept-Encoding and Content-Encoding"
            raise EngineFailure(f"Code: 48. DB::Exception: {text}", code=48)
        return given

    async def _run(self, request: Request, statement: Asked) -> Reply:
        loop = asyncio.get_running_loop()
        body = _Body(request, loop)
        work = loop.run_in_executor(self._threads, self._session.run, statement, body)
        watch = asyncio.create_task(_gone(request, body))
        either: set[asyncio.Future[Any]] = {work, watch}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                with suppress(EngineFailure):
                    await loop.run_in_executor(None, self._session.cancel, statement.query_id)
            return await work
        finally:
            watch.cancel()

    def _may_enter(self, request: Request) -> bool:
        if self._token is None:
            return True
        sent = request.headers.get("x-clickhouse-key") or request.query_params.get("password", "")
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            sent = credentials
        elif scheme.lower() == "basic":
            with suppress(binascii.Error, UnicodeDecodeError):
                sent = base64.b64decode(credentials).decode().partition(":")[2]
        return hmac.compare_digest(sent.encode(), self._token)


class _Body:
    """The request's body, decompressed, for a thread to iterate over while the loop receives it."""

    def __init__(self, request: Request, loop: asyncio.AbstractEventLoop) -> None:
        self._stream: AsyncIterator[bytes] = aiter(request.stream())
        self._loop = loop
        self._decoder = Decoder(request.headers.get("content-encoding", ""))
        self.received = asyncio.Event()

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        while True:
            piece = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if piece is None:
                self._decoder.finish()
                return
            for decoded in self._decoder.decode(piece):
                size += len(decoded)
                if size > MAX_BODY_BYTES:
                    text = f"Code: 307. DB::Exception: The body is longer than {MAX_BODY_BYTES} bytes"
                    raise EngineFailure(text, code=307)
                yield decoded

    async def _next(self) -> bytes | None:
        try:
            return await anext(self._stream)
        except StopAsyncIteration:
            self.received.set()
            return None
        except ClientDisconnect:
            raise EngineFailure("the client has gone", code=None) from None


async def _gone(request: Request, body: _Body) -> None:
    """Return when the client has gone; look only once its body is received, which uses the same channel."""
    await body.received.wait()
    while not await request.is_disconnected():  # noqa: ASYNC110  (no event tells)
        await asyncio.sleep(0.2)  # a look at the channel does not wait


def _failed(failure: EngineFailure, query_id: str) -> Response:
    code = failure.code
    headers = {"X-ClickHouse-Query-Id": query_id}
    if code is not None:
        headers["X-ClickHouse-Exception-Code"] = str(code)
    status = 503 if code is None else _STATUS_OF_CODE.get(code, 500)
    return PlainTextResponse(f"{failure}\n", status, headers)


def _succeeded(reply: Reply, request: Request, query_id: str) -> Response:
    body, coding = encode(reply.body, request.headers.get("accept-encoding", ""))
    headers = {
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Format": reply.format,
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Summary": json.dumps(reply.summary),
        "Content-Type": _CONTENT_TYPES.get(reply.format, "text/plain; charset=UTF-8"),
    }
    if coding:
        headers["Content-Encoding"] = coding
    return Response(body, headers=headers)


def serve_store(  # noqa: PLR0913  (each is one option of the command)
    dsn: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8123,
    writable: bool = False,
    token: str | None = None,
    limits: QueryLimits | None = None,
) -> None:
    """Offer the embedded store on ClickHouse's HTTP interface until SIGINT or SIGTERM.

    With `token`, clients send it as the password of any user. Raises `StoreError` where the folder
    cannot be had, `ConfigurationError` for a store that has a server already.
    """
    location = locate(dsn)
    if not isinstance(location, Folder):
        raise ConfigurationError("storage.dsn: this store is a server already; only chdb:///… can be served")
    engine = EmbeddedEngine(location.path)
    app = HttpInterface(engine, writable=writable, token=token, limits=limits or QueryLimits(seconds=300))
    try:
        config: Any = uvicorn.Config(
            app, host=host, port=port, log_level="warning", lifespan="off", timeout_graceful_shutdown=10
        )
        uvicorn.Server(config).run()
    finally:
        app.close()
        engine.close()
