"""Ten thousand connections that say nothing, at every door: who has something to say is still heard."""

import asyncio
import resource
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from attacked_collector import Attacked
from collector_process import until

IDLE = 10_000
SPARE = 2_000


@pytest.fixture(scope="module", autouse=True)
def enough_files() -> Iterator[None]:
    """Let this process, and the collector it starts, hold so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + SPARE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine allows {hard} open files, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("door", ["api", "http", "grpc"])
def test_idle_connections_keep_nobody_out(attacked: Attacked, door: str) -> None:
    """With all of them open, and some that stopped in the middle of a request, everything goes on."""
    before = attacked.counts()
    idle = asyncio.run(_connect(attacked.at[door], IDLE))
    try:
        assert len(idle) == IDLE
        for connection in idle[:50]:
            connection.sendall(b"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        _send_log(attacked)
        _send_span(attacked)
        with attacked.client() as client:
            assert client.get("/api/v1/logs").status_code == 200
        assert httpx.get(f"{attacked.api}/ready", timeout=60).status_code == 200
    finally:
        for connection in idle:
            connection.close()
    wanted = {**before, "logs": before["logs"] + 1, "spans": before["spans"] + 1}
    until(lambda: attacked.counts() == wanted, "what was sent meanwhile is stored")


async def _connect(address: str, count: int) -> list[socket.socket]:
    """Return so many connections, made many at a time."""
    host, _, port = address.rpartition(":")
    loop, at_once = asyncio.get_running_loop(), asyncio.Semaphore(200)

    async def one() -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        async with at_once:
            await loop.sock_connect(made, (host, int(port)))
        return made

    made = await asyncio.gather(*(one() for _ in range(count)))
    for each in made:
        each.setblocking(True)
    return list(made)


def _send_log(attacked: Attacked) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time.time_ns())
    record.body.string_value = "still heard"
    answer = httpx.post(
        f"http://{attacked.at['http']}/v1/logs",
        content=request.SerializeToString(),
        headers={"Content-Type": "application/x-protobuf", "X-API-Key": attacked.token},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text


def _send_span(attacked: Attacked) -> None:
    exporter = OTLPSpanExporter(
        f"http://{attacked.at['grpc']}", insecure=True, headers={"x-api-key": attacked.token}, timeout=60
    )
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("hostile").start_as_current_span("still heard"):
        pass
    provider.shutdown()
