"""Keys and quotas at the receivers: over gRPC by both servers, and over HTTP."""

import base64
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from tests.receivers import http2
from tests.receivers.conftest import SERVICES, Kept, by_both_servers, keeping, traces

from control_time import Time
from glasshouse_collector.control import Database, KeyQuotas, Keyring, Keys, KeySettings, Projects
from glasshouse_collector.control.access import KeyAccess
from glasshouse_collector.control.attempts import AT_ONCE
from glasshouse_collector.core.access import Scope
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.metrics import Metrics

Headers: TypeAlias = dict[str, str]

pytestmark = [by_both_servers, pytest.mark.parametrize("transport", ["otlp_grpc", "otlp_http"])]

DAY = timedelta(days=1)
SPANS = 20
PAYLOAD = traces(*["GET /"] * SPANS).SerializeToString()


@dataclass
class Answer:
    """What a sender is answered: the HTTP status, or the one that stands for gRPC's; seconds to wait."""

    status: int
    message: str = ""
    retry_after: float | None = None


_OF_GRPC = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
}


@dataclass
class Guarded:
    """Receivers with a key's access, and who manages the keys."""

    kept: Kept
    transport: str
    projects: Projects
    keys: Keys
    keyring: Keyring
    time: Time

    def key(self, project: str = "default", settings: KeySettings | None = None) -> str:
        """Make a key that the receivers know."""
        secret = self.keys.create(project, settings).secret
        self.keyring.refresh()
        return secret

    def send(self, headers: Headers) -> Answer:
        """Send a request."""
        if self.transport == "otlp_http":
            posted = self.kept.http.post(
                "/v1/traces", content=PAYLOAD, headers={"content-type": "application/x-protobuf"} | headers
            )
            wait = posted.headers.get("retry-after")
            message = Status.FromString(posted.content).message
            return Answer(posted.status_code, message, float(wait) if wait else None)
        call = self.kept.channel.unary_unary(f"/{SERVICES[RequestKind.TRACES]}/Export", None, None)
        answer = call.future(PAYLOAD, 60, tuple(headers.items()))
        status = _OF_GRPC[answer.code()]
        return Answer(status) if status == 200 else Answer(status, answer.details(), _retry_delay(answer))

    def send_as(self, secret: str) -> Answer:
        """Send a request with a key."""
        return self.send({"authorization": f"Bearer {secret}"})


def _retry_delay(refused: grpc.Call) -> float | None:
    trailers = {pair[0]: pair[1] for pair in refused.trailing_metadata() or ()}
    retry = RetryInfo()
    for detail in Status.FromString(trailers["grpc-status-details-bin"]).details:
        if detail.Unpack(retry):
            return float(retry.retry_delay.ToTimedelta().total_seconds())
    return None


@pytest.fixture
def guarded(tmp_path: Path, transport: str, grpc_server: str) -> Iterator[Guarded]:
    """Serve both receivers for who has a key."""
    del grpc_server
    database, time = Database.open(f"sqlite:///{tmp_path / 'control.db'}"), Time()
    quotas = KeyQuotas(time)
    keyring = Keyring(database, time, quotas)
    access = KeyAccess(Metrics(), SystemClock(), token=None, local=False)
    access.use(keyring)
    with keeping(tmp_path / "journal", access, quotas) as kept:
        yield Guarded(kept, transport, Projects(database, time), Keys(database, time), keyring, time)
    database.close()


def test_records_are_the_keys_projects(guarded: Guarded) -> None:
    """However the key is sent, and whatever else is."""
    guarded.projects.create("ours", project_id="ours")
    guarded.projects.create("theirs", project_id="theirs")
    ours, theirs = guarded.key("ours"), guarded.key("theirs")
    basic = base64.b64encode(f"anyone:{ours}".encode()).decode()
    for headers in (
        {"authorization": f"Bearer {ours}"},
        {"x-api-key": ours, "project": "theirs"},
        {"authorization": f"Basic {basic}"},
    ):
        assert guarded.send(headers) == Answer(200)
    assert guarded.send_as(theirs) == Answer(200)
    assert [frame.project for frame in guarded.kept.kept()] == ["ours", "ours", "ours", "theirs"]


def test_who_may_not_send_is_told_why(guarded: Guarded) -> None:
    """Once each, in a line; nothing is kept, and each reason is counted."""
    reading = guarded.key(settings=KeySettings(scopes=frozenset({Scope.READ})))
    revoked, expiring = guarded.key(), guarded.key(settings=KeySettings(expires_at=guarded.time.now + DAY))
    assert guarded.send_as(expiring).status == 200
    guarded.kept.kept()
    guarded.keys.revoke(revoked[:11])
    guarded.keyring.refresh()
    guarded.time.passes(DAY)
    refused = {
        "no key was sent: send the header": guarded.send({}),
        "the key that was sent opens nothing here": guarded.send_as(revoked[:-1] + "-"),
        f"the key {revoked[:11]} is revoked": guarded.send_as(revoked),
        f"the key {expiring[:11]} is expired": guarded.send_as(expiring),
        f"the key {reading[:11]} has the scope read; this needs ingest": guarded.send_as(reading),
    }
    for message, answer in refused.items():
        assert answer.message.startswith(message)
        assert answer.retry_after is None
        assert not any(secret in answer.message for secret in (reading, revoked, expiring))
    assert [answer.status for answer in refused.values()] == [401, 401, 401, 401, 403]
    assert guarded.kept.refused(guarded.transport, "unauthenticated") == 4
    assert guarded.kept.refused(guarded.transport, "forbidden") == 1
    assert guarded.kept.kept() == []


def test_a_key_ends_on_a_connection_that_goes_on(guarded: Guarded) -> None:
    """Revoked, its project deleted: the next request after a refresh is refused."""
    guarded.projects.create("ours", project_id="ours")
    first, second = guarded.key("ours"), guarded.key("ours")
    assert guarded.send_as(first).status == guarded.send_as(second).status == 200
    guarded.keys.revoke(first[:11])
    assert guarded.send_as(first).status == 200
    guarded.keyring.refresh()
    assert (guarded.send_as(first).status, guarded.send_as(second).status) == (401, 200)
    guarded.projects.delete("ours")
    guarded.keyring.refresh()
    assert guarded.send_as(second).status == 401


def test_too_many_wrong_keys_are_told_to_wait(guarded: Guarded) -> None:
    """With a time, as OTLP has it; a right key from the same address passes."""
    right = guarded.key()
    answers = [guarded.send_as(f"guess-{number}") for number in range(AT_ONCE + 1)]
    assert [answer.status for answer in answers] == [401] * AT_ONCE + [429]
    last = answers[-1]
    assert last.retry_after is not None
    assert last.retry_after >= 1
    assert "too many wrong keys" in last.message
    assert guarded.kept.refused(guarded.transport, "failed_attempts") == 1
    assert guarded.send_as(right).status == 200


def test_a_sender_cannot_say_where_it_is(guarded: Guarded) -> None:
    """A request with a header of the name that addresses go by is none, even with a right key."""
    named = {":peer": "192.0.2.1", "x-api-key": guarded.key()}
    if guarded.transport == "otlp_grpc":
        with http2.Connection(guarded.kept.grpc_port, http2.PREFACE) as connection:
            connection.send(http2.frame(http2.SETTINGS, 0, 0))
            connection.request(1, http2.message(PAYLOAD), **named)
            next((each for each in connection.frames() if each.kind == http2.RST_STREAM), None)
    else:
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        with socket.create_connection(("127.0.0.1", guarded.kept.http_receiver.bound_port), 60) as http:
            http.sendall(f"POST /v1/traces HTTP/1.1\r\n{head}content-length: {len(PAYLOAD)}\r\n\r\n".encode())
            http.sendall(PAYLOAD)
            assert http.recv(12) == b"HTTP/1.1 400"
    assert guarded.kept.kept() == []


@pytest.mark.parametrize(
    ("settings", "reason", "wait"),
    [
        (KeySettings(records_per_second=1), "quota_rate", SPANS - 10),
        (KeySettings(bytes_per_day=len(PAYLOAD)), "quota_volume", 12 * 3600),
    ],
    ids=["rate", "volume"],
)
def test_a_key_over_its_quota_is_told_when_to_send_again(
    guarded: Guarded, settings: KeySettings, reason: str, wait: float
) -> None:
    """429 or RESOURCE_EXHAUSTED with the time; nothing is kept of it, and all of it after the time."""
    key, other = guarded.key(settings=settings), guarded.key(settings=settings)
    sent = [guarded.send_as(key), guarded.send_as(key)]
    assert [answer.status for answer in sent] == [200, 429]
    assert sent[1].retry_after == wait
    assert key[:11] in sent[1].message
    assert key not in sent[1].message
    assert guarded.kept.refused(guarded.transport, reason) == 1
    assert len(guarded.kept.kept()) == 1
    assert guarded.send_as(other).status == 200
    guarded.time.passes(timedelta(seconds=wait + 1))
    assert guarded.send_as(key).status == 200
