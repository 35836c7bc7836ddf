"""A language model's server that speaks chat completions over real HTTP, and says what a test lets it say."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Asked = Mapping[str, Any]
"""The body of a request, as it was sent."""


class Said(NamedTuple):
    """An answer of the server: its status and body, and how badly it is sent."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    promised: int | None = None
    """Bytes that the head promises; with more than the body has, the connection ends within the answer."""
    endless: bool = False
    """Send the body again and again, until the client has enough."""
    dripping: bool = False
    """Send the body byte by byte, and never the last one, until the client has enough."""


@dataclass
class ModelServer:
    """Change `answer` at any time; while `hanging` is set no request is answered."""

    url: str
    answer: Callable[[Asked], Said]
    asked: list[Asked] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def sent(self) -> str:
        """Return everything that left for the model, as text."""
        return json.dumps(self.asked, ensure_ascii=False)


def completion(
    content: str | None,
    *,
    calls: list[tuple[str, Any]] | None = None,
    finish: str = "stop",
    model: str = "tiny-1",
    **message: Any,
) -> Said:
    """Return a chat completion with this message; `calls` are names of tools with their arguments."""
    said: dict[str, Any] = {"role": "assistant", "content": content, **message}
    if calls:
        said["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
                },
            }
            for number, (name, arguments) in enumerate(calls)
        ]
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": said, "finish_reason": "tool_calls" if calls else finish}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
    }
    return Said(body=json.dumps(body).encode())


def error(status: int, message: str, **more: Any) -> Said:
    """Return an error as such servers tell it."""
    return Said(status, json.dumps({"error": {"message": message, "type": "error", **more}}).encode())


def in_turn(*answers: Said) -> Callable[[Asked], Said]:
    """Answer one after the other, the last one again and again."""
    left = list(answers)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    serving: ModelServer

    def do_POST(self) -> None:
        """Note what is asked, and answer as the test says."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        serving = self.serving
        serving.asked.append(asked)
        serving.headers.append({name.lower(): value for name, value in self.headers.items()})
        while serving.hanging.is_set() and not serving.ended.wait(0.02):
            pass
        known = self.path == "/v1/chat/completions"
        self._send(serving.answer(asked) if known else error(404, f"nothing at {self.path}"))

    def _send(self, said: Said) -> None:
        self.send_response(said.status)
        length = said.promised or (1 << 40 if said.endless or said.dripping else len(said.body))
        head = {"content-type": "application/json", "content-length": str(length)}
        for name, value in {**head, **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        while said.dripping and not self.serving.ended.wait(0.02):
            self.wfile.write(b" ")
        while said.endless and not self.serving.ended.is_set():
            self.wfile.write(said.body)
        self.wfile.write(said.body)
        self.close_connection = length != len(said.body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that break off are what some tests are about."""


@contextmanager
def model_server(answer: Callable[[Asked], Said]) -> Iterator[ModelServer]:
    """Listen on any free port of this machine."""

    class Handler(_Handler):
        """Of this server."""

    server = _Server(("127.0.0.1", 0), Handler)
    Handler.serving = serving = ModelServer(f"http://127.0.0.1:{server.server_port}/v1", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield serving
    finally:
        serving.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
