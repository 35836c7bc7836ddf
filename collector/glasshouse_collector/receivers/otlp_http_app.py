"""The ASGI application of OTLP over HTTP.

Source: the OTLP 1.11 specification, "OTLP/HTTP". What it leaves open is settled so:

- An error is told in the encoding of the request; where that is neither of the two, in JSON, which
  a person with curl can read, unless the sender accepts protobuf.
- A body that does not arrive in time is answered 408, which senders do not repeat.
- A body that is refused before it was read is read on and thrown away (the connection's
  protocol sets an end to that), because a sender that is cut off while sending sees no answer.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from grpc import StatusCode
from prometheus_client import Counter

from glasshouse_collector.codec.decompression import ENCODINGS, IDENTITY, decompress, too_large
from glasshouse_collector.codec.otlp_json import to_protobuf
from glasshouse_collector.core.access import PEER, Authenticator, Scope
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Door
from glasshouse_collector.core.errors import GlasshouseError
from glasshouse_collector.core.peers import peer_of
from glasshouse_collector.receivers import answers
from glasshouse_collector.receivers.cors import CrossOrigin
from glasshouse_collector.receivers.refusals import RETRY_AFTER_FAULT, Refusal, refusal_of
from glasshouse_collector.receivers.unfinished import Held, Unfinished

TRANSPORT = "otlp_http"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_KINDS = {f"/v1/{kind.value}": kind for kind in RequestKind}
_LARGE_COMPRESSED = 32 * 1024
"""Bytes from which a body is decompressed in a thread."""
_LARGE_JSON = 64 * 1024
"""Bytes from which JSON is converted in a thread."""
_SUPPORTED_ENCODINGS = ", ".join([*ENCODINGS, "identity"])

AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class HttpLimits(NamedTuple):
    """What one server takes: bytes of one request, bytes of all unfinished ones, seconds for a body."""

    request_bytes: int
    unfinished_bytes: int
    body_seconds: float


class Answer(NamedTuple):
    """One response."""

    status: int
    headers: Headers
    body: bytes = b""


@dataclass(slots=True)
class _Asked:
    """One request's head; `kind` and `project` are empty until they are known."""

    method: str
    path: str
    headers: Mapping[str, str]
    kind: str = ""
    project: str = ""


class _Refused(GlasshouseError):
    """A request refused for its HTTP form; `headers` go with the answer."""

    def __init__(self, refusal: Refusal, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.headers = headers


class _Gone(Exception):
    """The sender left before its request was whole."""


def _with_length(content_type: str, body: bytes) -> Headers:
    return [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]


_SUCCESS = {
    PROTOBUF: Answer(200, _with_length(PROTOBUF, answers.SUCCESS_PROTOBUF), answers.SUCCESS_PROTOBUF),
    JSON: Answer(200, _with_length(JSON, answers.SUCCESS_JSON), answers.SUCCESS_JSON),
}


class OtlpHttpApp:
    """Takes POSTs to /v1/traces, /v1/metrics and /v1/logs; 200 is sent only for what the door has kept."""

    def __init__(
        self,
        door: Door,
        authenticator: Authenticator,
        refused: Counter,
        limits: HttpLimits,
        cross_origin: CrossOrigin,
    ) -> None:
        self._door = door
        self._authenticator = authenticator
        self._refused = refused
        self._limits = limits
        self._cross_origin = cross_origin
        self._unfinished = Unfinished(limits.unfinished_bytes)
        self._one_large_json = asyncio.Semaphore(1)  # parsed JSON takes many times its size

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request; a fault of ours is a 503, never a 500."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        headers[PEER] = _peer(scope)
        asked = _Asked(scope["method"], scope["path"], headers)
        try:
            answer = await self._answer(asked, receive)
        except _Gone:
            self._refused.labels(TRANSPORT, "disconnected", asked.kind, asked.project).inc()
            return
        except asyncio.CancelledError:  # the time to stop is over, and this is the last to be done
            answer = self._refuse(_stopping(), asked)
        except Exception as fault:  # noqa: BLE001  (whatever happens, the sender gets an answer)
            answer = self._refuse(fault, asked)
        extra = self._cross_origin.headers_for(headers.get("origin"))
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers + extra}
        )
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, asked: _Asked, receive: Receive) -> Answer:
        headers = asked.headers
        kind = _KINDS.get(asked.path)
        if kind is None:
            raise _not_found(asked.path)
        asked.kind = kind
        if asked.method != "POST":
            preflight = self._cross_origin.preflight(asked.method, headers)
            if preflight is None:
                raise _method_not_allowed(asked.method, self._cross_origin.allowed_methods)
            return Answer(204, preflight)
        caller = self._authenticator.admit(headers, Scope.INGEST)
        asked.project = project = caller.project
        content_type = _content_type(headers)
        encoding = _content_encoding(headers)
        with Held(self._unfinished) as held:
            body = await self._read(headers, receive, held)
            if encoding not in IDENTITY:
                body = await self._decompressed(encoding, body, held)
            if content_type == JSON:
                body = await self._converted(kind, body)
            accepted = await self._door.accept(kind, body, project, transport=TRANSPORT, key=caller.key)
        if not accepted.rejected and not accepted.message:
            return _SUCCESS[content_type]
        is_json = content_type == JSON
        body = answers.success_json(kind, accepted) if is_json else answers.success_protobuf(accepted)
        return Answer(200, _with_length(content_type, body), body)

    async def _read(self, headers: Mapping[str, str], receive: Receive, held: Held) -> bytes:
        limit = self._limits.request_bytes
        if int(headers.get("content-length", "0")) > limit:
            raise too_large(limit)
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                message = await receive()
                if message["type"] == "http.request" and not message["more_body"]:
                    whole: bytes = message["body"]
                    held.add(len(whole))
                    return whole
                return await self._read_on(message, receive, held)
        except TimeoutError:
            raise _too_slow(self._limits.body_seconds) from None

    async def _read_on(self, message: MutableMapping[str, Any], receive: Receive, held: Held) -> bytes:
        body = bytearray()
        while message["type"] == "http.request":
            part: bytes = message["body"]
            body += part
            held.add(len(part))
            if len(body) > self._limits.request_bytes:
                raise too_large(self._limits.request_bytes)
            if not message["more_body"]:
                return bytes(body)
            message = await receive()
        raise _Gone

    async def _decompressed(self, encoding: str, body: bytes, held: Held) -> bytes:
        limit = self._limits.request_bytes
        if len(body) < _LARGE_COMPRESSED:
            clear = decompress(encoding, body, limit)
        else:
            clear = await asyncio.to_thread(decompress, encoding, body, limit)
        held.add(len(clear))
        return clear

    async def _converted(self, kind: RequestKind, body: bytes) -> bytes:
        if len(body) < _LARGE_JSON:
            return to_protobuf(kind, body)
        async with self._one_large_json:
            return await asyncio.to_thread(to_protobuf, kind, body)

    def _refuse(self, fault: Exception, asked: _Asked) -> Answer:
        headers = asked.headers
        more: list[tuple[bytes, bytes]] = []
        if isinstance(fault, _Refused):
            refusal = fault.refusal
            more += fault.headers
        else:
            refusal = refusal_of(fault)
        self._refused.labels(TRANSPORT, refusal.reason, asked.kind, asked.project).inc()
        if refusal.retry_after is not None:
            more.append((b"retry-after", b"%d" % max(1, math.ceil(refusal.retry_after))))
        if refusal.http_status == 401:  # noqa: PLR2004
            more.append((b"www-authenticate", b"Bearer"))
        if "expect" in headers:  # what comes next on the connection may or may not be the body
            more.append((b"connection", b"close"))
        if _wants_json(headers):
            body = answers.status_json(refusal)
            return Answer(refusal.http_status, _with_length(JSON, body) + more, body)
        body = answers.status_protobuf(refusal)
        return Answer(refusal.http_status, _with_length(PROTOBUF, body) + more, body)


def _peer(scope: AsgiScope) -> str:
    client = scope.get("client")
    return peer_of(client[0]) if client else ""


def _content_type(headers: Mapping[str, str]) -> str:
    written = headers.get("content-type", "")
    content_type = written.partition(";")[0].strip().lower()
    if content_type in _SUCCESS:
        return content_type
    message = f"the Content-Type {written!r} is not supported, only {PROTOBUF} and {JSON} are"
    raise _Refused(Refusal("unsupported_media_type", StatusCode.INVALID_ARGUMENT, 415, message))


def _content_encoding(headers: Mapping[str, str]) -> str:
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ENCODINGS or encoding in IDENTITY:
        return encoding
    message = f"the Content-Encoding {encoding!r} is not supported, only {_SUPPORTED_ENCODINGS} are"
    raise _Refused(
        Refusal("unsupported_encoding", StatusCode.INVALID_ARGUMENT, 415, message),
        (b"accept-encoding", _SUPPORTED_ENCODINGS.encode()),
    )


def _wants_json(headers: Mapping[str, str]) -> bool:
    content_type, accepted = headers.get("content-type", "").lower(), headers.get("accept", "").lower()
    if PROTOBUF in content_type:
        return False
    return "json" in content_type or "json" in accepted or PROTOBUF not in accepted


def _not_found(path: str) -> _Refused:
    message = f"there is nothing at {path!r}; OTLP is taken at {', '.join(_KINDS)}"
    return _Refused(Refusal("not_found", StatusCode.NOT_FOUND, 404, message))


def _method_not_allowed(method: str, allowed: str) -> _Refused:
    refusal = Refusal(
        "method_not_allowed", StatusCode.UNIMPLEMENTED, 405, f"send OTLP with POST, not {method}"
    )
    return _Refused(refusal, (b"allow", allowed.encode()))


def _stopping() -> _Refused:
    message = "the collector is stopping: send the request again"
    return _Refused(Refusal("stopping", StatusCode.UNAVAILABLE, 503, message, RETRY_AFTER_FAULT))


def _too_slow(seconds: float) -> _Refused:
    refusal = Refusal(
        "slow", StatusCode.DEADLINE_EXCEEDED, 408, f"the body did not arrive within {seconds:g} seconds"
    )
    return _Refused(refusal, (b"connection", b"close"))
