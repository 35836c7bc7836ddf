"""`glasshouse send` against the real receivers."""

import gzip
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import Backpressure, Undecodable
from glasshouse_collector.send import send

TRAINTICKET = Path(os.environ.get("GLASSHOUSE_TRAINTICKET", "/work/shared/data/trainticket"))
NOW = 1_700_000_000_000_000_000
Start = Callable[..., Any]


def run_send(*arguments: object) -> Result:
    """Run `glasshouse send` with these arguments."""
    return CliRunner().invoke(send, [str(argument) for argument in arguments])


def span(number: int, **more: Any) -> dict[str, Any]:
    """Return a span in OTLP/JSON."""
    times = {"startTimeUnixNano": str(NOW + number), "endTimeUnixNano": str(NOW + number + 5)}
    return {"traceId": f"{number + 1:032x}", "spanId": f"{number + 1:016x}", "name": "s", **times, **more}


def spans_line(*spans: dict[str, Any]) -> dict[str, Any]:
    """Return an `ExportTraceServiceRequest` in OTLP/JSON."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    scopes = [{"scope": {"name": "scope"}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}


def logs_line(*times: int) -> dict[str, Any]:
    """Return an `ExportLogsServiceRequest` in OTLP/JSON with a log record a time."""
    records = [{"timeUnixNano": str(time), "body": {"stringValue": "hello"}} for time in times]
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}


def write(path: Path, *lines: Any) -> Path:
    """Write JSON Lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_every_kind_arrives(receivers: Start, tmp_path: Path, protocol: str, compression: str) -> None:
    """Spans, log records and data points arrive whole over both protocols, compressed or not."""
    to = receivers()
    points = [{"timeUnixNano": str(NOW), "asInt": str(number)} for number in range(3)]
    metrics = [{"name": "m", "sum": {"dataPoints": points, "isMonotonic": True, "aggregationTemporality": 2}}]
    plain = write(tmp_path / "a.jsonl", spans_line(span(1), span(2)), logs_line(NOW))
    packed = tmp_path / "b.jsonl.gz"
    line = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
    packed.write_bytes(gzip.compress(json.dumps(line).encode()))
    result = run_send(
        plain, packed, "--protocol", protocol, "--endpoint", to.urls[protocol], "--compression", compression
    )
    assert result.exit_code == 0, result.output
    assert result.output.startswith("sent 2 spans, 1 log records, 3 data points in ")
    assert "rejected 0, failed 0" in result.output
    [traces] = to.door.parsed(RequestKind.TRACES)
    assert traces.resource_spans[0].resource.attributes[0].value.string_value == "shop"
    assert traces.resource_spans[0].scope_spans[0].scope.name == "scope"
    assert [it.name for it in traces.resource_spans[0].scope_spans[0].spans] == ["s", "s"]
    [gauges] = to.door.parsed(RequestKind.METRICS)
    assert [it.as_int for it in gauges.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points] == [
        0,
        1,
        2,
    ]


def test_a_line_of_several_kinds_loses_none(receivers: Start, tmp_path: Path) -> None:
    """A line that holds spans and log records is sent as two requests."""
    to = receivers()
    file = write(tmp_path / "a.jsonl", spans_line(span(1)) | logs_line(NOW))
    result = run_send(file, "--endpoint", to.urls["grpc"])
    assert result.output.startswith("sent 1 spans, 1 log records, 0 data points")


def test_a_large_line_is_split(receivers: Start, tmp_path: Path) -> None:
    """One line of many spans becomes requests of at most --batch spans, each with their resource."""
    to = receivers()
    file = write(tmp_path / "a.jsonl", spans_line(*(span(number) for number in range(105))))
    result = run_send(file, "--endpoint", to.urls["grpc"], "--batch", 10)
    assert result.exit_code == 0
    parsed = to.door.parsed(RequestKind.TRACES)
    sizes = [len(it.resource_spans[0].scope_spans[0].spans) for it in parsed]
    assert sorted(sizes) == [5] + [10] * 10
    names = {it.resource_spans[0].resource.attributes[0].value.string_value for it in parsed}
    assert names == {"shop"}


def test_shift_to_now_moves_all_files_by_one_offset(receivers: Start, tmp_path: Path) -> None:
    """The newest time of all files becomes now, and every distance stays."""
    to = receivers()
    event = {"name": "e", "timeUnixNano": str(NOW + 3)}
    traces = write(tmp_path / "a.jsonl", spans_line(span(0, events=[event])))
    logs = write(tmp_path / "b.jsonl", logs_line(NOW - 10**9, 0))
    before = time.time_ns()
    result = run_send(traces, logs, "--endpoint", to.urls["http"], "--protocol", "http", "--shift-to-now")
    after = time.time_ns()
    assert result.exit_code == 0
    moved = to.door.parsed(RequestKind.TRACES)[0].resource_spans[0].scope_spans[0].spans[0]
    first, unset = to.door.parsed(RequestKind.LOGS)[0].resource_logs[0].scope_logs[0].log_records
    assert before <= moved.end_time_unix_nano <= after
    offset = moved.end_time_unix_nano - (NOW + 5)
    assert moved.start_time_unix_nano == NOW + offset
    assert moved.events[0].time_unix_nano == NOW + 3 + offset
    assert first.time_unix_nano == NOW - 10**9 + offset
    assert unset.time_unix_nano == 0


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_full_collector_is_asked_again(receivers: Start, tmp_path: Path, protocol: str) -> None:
    """Backpressure is waited out as long as the collector says, and nothing is lost."""
    to = receivers()
    to.door.refusals = [Backpressure(0.01, "full"), Backpressure(0.01, "full")]
    file = write(tmp_path / "a.jsonl", spans_line(span(1)))
    result = run_send(file, "--endpoint", to.urls[protocol], "--protocol", protocol)
    assert result.exit_code == 0
    assert "failed 0, 2 sent again" in result.output
    assert to.door.attempts == 3


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_patience_ends(receivers: Start, tmp_path: Path, protocol: str) -> None:
    """A collector that stays full fails the request once --retry-seconds are over, with its reason."""
    to = receivers()
    to.door.refusals = [Backpressure(3600.0, "the journal is full")] * 100
    file = write(tmp_path / "a.jsonl", spans_line(span(1)))
    result = run_send(file, "--endpoint", to.urls[protocol], "--protocol", protocol, "--retry-seconds", 5)
    assert result.exit_code == 1
    assert "sent 0 spans" in result.output
    assert "failed 1" in result.output
    assert "the journal is full" in result.output
    assert to.door.attempts == 1


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_what_is_refused_for_good_is_not_sent_again(receivers: Start, tmp_path: Path, protocol: str) -> None:
    """A permanent refusal fails its own records, and the others are sent."""
    to = receivers()
    to.door.refusals = [Undecodable("nonsense")]
    file = write(tmp_path / "a.jsonl", spans_line(span(1)), spans_line(span(2), span(3)))
    result = run_send(file, "--endpoint", to.urls[protocol], "--protocol", protocol, "--in-flight", 1)
    assert result.exit_code == 1
    assert "sent 2 spans" in result.output
    assert "failed 1" in result.output
    assert "nonsense" in result.output
    assert to.door.attempts == 2


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_partial_success_is_counted_and_told(receivers: Start, tmp_path: Path, protocol: str) -> None:
    """Records that the endpoint rejects within a request are counted with its reason."""
    to = receivers()
    file = write(tmp_path / "a.jsonl", spans_line(span(1), span(2, spanId="00")))
    result = run_send(file, "--endpoint", to.urls[protocol], "--protocol", protocol)
    assert result.exit_code == 1
    assert "sent 1 spans" in result.output
    assert "rejected 1, failed 0" in result.output
    assert "an invalid id" in result.output


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_headers_open_the_door(receivers: Start, tmp_path: Path, protocol: str) -> None:
    """--header sends the key; without it the first refusal ends the replay with one line."""
    to = receivers(token="secret")
    file = write(tmp_path / "a.jsonl", *(spans_line(span(number)) for number in range(50)))
    arguments = (file, "--endpoint", to.urls[protocol], "--protocol", protocol)
    assert run_send(*arguments, "--header", "Authorization=Bearer secret").exit_code == 0
    refused = run_send(*arguments, "--header", "Authorization=Bearer wrong")
    assert refused.exit_code == 2
    assert "the key that was sent opens nothing here" in refused.output
    assert "--header 'authorization=Bearer <key>'" in refused.output


def test_rate_bounds_the_size_of_requests(receivers: Start, tmp_path: Path) -> None:
    """At 500 records a second, no request holds more than one second's records, and all arrive."""
    to = receivers()
    file = write(tmp_path / "a.jsonl", spans_line(*(span(number) for number in range(600))))
    started = time.monotonic()
    result = run_send(file, "--endpoint", to.urls["grpc"], "--rate", 500)
    assert result.exit_code == 0
    assert sorted(
        len(it.resource_spans[0].scope_spans[0].spans) for it in to.door.parsed(RequestKind.TRACES)
    ) == [100, 500]
    assert time.monotonic() - started >= 1.0  # a lower bound, which no slow machine can miss


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"resourceSpans":[]}\n{"resourceSpans":[\n', "a.jsonl: line 2 is no OTLP: the body is no JSON"),
        (b"hello\n", "a.jsonl: line 1 is not JSON"),
        (b"[1]\n", "a.jsonl: line 1 is no OTLP: it must be an object"),
        (b'\n\n{"spans":[]}\n', "a.jsonl: line 3 is no OTLP: it has none of resourceSpans"),
        (
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x"}]}]}]}',
            "line 1 is no OTLP: resourceSpans[0]",
        ),
        (gzip.compress(b'{"resourceSpans":[]}\n', mtime=0)[:-9], "a.jsonl: is broken gzip"),
        (b"\x1f\x8bnonsense", "a.jsonl: cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(
    receivers: Start, tmp_path: Path, content: bytes, message: str
) -> None:
    """A file that is no OTLP JSON Lines ends the replay with one line, and no traceback."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)
    result = run_send(file, "--endpoint", receivers().urls["grpc"])
    assert result.exit_code == 2
    assert message in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_negative_time_is_left_unset_and_told(receivers: Start, tmp_path: Path) -> None:
    """Go's zero time in a recording does not end the replay; what only looks like one in a text is kept."""
    to = receivers()
    body = 'a log of \'{"timeUnixNano":"-5"}\''
    records = [
        {"timeUnixNano": "-6795364578871345152", "body": {"stringValue": body}},
        {"timeUnixNano": -5, "observedTimeUnixNano": str(NOW), "body": {"stringValue": "b"}},
    ]
    file = write(tmp_path / "a.jsonl", {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    result = run_send(file, "--endpoint", to.urls["grpc"])
    assert result.exit_code == 0
    assert "sent 0 spans, 2 log records" in result.output
    assert "2 negative times, which OTLP does not have, were left unset" in result.output
    first, second = to.door.parsed(RequestKind.LOGS)[0].resource_logs[0].scope_logs[0].log_records
    assert (first.time_unix_nano, first.body.string_value) == (0, body)
    assert (second.time_unix_nano, second.observed_time_unix_nano) == (0, NOW)


def test_what_came_before_a_wrong_line_is_sent_and_counted(receivers: Start, tmp_path: Path) -> None:
    """The count is shown even where the file turns out broken."""
    to = receivers()
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(spans_line(span(1))) + "\nnonsense\n")
    result = run_send(file, "--endpoint", to.urls["grpc"])
    assert result.exit_code == 2
    assert "sent 1 spans" in result.output
    assert len(to.door.requests) == 1


def test_an_endpoint_that_nobody_serves_is_one_line(tmp_path: Path) -> None:
    """A refused connection is the user's to put right: exit 2, and what to look at."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        result = run_send(write(tmp_path / "a.jsonl", spans_line(span(1))), "--endpoint", endpoint)
    assert result.exit_code == 2
    assert f"--endpoint: cannot reach {endpoint}: connection refused" in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--header", "novalue"], "--header: write name=value"),
        (["--header", "a b=c"], "--header: 'a b' is no name of a header"),
        (["--header", "a=c\nd"], "--header: the value of a has characters"),
        (["--header", "a-bin=c"], "--header: 'a-bin' is no name"),
        (["--endpoint", "ftp://host"], "--endpoint: 'ftp://host' is no address"),
        (["--endpoint", "http://host:notaport"], "--endpoint: 'http://host:notaport'"),
        (["--endpoint", "http://host:1/path"], "--endpoint: gRPC has no paths"),
        (["--rate", "0"], "--rate"),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Every wrong option is one line with its name, exit code 2."""
    result = run_send(write(tmp_path / "a.jsonl"), *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named."""
    result = run_send(tmp_path / "nowhere.jsonl")
    assert result.exit_code == 2
    assert "nowhere.jsonl" in result.output


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_train_ticket_arrives_whole(receivers: Start, protocol: str) -> None:
    """A real recording arrives with exactly the spans and log records it is known to have."""
    if not (TRAINTICKET / "cases.json").is_file():
        pytest.skip(f"the Train Ticket recordings are not at {TRAINTICKET} (GLASSHOUSE_TRAINTICKET)")
    [case] = [it for it in json.loads((TRAINTICKET / "cases.json").read_text()) if it["case"] == "tt-01"]
    to = receivers()
    files = sorted((TRAINTICKET / "tt-01").glob("*.jsonl.gz"))
    result = run_send(*files, "--endpoint", to.urls[protocol], "--protocol", protocol, "--shift-to-now")
    assert result.exit_code == 0, result.output
    assert (
        f"sent {case['spans']:,} spans, {case['log_records']:,} log records, 0 data points" in result.output
    )
    arrived = sum(
        len(scope.spans)
        for request in to.door.parsed(RequestKind.TRACES)
        for resource in request.resource_spans
        for scope in resource.scope_spans
    )
    assert arrived == case["spans"]
    assert max(len(payload) for _, payload in to.door.requests) < 4 * 1024 * 1024
