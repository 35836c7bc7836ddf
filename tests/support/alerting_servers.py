"""What an alert passes on its way: a service that fails, a store that can be away, a mail server."""

import os
import shutil
import subprocess
import sys
import threading
import time
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector_process import until
from glasshouse_alerts.stack_programs import PROGRAMS, free_port

_PROGRAM = Path(sys.executable).parent / "glasshouse"


def skip_without_servers() -> None:
    """Skip a test of Prometheus and Alertmanager where they are not installed."""
    absent = [name for name, known in PROGRAMS.items() if not any(map(shutil.which, known))]
    if absent:
        pytest.skip(f"{', '.join(absent)} not installed: `make servers` installs what Debian has")


class TradingService:
    """Sends spans of served requests, ten a second, to a collector's OTLP/HTTP; half fail while `failing`."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.name = name
        self.failing = False
        self._endpoint = endpoint
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._trade, name=name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _trade(self) -> None:
        with httpx.Client(timeout=30) as client:
            count = 0
            while not self._ended.wait(0.1):
                count += 1
                client.post(
                    f"{self._endpoint}/v1/traces",
                    content=self._span(failed=self.failing and count % 2 == 0),
                    headers={"Content-Type": "application/x-protobuf"},
                ).raise_for_status()

    def _span(self, *, failed: bool) -> bytes:
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = self.name
        span = resource.scope_spans.add().spans.add(name="POST /trades", kind=Span.SPAN_KIND_SERVER)
        span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
        span.end_time_unix_nano = time.time_ns()
        span.start_time_unix_nano = span.end_time_unix_nano - 5_000_000
        span.status.code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET
        return request.SerializeToString()


class StoreServer:
    """`glasshouse store serve --writable`, which can go away and come back with what it had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.dsn = f"clickhouse://127.0.0.1:{self._port}/telemetry"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Serve, on the port of before."""
        command = [
            str(_PROGRAM),
            "store",
            "serve",
            "--data-dir",
            str(self._folder),
            "--port",
            str(self._port),
        ]
        with (self._folder.parent / f"{self._folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen([*command, "--writable"], stdout=log, stderr=log)
        until(self._answers, "the store answers")

    def kill(self) -> None:
        """End it as a power switch would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the store ended"
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/ping", timeout=5).text == "Ok.\n"
        except httpx.TransportError:
            return False


class Mailbox:
    """An SMTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a message, as aiosmtpd asks of a handler."""
        del server, session
        content = envelope.content
        assert isinstance(content, bytes)
        self.messages.append(message_from_bytes(content))
        return "250 kept"

    def texts(self) -> list[str]:
        """Return each message as its subject and all its readable parts."""
        return [_text(message) for message in list(self.messages)]


def _text(message: Message) -> str:
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    subject = str(make_header(decode_header(message["Subject"])))
    return "\n".join([subject, *(part.decode() for part in parts if isinstance(part, bytes))])


def prometheus_says(url: str, query: str) -> list[dict[str, Any]]:
    """Return what Prometheus answers to an instant query: series with labels and value."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=30).json()
    assert answer["status"] == "success", answer
    series: list[dict[str, Any]] = answer["data"]["result"]
    return series
