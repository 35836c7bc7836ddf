"""`glasshouse serve` as a user runs it: a process of its own, real ports, the embedded store."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from collector_process import CollectorProcess, until

Start = Callable[..., CollectorProcess]

PROGRAM = Path(sys.executable).parent / "glasshouse"
CASE = Path(__file__).parents[3] / "shared" / "data" / "trainticket"
SPAN = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "hello"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5B8EFFF798038103D269B633813FC60C",
                            "spanId": "EEE19B7EC3C1B174",
                            "name": "first",
                            "startTimeUnixNano": "1790000000000000000",
                            "endTimeUnixNano": 1790000000250000000,
                        }
                    ]
                }
            ],
        }
    ]
}
TRACE = "5b8efff798038103d269b633813fc60c"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return what starts a collector on the test's data folder, ended after the test."""
    started: list[CollectorProcess] = []

    def begin(**env: str) -> CollectorProcess:
        started.append(CollectorProcess(tmp_path / "data", env=env))
        return started[-1]

    yield begin
    for process in started:
        if process.alive:
            process.kill()


@pytest.fixture
def collector(start: Start) -> CollectorProcess:
    """Return a running collector."""
    return start()


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Return a running collector for all tests that ask nothing of its store."""
    process = CollectorProcess(tmp_path_factory.mktemp("another") / "data")
    yield process
    process.kill()


def _send(collector: CollectorProcess) -> None:
    answer = httpx.post(f"http://{collector.endpoints()['http']}/v1/traces", json=SPAN)
    assert (answer.status_code, answer.json()) == (200, {})


def _found(collector: CollectorProcess) -> bool:
    answer = httpx.get(f"http://{collector.endpoints()['api']}/api/v1/traces/{TRACE}")
    return answer.status_code == httpx.codes.OK


def test_a_span_sent_is_found_again(collector: CollectorProcess) -> None:
    """In by OTLP/JSON, out by trace id, whatever the case of its letters."""
    _send(collector)
    until(lambda: _found(collector), "the trace is found")
    api = f"http://{collector.endpoints()['api']}"
    trace = httpx.get(f"{api}/api/v1/traces/{TRACE.upper()}").json()
    assert [span["name"] for span in trace["spans"]] == ["first"]
    rows = collector.ask(f"SELECT ServiceName, Duration FROM otel_traces WHERE TraceId = '{TRACE}'")
    assert rows == [["hello", "250000000"]]


def test_it_says_once_where_everything_is(another: CollectorProcess) -> None:
    """One banner, with the addresses and how to send; and it is ready."""
    at = another.endpoints()
    until(lambda: "glasshouse send" in another.log(), "the banner is printed")
    for address in at.values():
        assert another.log().count(f"{address}\n") + another.log().count(f"{address} ") >= 1
    until(lambda: httpx.get(f"http://{at['api']}/ready").status_code == httpx.codes.OK, "it is ready")
    for path in ("/health", "/live"):
        assert httpx.get(f"http://{at['api']}{path}").status_code == httpx.codes.OK


def test_it_ends_cleanly_and_finds_everything_after_the_next_start(start: Start) -> None:
    """SIGTERM: exit code 0, and nothing accepted is lost on the way out."""
    first = start()
    _send(first)
    assert first.stop() == 0, first.log()
    assert "Traceback" not in first.log()
    second = start()
    until(lambda: _found(second), "the trace is found after a restart")
    assert second.stop() == 0


def test_what_is_kept_is_for_its_owner_alone(another: CollectorProcess) -> None:
    """Telemetry is nobody else's on the machine."""
    another.endpoints()
    assert another.data_dir.stat().st_mode & 0o077 == 0


def test_an_exporter_that_is_gone_is_named(start: Start, tmp_path: Path) -> None:
    """What the journal goes on keeping for it, and how to let go of that, is said at each start."""
    first = start(GLASSHOUSE_EXPORTERS='{"clickhouse": {}, "discard": {}}')
    first.endpoints()
    assert first.stop() == 0
    second = start()
    second.endpoints()
    cursor = tmp_path / "data" / "journal" / "discard.cursor"
    assert f"delete {cursor}" in second.log()
    assert second.stop() == 0
    cursor.unlink()
    third = start()
    third.endpoints()
    assert third.log().count("not configured any more") == 1
    assert third.stop() == 0


def test_a_second_collector_on_the_same_data_is_refused(another: CollectorProcess) -> None:
    """One clear line names the folder; exit code 2; the first goes on."""
    another.endpoints()
    ports = ("--grpc-port", "0", "--http-port", "0", "--port", "0")
    second = subprocess.run(
        [PROGRAM, "serve", "--data-dir", another.data_dir, *ports],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2, second.stderr
    assert str(another.data_dir) in second.stderr
    assert "Traceback" not in second.stderr
    _send(another)


def test_a_taken_port_is_named(another: CollectorProcess, tmp_path: Path) -> None:
    """The setting to change stands in the message."""
    port = another.endpoints()["grpc"].rpartition(":")[2]
    ports = ("--grpc-port", port, "--http-port", "0", "--port", "0")
    second = subprocess.run(
        [PROGRAM, "serve", "--data-dir", tmp_path / "other", *ports],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2, second.stderr
    assert "port" in second.stderr
    assert port in second.stderr
    assert "Traceback" not in second.stderr


def test_with_a_token_nobody_else_comes_in(start: Start) -> None:
    """Senders and askers need it; health needs none."""
    collector = start(GLASSHOUSE_AUTH_TOKEN="s3cr3t")
    at = collector.endpoints()
    url = f"http://{at['http']}/v1/traces"
    assert httpx.post(url, json=SPAN).status_code == httpx.codes.UNAUTHORIZED
    assert (
        httpx.post(url, json=SPAN, headers={"Authorization": "Bearer s3cr3t"}).status_code == httpx.codes.OK
    )
    sql = f"http://{at['api']}/api/v1/sql"
    assert httpx.post(sql, json={"query": "SELECT 1"}).status_code == httpx.codes.UNAUTHORIZED
    assert (
        httpx.post(sql, json={"query": "SELECT 1"}, headers={"X-API-Key": "s3cr3t"}).status_code
        == httpx.codes.OK
    )
    assert httpx.get(f"http://{at['api']}/health").status_code == httpx.codes.OK
    assert "s3cr3t" not in collector.log()


@pytest.mark.skipif(not CASE.exists(), reason="the Train Ticket data is not beside this checkout")
def test_the_train_ticket_case_arrives_whole(collector: CollectorProcess) -> None:
    """`glasshouse send` of a real recording: the store holds exactly what its answer sheet counts."""
    case = next(case for case in json.loads((CASE / "cases.json").read_text()) if case["case"] == "tt-02")
    grpc = f"http://{collector.endpoints()['grpc']}"
    files = sorted((CASE / "tt-02").glob("*.jsonl.gz"))
    sent = subprocess.run(
        [PROGRAM, "send", "--endpoint", grpc, *files],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    until(collector.drained, "everything is delivered")
    counts = {
        table: int(collector.ask(f"SELECT count() FROM {table} WHERE Project = 'default'")[0][0])
        for table in ("otel_traces", "otel_logs", "otel_metrics_gauge")
    }
    assert counts == {
        "otel_traces": case["spans"],
        "otel_logs": case["log_records"],
        "otel_metrics_gauge": case["metric_points"],
    }
