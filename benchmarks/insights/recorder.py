"""Stands between applications and a collector, hands everything on, and keeps it as OTLP files.

What the collector acknowledged is in the recording, as it came, and nothing else: what it refused is
sent again by the application. While the applications run, requests are only put down; the OTLP JSON
Lines that `glasshouse send` reads are made of them at the end.
"""

import base64
import gzip
import json
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from google.protobuf.json_format import MessageToDict

from glasshouse_collector.codec.otlp_json import to_protobuf
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.send.files import REQUESTS, Request

SIGNALS: Final = {
    "/v1/traces": RequestKind.TRACES,
    "/v1/logs": RequestKind.LOGS,
    "/v1/metrics": RequestKind.METRICS,
}
FILES: Final = {kind: f"{path.rpartition('/')[2]}.jsonl.gz" for path, kind in SIGNALS.items()}
"""What a recording's files are called, by what is in them."""
_ORDER: Final = tuple(FILES)
_HEAD: Final = struct.Struct("<BI")
_IDS: Final = ("traceId", "spanId", "parentSpanId")
_HANDED_ON: Final = ("Content-Type", "Content-Encoding", "Authorization", "X-API-Key", "User-Agent")
_HOP: Final = ("connection", "transfer-encoding", "content-length", "date", "server")


class Recorder:
    """Listens for OTLP over HTTP at `endpoint` and hands it to the collector at `host:port`."""

    def __init__(self, collector: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._collector = collector
        self._kept = (folder / "requests").open("wb")
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        with self._lock:
            self._kept.close()
        as_otlp_files(self._folder)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                handed = {name: self.headers[name] for name in _HANDED_ON if name in self.headers}
                try:
                    status, headers, answer = recorder.hand_on(self.path, body, handed)
                except OSError:
                    status, headers, answer = 503, {}, b""
                if status == 200 and self.path in SIGNALS:
                    recorder.keep(SIGNALS[self.path], as_protobuf(SIGNALS[self.path], body, handed))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
                """Say nothing of each request."""

        return Handler

    def hand_on(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Post to the collector; return status, headers and body of its answer. Raises OSError."""
        connection = HTTPConnection(self._collector, timeout=30)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def keep(self, kind: RequestKind, body: bytes) -> None:
        """Put a request down; one that comes after the end is left out."""
        with self._lock:
            if not self._kept.closed:
                self._kept.write(_HEAD.pack(_ORDER.index(kind), len(body)) + body)


def as_protobuf(kind: RequestKind, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a request in protobuf: without its Content-Encoding, and not in JSON any more."""
    plain = zlib.decompress(body, 47) if headers.get("Content-Encoding") in {"gzip", "deflate"} else body
    in_json = headers.get("Content-Type", "").startswith("application/json")
    return to_protobuf(kind, plain) if in_json else plain


def as_otlp_files(folder: Path) -> None:
    """Make a file a signal of the requests that were put down in the folder, and remove those."""
    requests = folder / "requests"
    with ExitStack() as opened:
        lines = {kind: opened.enter_context(gzip.open(folder / name, "wb")) for kind, name in FILES.items()}
        for kind, body in _put_down(requests):
            lines[kind].write(json_line(REQUESTS[kind].FromString(body)))
    requests.unlink()


def json_line(request: Request) -> bytes:
    """Return a request in OTLP/JSON and a newline: ids in hexadecimal, enums as numbers."""
    written = _with_hexadecimal_ids(MessageToDict(request, use_integers_for_enums=True))
    return json.dumps(written, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _put_down(path: Path) -> Iterator[tuple[RequestKind, bytes]]:
    with path.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            which, size = _HEAD.unpack(head)
            body = file.read(size)
            if len(body) == size:
                yield _ORDER[which], body


def _with_hexadecimal_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hexadecimal_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64decode(each).hex()
        if name in _IDS and isinstance(each, str)
        else _with_hexadecimal_ids(each)
        for name, each in value.items()
    }
