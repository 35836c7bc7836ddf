"""Older clients at the collector's doors: the real tracehub-logger, and project-monitor-sdk's requests."""

import gzip
import json
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from collector_process import CollectorProcess, until

BOMB = gzip.compress(b" " * (9 << 20))
SEED = {
    "logs": [
        {
            "service_name": "my-service",
            "level": "ERROR",
            "message": "Database connection failed",
            "operation": "db_connect",
            "status": "error",
            "error_type": "ConnectionError",
            "correlation_id": "abc-123",
            "metadata": {"host": "db.internal", "retry": 3},
            "source": "sdk",
        }
    ]
}
"""The payload of the package's README."""


class Collector:
    """A running collector and a client of its API."""

    def __init__(self, process: CollectorProcess) -> None:
        self.process = process
        self.url = f"http://{process.endpoints()['api']}"
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Send JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"}
        return self.client.post(f"/api/v1{path}", content=content, headers={**kind, **headers})

    def logs(self, service: str, count: int, **asked: str) -> Sequence[Any]:
        """Wait for so many records of a service, and return them, the oldest first."""
        question = {"service_name": service, "order": "oldest", **asked}
        found: list[Any] = []

        def there() -> bool:
            found[:] = self.client.get("/api/v1/logs", params=question).json()["logs"]
            return len(found) >= count

        until(there, f"{count} records of {service} are found")
        assert len(found) == count
        return found

    def metric(self, line: str) -> float:
        """Return the value of one line of /metrics, 0 where it is not there."""
        page = self.client.get("/metrics").text.splitlines()
        return sum(float(each.rsplit(" ", 1)[1]) for each in page if each.startswith(line))


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Run one collector, open to this machine, for all tests."""
    process = CollectorProcess(tmp_path_factory.mktemp("older") / "data")
    try:
        running = Collector(process)
        yield running
        running.client.close()
        assert process.stop() == 0
    finally:
        if process.alive:
            process.kill()


def item(service: str, message: str = "hello", **fields: object) -> dict[str, object]:
    """Return an item of project-monitor-sdk."""
    return {"service_name": service, "level": "INFO", "message": message, **fields}


def test_the_payload_of_the_readme_is_found_again(collector: Collector) -> None:
    """As a log record with the same names."""
    kept = collector.post("/logs", SEED)
    assert (kept.status_code, kept.json()) == (202, {"accepted": 1, "rejected": 0, "errors": []})
    (found,) = collector.logs("my-service", 1, level="error", attribute="retry=3")
    assert (found["body"], found["severity_text"], found["scope"]["name"]) == (
        "Database connection failed",
        "ERROR",
        "project-monitor-sdk",
    )
    assert found["attributes"] == {
        "operation": "db_connect",
        "status": "error",
        "exception.type": "ConnectionError",
        "correlation_id": "abc-123",
        "host": "db.internal",
        "retry": "3",
        "source": "sdk",
    }


def test_good_items_are_kept_and_bad_ones_named(collector: Collector) -> None:
    """Where none is good it is a 422 with the same list; both are counted."""
    counted = 'glasshouse_rejected_records_total{kind="logs",project="default",reason="bad_item"}'
    before = collector.metric(counted)
    bad = {"service_name": "mixed", "level": "LOUD", "message": "no"}
    kept = collector.post("/logs", {"logs": [item("mixed", "first"), bad, item("mixed", "last")]})
    assert (kept.status_code, kept.json()["accepted"], kept.json()["rejected"]) == (202, 2, 1)
    (error,) = kept.json()["errors"]
    assert (error["index"], error["field"]) == (1, "level")
    assert "not 'LOUD'" in error["message"]
    assert [found["body"] for found in collector.logs("mixed", 2)] == ["first", "last"]
    refused = collector.post("/logs", {"logs": [bad]})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "level")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert collector.post("/logs", {"logs": []}).json()["accepted"] == 0
    assert collector.metric(counted) == before + 2


def test_a_key_is_kept_once(collector: Collector) -> None:
    """The same answer as before; with another body, or at the other door, it is a 422."""
    body = {"logs": [item("keyed"), {"level": "none"}]}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = (collector.post("/logs", body, **key) for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.json()["accepted"] == 1
    packed = gzip.compress(json.dumps(body).encode())
    assert collector.post("/logs", packed, **key, **{"Content-Encoding": "gzip"}).json() == first.json()
    for other in (
        collector.post("/logs", {"logs": [item("keyed", "other")]}, **key),
        collector.post("/ingest", body, **key),
    ):
        assert other.status_code == 422
        assert "a key of its own" in other.json()["detail"]
    assert collector.post("/logs", {"logs": [item("keyed", "after")]}).status_code == 202
    assert [found["body"] for found in collector.logs("keyed", 2)] == ["hello", "after"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"{", {}, 400, "no JSON"),
        (b'{"logs": 5}', {}, 400, "list"),
        (b"[" * 100_000, {}, 400, "JSON"),
        (b"\xff\xfe", {}, 400, "no JSON"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "application/json"),
        (b"{}", {"Content-Encoding": "br"}, 415, "gzip"),
        (b"{}", {"Content-Encoding": "gzip"}, 400, "no gzip"),
        (BOMB, {"Content-Encoding": "gzip"}, 413, "unpacked"),
        (b" " * (9 << 20), {}, 413, "larger than 8,388,608 bytes"),
        (json.dumps([{}] * 1001).encode(), {}, 413, "1,001 items"),
        (b"{}", {"Idempotency-Key": "x" * 256}, 400, "Idempotency-Key"),
    ],
    ids=["brace", "no-list", "deep", "utf16", "text", "brotli", "no-gzip", "bomb", "large", "many", "key"],
)
@pytest.mark.parametrize("path", ["/logs", "/ingest"])
def test_what_cannot_be_taken_says_why(  # noqa: PLR0913, PLR0917  (a case's parts)
    collector: Collector, path: str, body: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    """In one line, as a problem; and the collector goes on."""
    refused = collector.post(path, body, **headers)
    assert (refused.status_code, refused.headers["Content-Type"]) == (status, "application/problem+json")
    assert said in refused.json()["detail"]
    assert "\n" not in refused.json()["detail"]
    assert collector.client.get("/live").status_code == 200


def test_more_than_the_other_questions_bodies_may_have_is_taken(collector: Collector) -> None:
    """Their limit is 1 MiB."""
    long = "x" * (3 << 20)
    assert collector.post("/logs", {"logs": [item("long", long)]}).json()["accepted"] == 1
    question = {"query": " " * (3 << 20)}
    assert collector.post("/sql", question).status_code == 413


def test_only_keys_to_send_may(tmp_path: Path, collector: Collector) -> None:
    """In a collector with keys: each sends into its own project, by each header that a key may come in."""
    process = CollectorProcess(tmp_path / "data", env={"GLASSHOUSE_AUTH_TOKEN": "operator"})
    try:
        api = f"http://{process.endpoints()['api']}/api/v1"
        operator = {"Authorization": "Bearer operator"}
        keys = {
            name: httpx.post(f"{api}/projects", json={"name": name}, headers=operator).json()["api_key"]
            for name in ("shop", "bank")
        }
        reader = {"scopes": ["read"]}
        reading = httpx.post(f"{api}/projects/shop/keys", json=reader, headers=operator).json()["api_key"]
        for name, sent in {
            "shop": {"X-API-Key": keys["shop"]},
            "bank": {"Authorization": f"Bearer {keys['bank']}"},
        }.items():
            for path in ("/logs", "/ingest"):
                body = [{"level": "info", "message": name, "service_name": "s", "service": "s"}]
                assert httpx.post(api + path, json=body, headers=sent).status_code == 202
        for path in ("/logs", "/ingest"):
            assert httpx.post(api + path, json=[], headers={}).status_code == 401
            assert httpx.post(api + path, json=[], headers={"X-API-Key": reading}).status_code == 403

        def told(key: str) -> list[str]:
            found = httpx.get(f"{api}/logs", headers={"X-API-Key": key}).json()["logs"]
            return sorted(each["body"] for each in found)

        until(lambda: len(told(keys["shop"])) == len(told(keys["bank"])) == 2, "both projects have theirs")
        assert (told(keys["shop"]), told(keys["bank"])) == (["shop"] * 2, ["bank"] * 2)
    finally:
        process.kill()


@pytest.fixture
def tracehub_logger(collector: Collector, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return what makes loggers of the real tracehub-logger, sent to the collector."""
    tracehub = pytest.importorskip("tracehub", reason="tracehub-logger is not installed (make setup)")
    made: list[Any] = []

    def logger(service: str, **options: object) -> Any:
        made.append(
            tracehub.TraceHubLogger(
                "th_any_key",
                service,
                "production",
                collector.url,
                **{"flush_interval": 3600.0, "dlq_path": str(tmp_path / "dlq"), **options},
            )
        )
        return made[-1]

    yield logger
    for each in made:
        each._transport._get_client()  # closing fails in this package before anything was sent
        each.close()


def failing() -> None:
    """Raise an exception with a cause to tell."""
    raise ValueError("no such order: 17")


def test_the_real_tracehub_logger_delivers(
    collector: Collector, tracehub_logger: Callable[..., Any], tmp_path: Path
) -> None:
    """All levels, an exception, a place, a trace, and where it ran; gzip, as it does by default."""
    logger = tracehub_logger("order-service")
    trace = uuid.uuid4().hex
    sys.modules["tracehub.enricher"].set_trace_id(trace)
    logger.debug("one", module="db")
    sys.modules["tracehub.enricher"].clear_trace_id()
    logger.info("two", extra={"order_id": 123, "customer": {"tier": "premium"}})
    logger.warn("three")  # noqa: G010  (its name there)
    try:
        failing()
    except ValueError:
        logger.error("four", exc_info=True, module="billing")  # noqa: G201  (it has no other)
    logger.fatal("five", exc_info=True)
    logger.flush()
    debug, info, warn, error, fatal = collector.logs("order-service", 5)
    assert [each["body"] for each in (debug, info, warn, error, fatal)] == [
        "one",
        "two",
        "three",
        "four",
        "five",
    ]
    assert [each["severity_number"] for each in (debug, info, warn, error, fatal)] == [5, 9, 13, 17, 21]
    assert (debug["trace_id"], debug["attributes"]["code.namespace"]) == (trace, "db")
    assert info["attributes"]["order_id"] == "123"
    assert info["attributes"]["customer"] == '{"tier":"premium"}'
    assert error["attributes"]["exception.type"] == "ValueError"
    assert error["attributes"]["exception.message"] == "no such order: 17"
    assert "in failing" in error["attributes"]["exception.stacktrace"]
    assert "exception.stacktrace" not in fatal["attributes"]
    assert __file__ in fatal["attributes"]["code.stacktrace"]
    resource = warn["resource_attributes"]
    assert resource["deployment.environment.name"] == "production"
    assert (resource["telemetry.sdk.name"], resource["telemetry.sdk.version"]) == ("tracehub-logger", "1.2.0")
    assert {"host.name", "process.pid"} <= resource.keys()
    assert warn["attributes"]["thread.name"] == "MainThread"
    assert list((tmp_path / "dlq").iterdir()) == []


def test_the_real_tracehub_logger_gives_up_what_is_refused_for_good(
    collector: Collector, tracehub_logger: Callable[..., Any], tmp_path: Path
) -> None:
    """What it wrote to its dead letters can be sent as it lies there, once it is right."""
    logger = tracehub_logger("refused-service", compress=False)
    logger.info("kept", extra={"n": float("nan")})
    logger.flush()
    logger.info({"no": "text"})
    logger.flush()
    (letters,) = (tmp_path / "dlq").iterdir()
    mended = letters.read_text().replace('{"no": "text"}', '"mended"').encode()
    sent = collector.post("/ingest", mended, **{"Content-Type": "application/x-ndjson"})
    assert sent.json() == {"accepted": 1, "rejected": 0, "errors": []}
    assert [found["body"] for found in collector.logs("refused-service", 2)] == ["kept", "mended"]


def test_the_real_tracehub_logger_sends_again_while_the_collector_is_away(
    tracehub_logger: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key's limit is told as a 503 there, which it sends again after; a 429 it would give up."""
    waited: list[float] = []
    logger = tracehub_logger("limited")
    transport = sys.modules[type(logger._transport).__module__]
    monkeypatch.setattr(transport, "time", SimpleNamespace(sleep=waited.append))
    env = {"GLASSHOUSE_AUTH_TOKEN": "operator"}
    process = CollectorProcess(tmp_path / "data", env=env)
    try:
        api = f"http://{process.endpoints()['api']}"
        operator = {"Authorization": "Bearer operator"}
        limited = {"scopes": ["ingest"], "bytes_per_day": 1}
        key = httpx.post(f"{api}/api/v1/projects/default/keys", json=limited, headers=operator).json()[
            "api_key"
        ]
        logger._transport._api_key, logger._transport._url = key, f"{api}/api/v1/ingest"
        for message in ("first", "second"):
            logger.info(message)
            logger.flush()
        assert len(waited) == 2  # three tries of the second
        over = httpx.post(f"{api}/api/v1/ingest", json=[item("x")], headers={"X-API-Key": key})
        assert (over.status_code, "Retry-After" in over.headers) == (503, True)
        over = httpx.post(f"{api}/api/v1/logs", json=[item("x")], headers={"X-API-Key": key})
        assert (over.status_code, "Retry-After" in over.headers) == (429, True)
        assert len(list((tmp_path / "dlq").iterdir())) == 1
    finally:
        process.kill()
