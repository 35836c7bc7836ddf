"""OTLP over HTTP, line by line of the specification, and the ways a sender can misbehave."""

import gzip

import httpx
import orjson
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from tests.receivers.conftest import Kept, ScriptedDoor, Served, serving, traces

from glasshouse_collector.core.access import TokenAccess
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import Backpressure

TRACES = RequestKind.TRACES
PAYLOAD = traces("GET /").SerializeToString()
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
SPAN_IN_JSON = (
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"GET /","traceId":"%s","spanId":"%s"}]}]}]}'
    % (
        b"74" * 16,
        b"73" * 8,
    )
)


@pytest.mark.parametrize("kind", RequestKind)
@pytest.mark.parametrize(
    ("sent", "answered"),
    [(PROTOBUF, PROTOBUF), (JSON, JSON), ("Application/JSON; charset=utf-8", JSON)],
)
def test_the_answers_content_type_equals_the_requests(
    collector: Kept, kind: RequestKind, sent: str, answered: str
) -> None:
    """In success and in failure."""
    empty, broken = (b"", b"\xff") if answered == PROTOBUF else (b"{}", b"{")
    for body, status in ((empty, 200), (broken, 400)):
        response = collector.post(kind, body, content_type=sent)
        assert (response.status_code, response.headers["content-type"]) == (status, answered)


def test_json_and_protobuf_are_taken_on_the_same_port(collector: Kept) -> None:
    """Either way the journal holds the same bytes, in protobuf."""
    assert collector.post(TRACES, PAYLOAD).status_code == 200
    assert collector.post(TRACES, SPAN_IN_JSON, content_type=JSON).status_code == 200
    zipped = gzip.compress(SPAN_IN_JSON)
    assert collector.post(TRACES, zipped, content_type=JSON, content_encoding="gzip").status_code == 200
    assert [frame.payload for frame in collector.kept()] == [PAYLOAD] * 3


def test_large_json_is_taken_too(collector: Kept) -> None:
    """What is converted in a thread is the same as what is not."""
    request = orjson.loads(SPAN_IN_JSON)
    request["resourceSpans"] *= 2000
    assert collector.post(TRACES, orjson.dumps(request), content_type=JSON).status_code == 200
    assert [frame.records for frame in collector.kept()] == [2000]


def test_undecodable_is_400_with_a_status_in_the_requests_encoding(collector: Kept) -> None:
    """Code 3 is INVALID_ARGUMENT; JSON says where the fault is."""
    status = Status.FromString(collector.post(TRACES, b"\xff\xff").content)
    assert (status.code, bool(status.message)) == (3, True)
    response = collector.post(TRACES, b'{"resourceSpans": [{"resource": 7}]}', content_type=JSON)
    assert response.status_code == 400
    assert response.json() == {"code": 3, "message": "resourceSpans[0].resource: must be an object, is 7"}
    assert collector.post(TRACES, b"no gzip", content_encoding="gzip").status_code == 400
    assert not collector.kept()


def test_oversize_is_413(collector: Kept) -> None:
    """By what the sender announces, by what arrives without announcement, and the connection lives on."""
    over = bytes(64 * 1024 * 1024 + 1)
    for body in (over, (over[: len(over) // 64 + 1] for _ in range(64))):
        response = collector.http.post("/v1/traces", content=body, headers={"content-type": PROTOBUF})
        assert response.status_code == 413
        assert Status.FromString(response.content).code == 8
        assert "retry-after" not in response.headers
        assert collector.post(TRACES, PAYLOAD).status_code == 200


def test_overload_is_503_with_retry_after() -> None:
    """Whole seconds, rounded up: no sender comes back too early."""
    with serving(ScriptedDoor(fault=Backpressure(2.1, "the journal is full"))) as served:
        for content_type, body in ((PROTOBUF, PAYLOAD), (JSON, b"{}")):
            response = served.post(TRACES, body, content_type=content_type)
            assert (response.status_code, response.headers["retry-after"]) == (503, "3")
        assert response.json() == {"code": 14, "message": "the journal is full"}
        assert served.refused("otlp_http", "backpressure") == 2


def test_a_fault_of_ours_is_never_500(caplog: pytest.LogCaptureFixture) -> None:
    """It is a 503, which clients send again, and tells no secrets."""
    with serving(ScriptedDoor(fault=RuntimeError("secret 4711"))) as served:
        response = served.post(TRACES, PAYLOAD)
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert b"4711" not in response.content
    assert "secret 4711" in caplog.text


def test_a_sender_without_the_key_is_401() -> None:
    """Only who sends the right one comes in, under either header."""
    with serving(ScriptedDoor(), TokenAccess("open sesame")) as served:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x_api_key": "wrong"}):
            response = served.post(TRACES, PAYLOAD, **headers)
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
            assert Status.FromString(response.content).code == 16
        assert served.post(TRACES, PAYLOAD, authorization="Bearer open sesame").status_code == 200
        assert served.post(TRACES, PAYLOAD, x_api_key="open sesame").status_code == 200


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/protobuf", "multipart/form-data"])
def test_other_content_types_are_415(collector: Kept, content_type: str) -> None:
    """The answer names those that are taken, in JSON: a person with curl can read it."""
    response = collector.post(TRACES, PAYLOAD, content_type=content_type)
    assert (response.status_code, response.headers["content-type"]) == (415, JSON)
    assert "application/x-protobuf" in response.json()["message"]


def test_an_error_is_told_in_protobuf_to_who_accepts_it_and_sent_neither(collector: Kept) -> None:
    """And in JSON to who accepts both."""
    for accepted, told in ((PROTOBUF, PROTOBUF), (f"{PROTOBUF}, {JSON}", JSON)):
        response = collector.post(TRACES, b"", content_type="text/plain", accept=accepted)
        assert (response.status_code, response.headers["content-type"]) == (415, told)


def test_an_address_opened_in_a_browser_answers_in_json(collector: Kept) -> None:
    """It says what to do instead, without any header."""
    response = collector.http.get("/v1/traces")
    assert (response.status_code, response.json()["message"]) == (405, "send OTLP with POST, not GET")


def test_an_unknown_content_encoding_is_415(collector: Kept) -> None:
    """The answer names those that are taken, where RFC 9110 has them."""
    response = collector.post(TRACES, PAYLOAD, content_encoding="br")
    assert (response.status_code, "gzip" in response.headers["accept-encoding"]) == (415, True)
    assert "'br'" in Status.FromString(response.content).message


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405(collector: Kept, method: str) -> None:
    """With the one that is taken."""
    response = collector.http.request(method, "/v1/traces", headers={"content-type": JSON})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["code"] == 12


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/traces/", "/v1/profiles", "/v1/TRACES", "/%00"])
def test_other_paths_are_404(collector: Kept, path: str) -> None:
    """The answer names those that there are."""
    response = collector.http.post(path, content=PAYLOAD, headers={"content-type": PROTOBUF})
    assert response.status_code == 404
    assert "/v1/traces" in Status.FromString(response.content).message


def test_browsers_of_allowed_origins_may_send() -> None:
    """The preflight is answered without a key, and the request's answer can be read by the page."""
    door, allowed = ScriptedDoor(), ("https://shop.example", "https://*.preview.example")
    with serving(door, TokenAccess("key"), http_cors_allowed_origins=allowed) as served:
        for origin in ("https://shop.example", "https://a-1.preview.example"):
            preflight = _preflight(served, origin)
            assert preflight.status_code == 204
            assert preflight.headers["access-control-allow-origin"] == origin
            assert preflight.headers["access-control-allow-methods"] == "POST"
            assert preflight.headers["access-control-allow-headers"] == "authorization,content-type"
            for key, status in (("key", 200), ("wrong", 401)):
                response = served.post(TRACES, b"", origin=origin, x_api_key=key)
                assert response.status_code == status
                assert response.headers["access-control-allow-origin"] == origin
                assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://shop.example.evil", "https://preview.example", "null", ""]
)
def test_browsers_of_other_origins_get_no_permission(origin: str) -> None:
    """No header lets the page send or read."""
    allowed = ("https://shop.example", "https://*.preview.example")
    with serving(ScriptedDoor(), http_cors_allowed_origins=allowed) as served:
        for response in (_preflight(served, origin), served.post(TRACES, b"", origin=origin)):
            assert "access-control-allow-origin" not in response.headers


def test_every_origin_may_be_allowed() -> None:
    """By the one star."""
    with serving(ScriptedDoor(), http_cors_allowed_origins=("*",)) as served:
        response = _preflight(served, "http://localhost:3000")
        assert response.headers["access-control-allow-origin"] == "http://localhost:3000"


def _preflight(served: Served, origin: str) -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    return served.http.options("/v1/traces", headers=headers)
