"""What each answer of an endpoint means for the batch."""

import gzip

import pytest
import requests
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from glasshouse.delivery.batch import Batch
from glasshouse.delivery.destinations import Destination
from glasshouse.delivery.exchange import Outcome, exchange
from scripted_endpoint import Answer, Endpoint, free_port

_BATCH = Batch("logs", b"body", 1, content_encoding="gzip")
_PROTOBUF = {"content-type": "application/x-protobuf"}


def _exchange(url: str, *, timeout: float = 5.0) -> Outcome:
    headers = {"authorization": "Bearer secret"}
    with requests.Session() as session:
        return exchange(_BATCH, Destination(url, headers, timeout=timeout), session)


def _answered(listening: Endpoint, answer: Answer) -> Outcome:
    listening.answer = lambda _: answer
    return _exchange(f"{listening.url}/v1/logs")


def test_the_request_is_the_exporters_own(listening: Endpoint) -> None:
    """Body, encoding and headers arrive as they were handed over."""
    assert _exchange(f"{listening.url}/v1/logs").kind == "delivered"
    (received,) = listening.received
    assert (received.path, received.body) == ("/v1/logs", b"body")
    assert received.headers["content-encoding"] == "gzip"
    assert received.headers["content-type"] == "application/x-protobuf"
    assert received.headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_an_overloaded_endpoint_is_asked_again(listening: Endpoint, status: int) -> None:
    """What the specification lets be sent again stays in line."""
    outcome = _answered(listening, Answer(status))
    assert (outcome.kind, outcome.wait) == ("later", None)
    assert outcome.reason.startswith(str(status))


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404])
def test_a_wrong_key_or_address_is_no_fault_of_the_batch(listening: Endpoint, status: int) -> None:
    """It waits a minute for someone to put that right, and no redirection takes the key elsewhere."""
    answer = Answer(status, {"location": f"{listening.url}/elsewhere"})
    assert _answered(listening, answer).wait == 60
    assert [received.path for received in listening.received] == ["/v1/logs"]


@pytest.mark.parametrize("status", [400, 405, 413, 415, 500, 501])
def test_everything_else_is_for_good(listening: Endpoint, status: int) -> None:
    """The specification forbids to send it again."""
    assert _answered(listening, Answer(status)).kind == "refused"


def test_the_reason_is_the_endpoints_own(listening: Endpoint) -> None:
    """The message of a google.rpc.Status is told, without what would break a terminal."""
    body = Status(message="no such\nfield\x1b[2J").SerializeToString()
    assert _answered(listening, Answer(400, _PROTOBUF, body)).reason == "400 no such field [2J"
    assert (
        _answered(listening, Answer(413, {"content-type": "text/plain"}, b"too big")).reason == "413 too big"
    )


@pytest.mark.parametrize(
    ("written", "least", "most"),
    [
        ("7", 7, 7),
        ("-7", 0, 0),
        ("1e9", 3600, 3600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600, 3600),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 0, 0),
    ],
)
def test_retry_after_is_honoured(listening: Endpoint, written: str, least: int, most: int) -> None:
    """Seconds or a date, within an hour."""
    wait = _answered(listening, Answer(503, {"retry-after": written})).wait
    assert wait is not None
    assert least <= wait <= most


@pytest.mark.parametrize("written", ["soon", "nan", "inf", "Mon, 99 Foo 2026 00:00:00 GMT", ""])
def test_a_retry_after_that_is_none_is_ignored(listening: Endpoint, written: str) -> None:
    """Our own pauses are used instead."""
    assert _answered(listening, Answer(503, {"retry-after": written})).wait is None


def test_a_partial_success_is_counted(listening: Endpoint) -> None:
    """Records that were left out are known, with the reason."""
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 3
    answer.partial_success.error_message = "too old"
    outcome = _answered(listening, Answer(200, _PROTOBUF, answer.SerializeToString()))
    assert outcome == Outcome("delivered", "too old", rejected=3)


@pytest.mark.parametrize("body", [b"\xff" * 100, b"", b"\0" * (1 << 20)])
def test_an_answer_that_makes_no_sense_is_a_success_still(listening: Endpoint, body: bytes) -> None:
    """The status counts."""
    assert _answered(listening, Answer(200, _PROTOBUF, body)) == Outcome("delivered")


def test_an_answer_that_unpacks_to_much_is_cut_off(listening: Endpoint) -> None:
    """No endpoint can fill the memory."""
    headers = {"content-type": "text/plain", "content-encoding": "gzip"}
    outcome = _answered(listening, Answer(400, headers, gzip.compress(b"x" * (50 << 20))))
    assert outcome.kind == "refused"
    assert len(outcome.reason) < 400


def test_nobody_listening_is_no_fault_of_the_batch() -> None:
    """It is tried again, and the reason holds no password."""
    outcome = _exchange(f"http://me:password@127.0.0.1:{free_port()}/v1/logs?token=password")
    assert (outcome.kind, outcome.suspicious) == ("later", False)
    assert "refused" in outcome.reason
    assert "password" not in outcome.reason


def test_a_hanging_endpoint_is_given_up(listening: Endpoint) -> None:
    """It is tried again, and the batch may have been what it hangs at."""
    listening.hanging.set()
    outcome = _exchange(f"{listening.url}/v1/logs", timeout=0.1)
    assert (outcome.kind, outcome.suspicious) == ("later", True)


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://collector/v1/logs", "http://[::1"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    """Nothing is raised, nothing is lost."""
    outcome = _exchange(url)
    assert (outcome.kind, outcome.suspicious) == ("later", False)
