"""Prints what one request costs a receiver: `python tests/receivers/measure.py [SECONDS]`.

One process serves, another sends small requests (one span each) over 32 connections or streams.
"alone" has a door that does nothing; "kept" is the whole way: checked, on disk, fsynced.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.access import Authenticator, OpenAccess
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Accepted, Door, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.registry import build
from glasshouse_collector.journal import Journal, JournalSettings
from glasshouse_collector.receivers.door import JournalDoor

AT_ONCE = 32
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class OpenDoor:
    """Takes everything and keeps nothing."""

    async def accept(
        self, kind: RequestKind, payload: bytes, project: str, *, transport: str, key: str = ""
    ) -> Accepted:
        """Return at once."""
        del kind, payload, project, transport, key
        return Accepted(1)


async def serve(receiver_name: str, door_name: str) -> None:
    """Print the port, and at the end of input the seconds of CPU since the first line of it."""
    metrics, clock, services = Metrics(), SystemClock(), Services()
    services.provide(Metrics, metrics)
    services.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    async with contextlib.AsyncExitStack() as undo:
        door: Door = OpenDoor()
        if door_name == "kept":
            directory = Path(undo.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd())))
            settings = JournalSettings(directory, "fsync", max_bytes=2**33, segment_bytes=2**27)
            journal = Journal.open(settings, metrics, clock)
            undo.push_async_callback(journal.close)
            door = JournalDoor(best_codec(), journal, metrics, clock)
        receiver = build("receivers", receiver_name, {"port": 0}, services)
        await receiver.start(door)
        undo.push_async_callback(receiver.stop)
        print(receiver.bound_port, flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
        before = time.process_time()
        await asyncio.to_thread(sys.stdin.readline)
        print(time.process_time() - before, flush=True)  # noqa: T201


def one_span() -> bytes:
    """Return a request with a span of a dozen attributes."""
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415

    request = trace_service_pb2.ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    span = scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="GET /")
    for number in range(12):
        span.attributes.add(key=f"http.request.attribute{number}").value.string_value = "some value here"
    return request.SerializeToString()


async def send_grpc(port: int, seconds: float) -> int:
    """Return how many requests were answered."""
    payload, end, answered = one_span(), time.monotonic() + seconds, 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(EXPORT, None, None)

        async def one_after_the_other() -> None:
            nonlocal answered
            while time.monotonic() < end:
                await export(payload)
                answered += 1

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return answered


async def send_http(port: int, seconds: float) -> int:
    """Return how many requests were answered."""
    payload, end, answered = one_span(), time.monotonic() + seconds, 0
    head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nUser-Agent: measure\r\nAccept: */*\r\n"
    head += f"Content-Type: application/x-protobuf\r\nContent-Length: {len(payload)}\r\n\r\n"

    async def one_after_the_other() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            writer.write(head.encode() + payload)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(answer.decode())
            answered += 1
        writer.close()

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return answered


def measure(receiver_name: str, door_name: str, seconds: float) -> None:
    """Print requests a second, by the clock and of the server's CPU time."""
    command = [sys.executable, __file__, "serve", receiver_name, door_name]
    send = send_grpc if receiver_name == "otlp_grpc" else send_http
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        port = int(server.stdout.readline())
        asyncio.run(send(port, 1))  # warm
        print(file=server.stdin, flush=True)
        answered = asyncio.run(send(port, seconds))
        print(file=server.stdin, flush=True)
        cpu = float(server.stdout.readline())
    by_clock, by_cpu = answered / seconds, answered / cpu
    print(f"{receiver_name} {door_name}: {by_clock:,.0f} requests/s, {by_cpu:,.0f} a second of CPU")  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(*sys.argv[2:]))
    else:
        for receiver_name in ("otlp_grpc", "otlp_http"):
            for door_name in ("alone", "kept"):
                measure(receiver_name, door_name, float((sys.argv[1:] or ["5"])[0]))
