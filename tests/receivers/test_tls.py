"""TLS at the doors that take telemetry: who gets in, what changes while it runs, what harms nothing."""

import logging
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from tests.receivers.conftest import (
    SERVICES,
    Kept,
    ScriptedDoor,
    Served,
    by_both_servers,
    keeping,
    poll,
    serving,
    traces,
)

from glasshouse_collector.core import tls_files, tls_handshake
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.tls import TlsConfig
from tls_certificates import Authority, Issued

pytestmark = by_both_servers

EXPORT = f"/{SERVICES[RequestKind.TRACES]}/Export"
PAYLOAD = traces("GET /").SerializeToString()
PROTOBUF = {"content-type": "application/x-protobuf"}
ENVIRONMENT = {
    "CERTIFICATE": "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "CLIENT_CERTIFICATE": "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "CLIENT_KEY": "OTEL_EXPORTER_OTLP_CLIENT_KEY",
}


@pytest.fixture(autouse=True)
def nobody_else_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine's own variables, requests prefers these to what the exporter says."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority of the test's own."""
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Issued:
    """Return the collector's certificate."""
    return authority.issue("server")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the files often, and complain soon."""
    monkeypatch.setattr(tls_files, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(tls_files, "_PATIENCE", 2)


def settings(server: Issued, client_ca: Path | None = None) -> TlsConfig:
    """Return what a user writes."""
    return TlsConfig(cert_file=server.cert_file, key_file=server.key_file, client_ca_file=client_ca)


def context(authority: Authority, client: Issued | None = None) -> ssl.SSLContext:
    """Return a client's side of TLS."""
    made = ssl.create_default_context(cafile=authority.file)
    if client is not None:
        made.load_cert_chain(client.cert_file, client.key_file)
    return made


def exported(served: Served, authority: Authority, client: Issued | None = None) -> None:
    """Send over both transports; raises where one does not let it in."""
    shown = (client.key, client.pem) if client else ()
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes(), *shown)
    with grpc.secure_channel(f"localhost:{served.grpc_port}", credentials) as channel:
        channel.unary_unary(EXPORT, None, None)(PAYLOAD, timeout=60)
    address = f"https://localhost:{served.http_receiver.bound_port}/v1/traces"
    answer = httpx.post(
        address, content=PAYLOAD, headers=PROTOBUF, verify=context(authority, client), timeout=60
    )
    assert answer.status_code == 200


def refused_by_grpc(served: Served, authority: Authority, client: Issued | None = None) -> None:
    """Assert that a gRPC client does not get in."""
    shown = (client.key, client.pem) if client else ()
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes(), *shown)
    with (
        grpc.secure_channel(f"localhost:{served.grpc_port}", credentials) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(EXPORT, None, None)(PAYLOAD, timeout=60)
    assert isinstance(refused.value, grpc.Call)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def shown_by(port: int, authority: Authority, alpn: str = "h2") -> int:
    """Return the serial number of the certificate that a door shows to a new connection."""
    with secured(port, authority, alpn) as connection:
        certificate = connection.getpeercert()
    assert certificate is not None
    return int(str(certificate["serialNumber"]), 16)


@contextmanager
def secured(port: int, authority: Authority, alpn: str = "h2") -> Iterator[ssl.SSLSocket]:
    """Connect, and make the handshake."""
    made = context(authority)
    made.set_alpn_protocols([alpn])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        made.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def one_span() -> list[ReadableSpan]:
    """Return a span to export."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("GET /cart")
    span.end()
    assert isinstance(span, ReadableSpan)
    return [span]


def exporters(collector: Kept, seconds: float) -> list[SpanExporter]:
    """Return OpenTelemetry's own, which read certificates from the environment."""
    return [
        GrpcSpans(f"https://localhost:{collector.grpc_port}", timeout=seconds),
        HttpSpans(f"https://localhost:{collector.http_receiver.bound_port}/v1/traces", timeout=seconds),
    ]


def test_the_sdk_sends_where_it_knows_the_authority(
    authority: Authority, server: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it needs is one variable; an SDK without it trusts nobody here, and sends nothing."""
    with keeping(tmp_path / "journal", tls=settings(server)) as collector:
        for exporter in exporters(collector, 1):
            assert exporter.export(one_span()) is SpanExportResult.FAILURE
            exporter.shutdown()
        assert collector.kept() == []
        monkeypatch.setenv(ENVIRONMENT["CERTIFICATE"], str(authority.file))
        for exporter in exporters(collector, 60):
            assert exporter.export(one_span()) is SpanExportResult.SUCCESS
            exporter.shutdown()
        assert [frame.records for frame in collector.kept()] == [1, 1]


def test_the_sdk_shows_its_certificate(
    authority: Authority, server: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where clients have to: two variables more."""
    client = authority.issue("client", "client")
    with keeping(tmp_path / "journal", tls=settings(server, authority.file)) as collector:
        monkeypatch.setenv(ENVIRONMENT["CERTIFICATE"], str(authority.file))
        monkeypatch.setenv(ENVIRONMENT["CLIENT_CERTIFICATE"], str(client.cert_file))
        monkeypatch.setenv(ENVIRONMENT["CLIENT_KEY"], str(client.key_file))
        for exporter in exporters(collector, 60):
            assert exporter.export(one_span()) is SpanExportResult.SUCCESS
            exporter.shutdown()
        assert [frame.records for frame in collector.kept()] == [1, 1]


@pytest.mark.parametrize("shown", ["none", "of another authority", "a server's", "ended"])
def test_only_who_shows_a_certificate_of_the_authority_gets_in(
    authority: Authority, server: Issued, tmp_path: Path, shown: str, grpc_server: str
) -> None:
    """The others are told so by TLS, counted, and reach no door."""
    (tmp_path / "other").mkdir()
    client = {
        "none": None,
        "of another authority": Authority(tmp_path / "other").issue("client", "client"),
        "a server's": authority.issue("wrong", "server"),
        "ended": authority.issue("ended", "client", ends=-Authority.HOUR),
    }[shown]
    door = ScriptedDoor()
    with serving(door, tls=settings(server, authority.file)) as served:
        refused_by_grpc(served, authority, client)
        address = f"https://localhost:{served.http_receiver.bound_port}/v1/traces"
        with pytest.raises(httpx.TransportError, match=r"alert|tls"):
            httpx.post(
                address, content=PAYLOAD, headers=PROTOBUF, verify=context(authority, client), timeout=60
            )
        assert not door.entered.is_set()
        poll(lambda: served.refused("otlp_http", "tls_handshake") == 1)
        if grpc_server == "native":
            poll(lambda: served.refused("otlp_grpc", "tls_handshake") >= 1)
        exported(served, authority, authority.issue("right", "client"))


@pytest.mark.usefixtures("quick")
def test_a_changed_certificate_is_shown_to_new_connections(authority: Authority, server: Issued) -> None:
    """Those that are open go on. As long as the key is still the old one, so is the certificate."""
    with serving(ScriptedDoor(), tls=settings(server)) as served:
        ports = (served.grpc_port, "h2"), (served.http_receiver.bound_port, "http/1.1")
        credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
        http = httpx.Client(verify=context(authority), timeout=60)
        address = f"https://localhost:{served.http_receiver.bound_port}/v1/traces"
        with http, grpc.secure_channel(f"localhost:{served.grpc_port}", credentials) as channel:
            export = channel.unary_unary(EXPORT, None, None)

            def send_on_the_old_connections() -> None:
                assert export(PAYLOAD, timeout=60) == b""
                assert http.post(address, content=PAYLOAD, headers=PROTOBUF).status_code == 200

            send_on_the_old_connections()
            renewed = authority.issue("renewed")
            shutil.copy(renewed.cert_file, server.cert_file)
            poll(lambda: reloads(served, "kept") == 1)
            assert {shown_by(port, authority, alpn) for port, alpn in ports} == {server.serial}
            shutil.copy(renewed.key_file, server.key_file)
            poll(lambda: reloads(served, "reloaded") == 1)
            assert {shown_by(port, authority, alpn) for port, alpn in ports} == {renewed.serial}
            send_on_the_old_connections()
            assert open_connections(http) == 1
            exported(served, authority)


@pytest.mark.usefixtures("quick")
def test_a_folder_that_is_pointed_elsewhere_is_noticed(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes changes a secret: the files are links through a link to a folder, which is swapped."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    issued = {name: authority.issue(name) for name in ("first", "second")}
    for name, each in issued.items():
        folder = mounted / name
        folder.mkdir()
        shutil.copy(each.cert_file, folder / "tls.crt")
        shutil.copy(each.key_file, folder / "tls.key")
    (mounted / "..data").symlink_to("first")
    for name in ("tls.crt", "tls.key"):
        (mounted / name).symlink_to(Path("..data") / name)
    config = TlsConfig(cert_file=mounted / "tls.crt", key_file=mounted / "tls.key")
    with serving(ScriptedDoor(), tls=config) as served:
        assert shown_by(served.grpc_port, authority) == issued["first"].serial
        (mounted / "..next").symlink_to("second")
        (mounted / "..next").replace(mounted / "..data")
        poll(lambda: shown_by(served.grpc_port, authority) == issued["second"].serial)
        poll(
            lambda: (
                shown_by(served.http_receiver.bound_port, authority, "http/1.1") == issued["second"].serial
            )
        )
        assert (reloads(served, "reloaded"), reloads(served, "kept")) == (1, 0)


@pytest.mark.usefixtures("quick")
def test_a_changed_client_authority_counts_for_new_connections(
    authority: Authority, server: Issued, tmp_path: Path
) -> None:
    """Clients of the one before come in no more, also those that would take up where they left off."""
    (tmp_path / "next").mkdir()
    following = Authority(tmp_path / "next", "next authority")
    asked_for = tmp_path / "clients.pem"
    shutil.copy(authority.file, asked_for)
    before, after = authority.issue("before", "client"), following.issue("after", "client")
    with serving(ScriptedDoor(), tls=settings(server, asked_for)) as served:
        returning = context(authority, before)
        port = served.http_receiver.bound_port
        session = resumable(returning, port)
        shutil.copy(following.file, asked_for)
        poll(lambda: reloads(served, "reloaded") == 1)
        refused_by_grpc(served, authority, before)
        with pytest.raises(OSError, match=r"unknown ca|alert"):
            resumable(returning, port, session)
        exported(served, authority, after)


def resumable(made: ssl.SSLContext, port: int, session: ssl.SSLSession | None = None) -> ssl.SSLSession:
    """Send a request, by a session of before where there is one, and return the connection's session."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        made.wrap_socket(plain, server_hostname="localhost", session=session) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 404 ")
        assert connection.session is not None
        return connection.session


def test_damaged_files_leave_what_was_before(
    authority: Authority,
    server: Issued,
    quick: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever comes to lie there, the log says once what is wrong, and what comes right is taken."""
    del quick
    with serving(ScriptedDoor(), tls=settings(server)) as served, caplog.at_level(logging.INFO):
        ended = authority.issue("ended", ends=-Authority.HOUR)
        server.cert_file.write_bytes(ended.pem)
        server.key_file.write_bytes(ended.key)
        poll(lambda: reloads(served, "kept") == 1)
        server.key_file.unlink()
        assert shown_by(served.grpc_port, authority) == server.serial
        [complaint] = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
        assert complaint.startswith(f"tls.cert_file: {server.cert_file}: the certificate ended on ")
        renewed = authority.issue("renewed")
        server.key_file.write_bytes(renewed.key)
        server.cert_file.write_bytes(renewed.pem)
        poll(lambda: shown_by(served.grpc_port, authority) == renewed.serial)
        exported(served, authority)


def test_who_speaks_no_tls_gets_nothing_through(authority: Authority, server: Issued) -> None:
    """A browser or curl is told what to write; others go on."""
    door = ScriptedDoor()
    with serving(door, tls=settings(server)) as served:
        with pytest.raises(grpc.RpcError):
            served.channel.unary_unary(EXPORT, None, None)(PAYLOAD, timeout=60)
        answer = served.post(RequestKind.TRACES, PAYLOAD)
        assert (answer.status_code, answer.text) == (
            400,
            "this port speaks TLS: write https:// instead of http://\n",
        )
        assert not door.entered.is_set()
        exported(served, authority)


def test_tls_gets_nothing_through_where_none_is_spoken(authority: Authority) -> None:
    """It is no HTTP, and is counted as that."""
    door = ScriptedDoor()
    with serving(door) as served:
        for port in (served.grpc_port, served.http_receiver.bound_port):
            with pytest.raises(OSError, match=r"SSL|reset|EOF"), secured(port, authority):
                pass
        assert not door.entered.is_set()
        poll(lambda: served.refused("otlp_http", "no_http") == 1)
        served.still_serves()


def test_a_handshake_ends_in_time(
    authority: Authority, server: Issued, monkeypatch: pytest.MonkeyPatch, grpc_server: str
) -> None:
    """Whether nothing comes or half a greeting; others are served meanwhile."""
    if grpc_server == "grpcio":
        pytest.skip("grpcio has two minutes of its own for a handshake")
    monkeypatch.setattr(tls_handshake, "SECONDS", 0.3)
    with serving(ScriptedDoor(), tls=settings(server)) as served:
        for port, transport in (
            (served.grpc_port, "otlp_grpc"),
            (served.http_receiver.bound_port, "otlp_http"),
        ):
            for beginning in (b"", b"\x16\x03\x01\x02\x00\x01"):
                with socket.create_connection(("127.0.0.1", port), timeout=60) as slow:
                    slow.sendall(beginning)
                    assert slow.recv(1000) == b""
            poll(lambda transport=transport: served.refused(transport, "tls_handshake") == 2)  # type: ignore[misc]
        exported(served, authority)


def test_who_only_looks_whether_a_port_is_open_is_not_counted(authority: Authority, server: Issued) -> None:
    """Load balancers do so every second."""
    with serving(ScriptedDoor(), tls=settings(server)) as served:
        for port in (served.grpc_port, served.http_receiver.bound_port) * 3:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        exported(served, authority)
        assert served.refused("otlp_grpc", "tls_handshake") == 0
        assert served.refused("otlp_http", "tls_handshake") == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("oldest", "spoken"), [("1.2", "TLSv1_1"), ("1.2", "TLSv1_2"), ("1.3", "TLSv1_2"), ("1.3", "TLSv1_3")]
)
def test_versions_before_the_oldest_are_refused(
    authority: Authority, server: Issued, oldest: str, spoken: str, grpc_server: str
) -> None:
    """TLS 1.1 always, 1.2 where it is said."""
    if grpc_server == "grpcio" and oldest != "1.2":
        pytest.skip("grpcio cannot be told; the collector says so at the start")
    lets_in = spoken >= f"TLSv{oldest}".replace(".", "_")
    made = context(authority)
    made.set_ciphers("DEFAULT:@SECLEVEL=0")  # or this side would refuse the old versions itself
    made.minimum_version = made.maximum_version = ssl.TLSVersion[spoken]
    config = settings(server).model_copy(update={"min_version": oldest})
    with serving(ScriptedDoor(), tls=config) as served:
        for port, alpn in ((served.grpc_port, "h2"), (served.http_receiver.bound_port, "http/1.1")):
            made.set_alpn_protocols([alpn])
            with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
                if lets_in:
                    with made.wrap_socket(plain, server_hostname="localhost") as connection:
                        assert connection.version() == spoken.replace("_", ".")
                        assert connection.selected_alpn_protocol() == alpn
                else:
                    with pytest.raises(OSError, match=r"alert|reset|EOF"):
                        made.wrap_socket(plain, server_hostname="localhost")


def test_a_stop_waits_for_no_handshake(server: Issued) -> None:
    """Who never made one is let go of with the rest."""
    with serving(ScriptedDoor(), tls=settings(server), shutdown_seconds=1) as served:
        ports = (served.grpc_port, served.http_receiver.bound_port)
        waiting = [socket.create_connection(("127.0.0.1", port), timeout=60) for port in ports]
        served.loop.run(served.http_receiver.stop())
        served.loop.run(served.grpc_receiver.stop())
        for connection in waiting:
            with connection:
                assert connection.recv(1000) == b""


def reloads(served: Served, outcome: str) -> float:
    """Return how many changes of the files had that outcome."""
    name = "glasshouse_certificate_reloads_total"
    return served.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0


def open_connections(client: httpx.Client) -> int:
    """Return how many connections a client has needed."""
    transport = client._transport
    assert isinstance(transport, httpx.HTTPTransport)
    return len(transport._pool.connections)


def test_what_a_server_cannot_do_is_said_at_the_start(
    authority: Authority, server: Issued, grpc_server: str
) -> None:
    """The setting, and what would be right: before anything listens."""
    if grpc_server == "grpcio":
        config = settings(server).model_copy(update={"min_version": "1.3"})
        said = r"tls\.min_version: grpcio, which serves here, knows no other than 1\.2; set that, or install"
    else:
        odd = authority.issue("odd", key=ec.generate_private_key(ec.SECP521R1()))
        config = settings(odd)
        said = r"tls\.key_file: .*odd\.key: the gRPC server does not take it: "
    with pytest.raises(ConfigurationError, match=said), serving(ScriptedDoor(), tls=config):
        pass
