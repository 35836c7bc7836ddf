"""OTLP over gRPC, line by line of the specification, and what a server owes its operator."""

import asyncio
import socket
import threading

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from tests.receivers.conftest import Kept, ScriptedDoor, by_both_servers, looping, poll, serving, traces

from glasshouse_collector.core.access import Authenticator, OpenAccess, TokenAccess
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Backpressure, ConfigurationError, TooLarge
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.receivers.otlp_grpc import OtlpGrpcConfig, OtlpGrpcReceiver

pytestmark = by_both_servers

TRACES = RequestKind.TRACES
PAYLOAD = traces("GET /").SerializeToString()


def status_of(refusal: grpc.Call) -> Status:
    """Return the status in the trailers."""
    trailers = dict(refusal.trailing_metadata() or ())
    status = Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == refusal.code().value[0]
    assert status.message == refusal.details()
    return status


def test_oversize_is_resource_exhausted_and_not_to_be_retried(collector: Kept) -> None:
    """Without a RetryInfo a client gives up on RESOURCE_EXHAUSTED, as it should here."""
    for refusal in (
        collector.refusal(TRACES, bytes(64 * 1024 * 1024 + 1)),
        collector.refusal(TRACES, bytes(64 * 1024 * 1024 + 1), compression=grpc.Compression.Gzip),
    ):
        assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "grpc-status-details-bin" not in dict(refusal.trailing_metadata() or ())


def test_what_the_door_finds_too_large_is_resource_exhausted_too() -> None:
    """Here the trailers have details, but no RetryInfo among them."""
    with serving(ScriptedDoor(fault=TooLarge("far too large"))) as served:
        refusal = served.refusal(TRACES, PAYLOAD)
        assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not status_of(refusal).details
        assert served.refused("otlp_grpc", "too_large") == 1


def test_backpressure_is_unavailable_with_retry_info() -> None:
    """The sender is told when to come back, to the millisecond."""
    with serving(ScriptedDoor(fault=Backpressure(2.5, "the journal is full"))) as served:
        refusal = served.refusal(TRACES, PAYLOAD)
        assert refusal.code() is grpc.StatusCode.UNAVAILABLE
        [detail] = status_of(refusal).details
        retry = RetryInfo()
        assert detail.Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() == 2500
        assert served.refused("otlp_grpc", "backpressure") == 1


def test_undecodable_is_invalid_argument_with_bad_request(collector: Kept) -> None:
    """The sender is told never to send it again, and what is wrong with it."""
    before = collector.refused("otlp_grpc", "undecodable")
    refusal = collector.refusal(TRACES, b"\xff\xff\xff")
    assert refusal.code() is grpc.StatusCode.INVALID_ARGUMENT
    [detail] = status_of(refusal).details
    bad_request = BadRequest()
    assert detail.Unpack(bad_request)
    assert bad_request.field_violations[0].description == refusal.details()
    assert collector.refused("otlp_grpc", "undecodable") == before + 1
    assert not collector.kept()


def test_a_sender_without_the_key_is_unauthenticated() -> None:
    """Only who sends the right one comes in, under either header."""
    with serving(ScriptedDoor(), TokenAccess("open sesame")) as served:
        for metadata in ((), (("authorization", "Bearer wrong"),), (("x-api-key", "wrong"),)):
            refusal = served.refusal(TRACES, PAYLOAD, metadata=metadata)
            assert refusal.code() is grpc.StatusCode.UNAUTHENTICATED
            assert "key" in status_of(refusal).message
        served.export(TRACES, PAYLOAD, metadata=(("authorization", "Bearer open sesame"),))
        served.export(TRACES, PAYLOAD, metadata=(("x-api-key", "open sesame"), ("odd-bin", b"\xff")))
        assert served.refused("otlp_grpc", "unauthenticated") == 3


def test_a_fault_of_ours_is_unavailable_and_tells_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """The sender sends it again; what went wrong stands in the log, with where."""
    with serving(ScriptedDoor(fault=RuntimeError("secret 4711"))) as served:
        refusal = served.refusal(TRACES, PAYLOAD)
        assert refusal.code() is grpc.StatusCode.UNAVAILABLE
        assert "4711" not in str(status_of(refusal))
        assert len(status_of(refusal).details) == 1
        assert served.refused("otlp_grpc", "fault") == 1
    assert "secret 4711" in caplog.text


def test_an_unknown_method_is_unimplemented(collector: Kept) -> None:
    """Nothing else is served."""
    call = collector.channel.unary_unary(
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", None, None
    )
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=60)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_health_service_says_serving(collector: Kept) -> None:
    """Probes of orchestrators ask it; status 1 is SERVING."""
    check = collector.channel.unary_unary("/grpc.health.v1.Health/Check", None, None)
    assert check(b"", timeout=60) == b"\x08\x01"


def test_a_stop_finishes_what_has_begun_and_takes_nothing_new() -> None:
    """A request in the door's hands gets its answer; the port is free afterwards."""
    door = ScriptedDoor(hold=True)
    with serving(door, shutdown_seconds=60) as served:
        answers: list[bytes] = []
        sender = threading.Thread(target=lambda: answers.append(served.export(TRACES, PAYLOAD)))
        sender.start()
        assert door.entered.wait(30)
        stop = asyncio.run_coroutine_threadsafe(served.grpc_receiver.stop(), served.loop._loop)
        poll(lambda: _is_refused(served.grpc_receiver.bound_port))
        assert not stop.done()
        door.release.set()
        stop.result(30)
        sender.join(30)
        assert answers == [b""]


def _is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # the listener was closed in the middle of it: the next one is refused
        return False
    return False


def receiver(**config: object) -> OtlpGrpcReceiver:
    """Return one that has not started."""
    services = Services()
    services.provide(Metrics, Metrics())
    services.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    return OtlpGrpcReceiver(OtlpGrpcConfig.model_validate(config), services)


def test_it_says_which_server_serves(grpc_server: str) -> None:
    """In the metrics, and in the note that /health shows beside the receiver."""
    with serving(ScriptedDoor()) as served:
        labels = {"server": grpc_server}
        assert served.metrics.registry.get_sample_value("glasshouse_grpc_server_info", labels) == 1
        assert served.grpc_receiver.note.startswith(
            {"native": "the native server", "grpcio": "grpcio"}[grpc_server]
        )


def test_it_listens_on_ipv6() -> None:
    """An address of IPv6 needs no brackets in the settings."""
    with looping() as loop:
        on_six = receiver(host="::1", port=0)
        loop.run(on_six.start(ScriptedDoor()))
        try:
            with grpc.insecure_channel(f"[::1]:{on_six.bound_port}") as channel:
                check = channel.unary_unary("/grpc.health.v1.Health/Check", None, None)
                assert check(b"", timeout=60) == b"\x08\x01"
        finally:
            loop.run(on_six.stop())
            loop.run(on_six.stop())


def test_a_stop_without_a_start_is_safe() -> None:
    """The service stops whatever it has built."""
    asyncio.run(receiver().stop())


def test_a_taken_port_is_named_with_its_setting() -> None:
    """The user reads what to change."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigurationError, match=rf"receivers\.otlp_grpc\.port: 127\.0\.0\.1:{port} is taken"
        ):
            asyncio.run(receiver(port=port).start(ScriptedDoor()))


def test_a_port_another_collector_has_is_taken() -> None:
    """Two collectors never share a port silently, each getting half of what is sent."""
    with (
        serving(ScriptedDoor()) as served,
        pytest.raises(ConfigurationError, match=r"receivers\.otlp_grpc\.port"),
    ):
        asyncio.run(receiver(port=served.grpc_receiver.bound_port).start(ScriptedDoor()))


def test_an_address_of_another_machine_is_named_with_its_setting() -> None:
    """The user reads what to change."""
    with pytest.raises(ConfigurationError, match=r"receivers\.otlp_grpc\.host: 192\.0\.2\.1 is no address"):
        asyncio.run(receiver(host="192.0.2.1").start(ScriptedDoor()))
