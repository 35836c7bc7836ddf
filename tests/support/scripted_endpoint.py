"""An OTLP/HTTP endpoint that answers as a test says: well, badly, late, or never."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Answer(NamedTuple):
    """What the endpoint says."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Received(NamedTuple):
    """What it was sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Endpoint:
    """Change `answer` at any time; while `hanging` is set no request is answered."""

    url: str
    answer: Callable[[Received], Answer] = lambda _received: Answer()
    received: list[Received] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def bodies(self) -> list[bytes]:
        """Return what was sent, in order."""
        return [received.body for received in self.received]


@contextmanager
def endpoint(port: int = 0) -> Iterator[Endpoint]:
    """Listen on this port of this machine, or any."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            serving.received.append(received)
            while serving.hanging.is_set() and not serving.ended.wait(0.02):
                pass
            answer = serving.answer(received)
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that break off are what some tests are about."""

    server = Server(("127.0.0.1", port), Handler)
    serving = Endpoint(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield serving
    finally:
        serving.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """Return a port at which nobody listens."""
    with endpoint() as briefly:
        return int(briefly.url.rpartition(":")[2])
