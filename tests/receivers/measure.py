"""Prints what one request costs a receiver: `python tests/receivers/measure.py [SECONDS]`.

One process serves, another sends small requests (one span each) over 32 connections or streams.
"alone" has a door that does nothing; "kept" is the whole way: checked, on disk, fsynced. "tls" is spoken
on the same connections, whose handshakes are made before; the last lines are what those cost.
"""

import asyncio
import contextlib
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

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

Send: TypeAlias = Callable[[int, float, str], Coroutine[Any, Any, int]]

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


async def serve(receiver_name: str, door_name: str, folder: str = "") -> None:
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
        tls = {"cert_file": f"{folder}/server.pem", "key_file": f"{folder}/server.key"} if folder else None
        receiver = build("receivers", receiver_name, {"port": 0, "tls": tls}, services)
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


def trusting(folder: str) -> grpc.ChannelCredentials:
    """Return a gRPC client's side of TLS."""
    return grpc.ssl_channel_credentials(Path(folder, "authority.pem").read_bytes())


async def send_grpc(port: int, seconds: float, folder: str) -> int:
    """Return how many requests were answered."""
    payload, end, answered = one_span(), time.monotonic() + seconds, 0
    credentials = trusting(folder) if folder else None
    address = f"127.0.0.1:{port}"
    async with (
        grpc.aio.secure_channel(address, credentials) if credentials else grpc.aio.insecure_channel(address)
    ) as channel:
        export = channel.unary_unary(EXPORT, None, None)

        async def one_after_the_other() -> None:
            nonlocal answered
            while time.monotonic() < end:
                await export(payload)
                answered += 1

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return answered


async def send_http(port: int, seconds: float, folder: str) -> int:
    """Return how many requests were answered."""
    trust = ssl.create_default_context(cafile=f"{folder}/authority.pem") if folder else None
    payload, end, answered = one_span(), time.monotonic() + seconds, 0
    head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nUser-Agent: measure\r\nAccept: */*\r\n"
    head += f"Content-Type: application/x-protobuf\r\nContent-Length: {len(payload)}\r\n\r\n"

    async def one_after_the_other() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        while time.monotonic() < end:
            writer.write(head.encode() + payload)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(answer.decode())
            answered += 1
        writer.close()

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return answered


async def shake_hands(port: int, seconds: float, folder: str) -> int:
    """Return how many connections made a handshake, one after the other."""
    trust = ssl.create_default_context(cafile=f"{folder}/authority.pem")
    end, made = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        writer.close()
        made += 1
    return made


def measure(
    receiver_name: str, door_name: str, folder: str, seconds: float, send: Send | None = None
) -> None:
    """Print requests a second, by the clock and of the server's CPU time."""
    command = [sys.executable, __file__, "serve", receiver_name, door_name, folder]
    what = "handshakes" if send else "requests"
    send = send or (send_grpc if receiver_name == "otlp_grpc" else send_http)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        port = int(server.stdout.readline())
        asyncio.run(send(port, 1, folder))  # warm
        print(file=server.stdin, flush=True)
        answered = asyncio.run(send(port, seconds, folder))
        print(file=server.stdin, flush=True)
        cpu = float(server.stdout.readline())
    by_clock, by_cpu = answered / seconds, answered / cpu
    name = f"{receiver_name} {door_name}{' tls' if folder else ''}"
    print(f"{name}: {by_clock:,.0f} {what}/s, {by_cpu:,.0f} a second of CPU")  # noqa: T201


def measure_all(seconds: float) -> None:
    """Print all of it."""
    sys.path.append(str(Path(__file__).parents[1] / "support"))
    from tls_certificates import Authority  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        Authority(Path(folder)).issue("server")
        for receiver_name in ("otlp_grpc", "otlp_http"):
            for door_name in ("alone", "kept"):
                for certificates in ("", folder):
                    measure(receiver_name, door_name, certificates, seconds)
            measure(receiver_name, "alone", folder, seconds, shake_hands)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(*sys.argv[2:]))
    else:
        measure_all(float((sys.argv[1:] or ["5"])[0]))
