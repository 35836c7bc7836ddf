"""The load balancer of the cluster: HAProxy with the very file, before two real collectors."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector_process import CollectorProcess, until
from compose_file import ROOT, Service
from glasshouse_collector.config import Settings
from scripted_endpoint import free_port

CONFIGURATION = (ROOT / "deploy" / "cluster" / "haproxy.cfg").read_text()
PORTS = {name: int(Settings.model_fields[name].default) for name in ("grpc_port", "http_port", "port")}
TOKEN = "a-token"
WITH_KEY = {"Authorization": f"Bearer {TOKEN}"}


def test_it_names_the_collectors_and_their_ports(cluster: dict[str, Service]) -> None:
    """Each back end has both, at the port that its front end has; the health check's port is its own."""
    binds = re.findall(r"^frontend (\w+)\n    bind :(\d+)", CONFIGURATION, re.MULTILINE)
    servers = re.findall(r"^    server (\S+) (\S+):(\d+)", CONFIGURATION, re.MULTILINE)
    collectors = [name for name in cluster if name.startswith("collector-")]
    assert {int(port) for name, port in binds if name != "health"} == set(PORTS.values())
    assert {port.container_port for port in cluster["load-balancer"].published} == set(PORTS.values())
    assert sorted(servers) == sorted(
        (name, name, str(port)) for name in collectors for port in PORTS.values()
    )
    assert f"check port {PORTS['port']} " in CONFIGURATION
    (health,) = [port for name, port in binds if name == "health"]
    (monitor,) = re.findall(r"monitor-uri (\S+)", CONFIGURATION)
    assert (
        cluster["load-balancer"].written["healthcheck"]["test"][-1] == f"http://127.0.0.1:{health}{monitor}"
    )


@dataclass(frozen=True)
class Balanced:
    """HAProxy before two collectors."""

    ports: dict[str, int]
    collectors: list[CollectorProcess]

    def api(self, path: str) -> httpx.Response:
        """Ask whichever collector it chooses."""
        return httpx.get(f"http://127.0.0.1:{self.ports['port']}{path}", headers=WITH_KEY, timeout=30)

    def send_http(self, body: bytes) -> int:
        """Send by OTLP/HTTP; return the status."""
        headers = {**WITH_KEY, "Content-Type": "application/x-protobuf"}
        url = f"http://127.0.0.1:{self.ports['http_port']}/v1/traces"
        return httpx.post(url, content=body, headers=headers, timeout=30).status_code

    def kept(self) -> list[int]:
        """Return how many spans each collector that runs has stored."""
        counts = []
        for collector in self.collectors:
            if collector.alive:
                answer = httpx.post(
                    f"http://{collector.endpoints()['api']}/api/v1/sql",
                    json={"query": "SELECT count() FROM otel_traces"},
                    headers=WITH_KEY,
                    timeout=30,
                )
                counts.append(int(answer.raise_for_status().json()["rows"][0][0]))
        return counts


def _request(number: int) -> bytes:
    """Return a request of one span."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = number.to_bytes(16, "big"), number.to_bytes(8, "big")
    span.name, span.start_time_unix_nano, span.end_time_unix_nano = "balanced", 10**18, 10**18 + 1
    return request.SerializeToString()


def _rendered(ports: dict[str, int], collectors: list[dict[str, str]]) -> str:
    """Return the very file with this machine's addresses in place of those of containers."""
    text = CONFIGURATION.replace("bind :8404", f"bind 127.0.0.1:{ports['health']}")
    text = text.replace(f"check port {PORTS['port']} ", "check ")
    for name, port in PORTS.items():
        text = text.replace(f"bind :{port}", f"bind 127.0.0.1:{ports[name]}")
        kind = {"grpc_port": "grpc", "http_port": "http", "port": "api"}[name]
        for number, at in enumerate(collectors, 1):
            checked = at["api"].rpartition(":")[2]
            server = re.compile(rf"server collector-{number} collector-{number}:{port}\b(.*)")
            text = server.sub(rf"server collector-{number} {at[kind]}\1 port {checked}", text)
    assert "collector-1:" not in text
    return text


def _program() -> str:
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        pytest.skip("haproxy is not installed; on Debian: apt-get install haproxy")
    return program


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    """Lend two collectors behind HAProxy."""
    program, folder = _program(), tmp_path_factory.mktemp("balanced")
    environment = {"GLASSHOUSE_AUTH_TOKEN": TOKEN, "GLASSHOUSE_SELF_WATCH": "false"}
    with ExitStack() as undo:
        collectors = [CollectorProcess(folder / name, env=environment) for name in ("one", "two")]
        for collector in collectors:
            undo.callback(collector.kill)
        ports = {name: free_port() for name in (*PORTS, "health")}
        written = folder / "haproxy.cfg"
        written.write_text(_rendered(ports, [collector.endpoints() for collector in collectors]))
        with (folder / "haproxy.log").open("wb") as log:
            haproxy = subprocess.Popen([program, "-db", "-f", written], stdout=log, stderr=log)
        undo.callback(haproxy.wait)
        undo.callback(haproxy.kill)
        lent = Balanced(ports, collectors)
        until(lambda: _lives(ports["health"]), "HAProxy listens")
        yield lent


def _lives(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/live", timeout=5).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_haproxy_takes_the_file(tmp_path: Path) -> None:
    """As it is, but for the names, which only containers resolve."""
    path = tmp_path / "haproxy.cfg"
    path.write_text(CONFIGURATION)
    done = subprocess.run([_program(), "-c", "-f", path], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "[ALERT]" in line or "[WARNING]" in line]
    assert done.returncode == 0, done.stderr
    assert all("could not resolve address 'collector-" in line for line in said)


def test_both_take_part_and_one_goes_on_alone(balanced: Balanced) -> None:
    """OTLP/HTTP and OTLP/gRPC are spread over both; after one is killed the other takes everything."""
    until(lambda: balanced.api("/ready").status_code == httpx.codes.OK, "the API is ready")
    assert {balanced.send_http(_request(number)) for number in range(1, 21)} == {httpx.codes.OK}
    with grpc.insecure_channel(f"127.0.0.1:{balanced.ports['grpc_port']}") as channel:
        stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
        metadata = [("authorization", f"Bearer {TOKEN}")]
        for number in range(21, 41):
            stub.Export(ExportTraceServiceRequest.FromString(_request(number)), metadata=metadata, timeout=30)
        until(lambda: sum(balanced.kept()) == 40, "both have stored all of it")
        assert all(balanced.kept())
        with pytest.raises(grpc.RpcError) as refused:
            stub.Export(ExportTraceServiceRequest.FromString(_request(41)), timeout=30)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

        balanced.collectors[0].kill()
        left = balanced.kept()[0]
        until(lambda: _all_taken(balanced, stub, metadata), "the other is the one that is used")
        until(lambda: balanced.kept()[0] >= left + 20, "the other has stored what came")
    assert balanced.api("/ready").status_code == httpx.codes.OK


def _all_taken(balanced: Balanced, stub: TraceServiceStub, metadata: list[tuple[str, str]]) -> bool:
    """Whether ten requests each way are taken; some fail until HAProxy has noticed."""
    for number in range(50, 60):
        if balanced.send_http(_request(number)) != httpx.codes.OK:
            return False
        try:
            request = ExportTraceServiceRequest.FromString(_request(number + 10))
            stub.Export(request, metadata=metadata, timeout=30)
        except grpc.RpcError:
            return False
    return True


def test_metrics_are_not_asked_through_it(balanced: Balanced) -> None:
    """They would be one collector's now and the other's then."""
    assert balanced.api("/metrics").status_code == httpx.codes.NOT_FOUND
