"""A ClickHouse that throws telemetry away, counts it, and answers questions with a real engine.

    python benchmarks/sink.py --port 0

It speaks the HTTP interface. Rows inserted into the tables named otel_… are read and forgotten; all
else (a client's handshake, migrations, a count) goes to an embedded ClickHouse in memory, so that any
exporter may start against it. `GET /counts` tells what came. It prints its port first.
"""

import argparse
import asyncio
import json
import re
import signal
import tempfile
import zlib
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb
from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]
from zstandard import ZstdDecompressor

_DISCARDED = re.compile(
    r"\s*insert\s+into\s+(?:table\s+)?[`\"\w.]*?(?:otel_|glasshouse_raising_)", re.IGNORECASE
)
_INSERT = re.compile(r"\s*insert\s", re.IGNORECASE)
_FORMAT = re.compile(r"\bformat\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_LZ4_SIZES = 17
"""Where a compressed block's sizes stand: after its checksum (16) and method (1)."""


@dataclass(slots=True)
class Counts:
    """What the discarded inserts brought; `rows_bytes` is their size without block compression."""

    inserts: int = 0
    wire_bytes: int = 0
    rows_bytes: int = 0

    def add(self, body: bytes | bytearray | memoryview, compressed: bool) -> None:
        """Count one insert."""
        self.inserts += 1
        self.wire_bytes += len(body)
        self.rows_bytes += _uncompressed(body) if compressed else len(body)


def _uncompressed(body: bytes | bytearray | memoryview) -> int:
    at = total = 0
    while at + _LZ4_SIZES + 8 <= len(body):
        sizes = body[at + _LZ4_SIZES : at + _LZ4_SIZES + 8]
        total += int.from_bytes(sizes[4:], "little")
        at += 16 + int.from_bytes(sizes[:4], "little")
    return total


def _opened(body: bytes | bytearray, encoding: str, limit: int = -1) -> bytes:
    """Return a body without its Content-Encoding; at least `limit` bytes of its beginning, if given."""
    if encoding == "lz4":
        plain: bytes = LZ4FrameDecompressor().decompress(body, limit)
        return plain
    if encoding == "zstd":
        return ZstdDecompressor().stream_reader(body).read(limit)
    if encoding in ("gzip", "deflate"):
        return zlib.decompressobj(47).decompress(body, max(0, limit))
    return bytes(body if limit < 0 else body[:limit])


class Engine:
    """The embedded ClickHouse that answers questions."""

    def __init__(self) -> None:
        connect: Any = chdb.connect
        self._session = connect(":memory:")

    def answer(self, parameters: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
        """Return status, body and format of the answer to a question, or to an insert that is kept."""
        query = parameters.get("query", "")
        if not query:
            text, _, rows = body.partition(b"\n")
            query, body = (text.decode(), rows) if _INSERT.match(text[:20].decode("latin-1")) else ("", body)
        if parameters.get("database"):
            self._session.query(f"USE `{parameters['database']}`")
        try:
            if _INSERT.match(query) and body:
                return 200, self._keep(query, body), "TabSeparated"
            return self._ask("\n".join(part for part in (query, body.decode()) if part), parameters)
        except RuntimeError as failure:
            return 400, str(failure).encode(), "TabSeparated"

    def _ask(self, sql: str, parameters: dict[str, str]) -> tuple[int, bytes, str]:
        written = None if _INSERT.match(sql) else _FORMAT.search(sql)
        kind = written[1] if written else parameters.get("default_format", "TabSeparated")
        binds = {name[6:]: value for name, value in parameters.items() if name.startswith("param_")}
        if written:
            sql = sql[: written.start()]
        return 200, self._session.query(sql, kind, params=binds or None).bytes(), kind

    def _keep(self, query: str, body: bytes) -> bytes:
        """Insert a body of whatever format the query names."""
        written = _FORMAT.search(query)
        with tempfile.NamedTemporaryFile() as rows:
            rows.write(body)
            rows.flush()
            into = query[: written.start()] if written else query
            kind = written[1] if written else "TabSeparated"
            self._session.query(f"{into} FROM INFILE '{rows.name}' FORMAT {kind}")
        return b""


class SinkProtocol(asyncio.Protocol):
    """One client's connection: HTTP/1.1, one request at a time."""

    def __init__(self, engine: Engine, counts: Counts) -> None:
        self._engine, self._counts = engine, counts
        self._in = bytearray()
        self._target = self._encoding = ""
        self._body_at = 0
        self._length: int | None = None
        self._chunk_at = 0
        self._chunks: list[tuple[int, int]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer by."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes; answer each request that is now whole."""
        self._in += data
        while self._in:
            if not self._body_at and not self._read_head():
                return
            body = self._body()
            if body is None:
                return
            self._respond(body)

    def _read_head(self) -> bool:
        end = self._in.find(b"\r\n\r\n")
        if end < 0:
            return False
        line, *fields = bytes(self._in[:end]).split(b"\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (f.partition(b":") for f in fields)
        }
        self._target = line.split(b" ")[1].decode()
        chunked = headers.get(b"transfer-encoding", b"").lower() == b"chunked"
        self._length = None if chunked else int(headers.get(b"content-length", 0))
        self._encoding = headers.get(b"content-encoding", b"").decode()
        self._body_at = self._chunk_at = end + 4
        if headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _body(self) -> bytearray | None:
        """Return the request's body and forget the request, or None while bytes are missing."""
        if self._length is not None:
            end = self._body_at + self._length
            if len(self._in) < end:
                return None
            body = self._in[self._body_at : end]
        else:
            whole = self._walk_chunks()
            if whole is None:
                return None
            end = whole
            body = bytearray().join(memoryview(self._in)[start:stop] for start, stop in self._chunks)
            self._chunks = []
        self._in = self._in[end:]
        self._body_at = 0
        return body

    def _walk_chunks(self) -> int | None:
        while True:
            line_end = self._in.find(b"\r\n", self._chunk_at)
            if line_end < 0:
                return None
            size = int(self._in[self._chunk_at : line_end].split(b";")[0], 16)
            start = line_end + 2
            if len(self._in) < start + size + 2:
                return None
            self._chunk_at = start + size + 2
            if not size:
                return self._chunk_at
            self._chunks.append((start, start + size))

    def _respond(self, body: bytearray) -> None:
        url = urlsplit(self._target)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True))
        status, answer, kind = 200, b"", "TabSeparated"
        if url.path == "/counts":
            answer = json.dumps(asdict(self._counts)).encode()
        elif url.path == "/ping":
            answer = b"Ok.\n"
        elif _DISCARDED.match(
            parameters.get("query") or _opened(body, self._encoding, 256).decode("latin-1")
        ):
            self._counts.add(body, parameters.get("decompress") == "1")
        else:
            status, answer, kind = self._engine.answer(parameters, _opened(body, self._encoding))
        head = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Bad Request'}\r\n"
            f"Content-Length: {len(answer)}\r\nX-ClickHouse-Format: {kind}\r\nX-ClickHouse-Timezone: UTC\r\n"
            "Content-Type: application/octet-stream\r\nConnection: Keep-Alive\r\n\r\n"
        )
        self._transport.write(head.encode() + answer)


async def serve(port: int) -> None:
    """Listen until SIGTERM."""
    loop = asyncio.get_running_loop()
    engine, counts = Engine(), Counts()
    server = await loop.create_server(lambda: SinkProtocol(engine, counts), "127.0.0.1", port)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a ClickHouse that discards telemetry.")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))
