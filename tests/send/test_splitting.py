"""A request that is split holds the same records in the same order, within the limits."""

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.send.delivery import _pause
from glasshouse_collector.send.shifting import newest, shift
from glasshouse_collector.send.splitting import points_of, records_of, split


def logs(resources: int, scopes: int, records: int, body: str = "x") -> ExportLogsServiceRequest:
    """Return a request of numbered log records."""
    request = ExportLogsServiceRequest()
    for r in range(resources):
        resource = request.resource_logs.add(schema_url=f"url{r}")
        resource.resource.attributes.add(key="r").value.int_value = r
        for s in range(scopes):
            scope = resource.scope_logs.add()
            scope.scope.name = f"{r}.{s}"
            for number in range(records):
                scope.log_records.add(
                    time_unix_nano=number + 1
                ).body.string_value = f"{r}.{s}.{number} {body}"
    return request


def flat(request: Any) -> list[tuple[Any, ...]]:
    """Return each log record with all that wraps it."""
    return [
        (r.schema_url, r.resource.SerializeToString(), s.scope.name, record.SerializeToString())
        for r in request.resource_logs
        for s in r.scope_logs
        for record in s.log_records
    ]


@pytest.mark.parametrize("most", [1, 3, 7, 100, 10_000])
def test_no_record_is_lost_moved_or_doubled(most: int) -> None:
    """The parts together are the whole, each within the count, with its own resource and scope."""
    whole = logs(3, 4, 11)
    parts = list(split(RequestKind.LOGS, whole, most))
    assert [it for part, _ in parts for it in flat(part)] == flat(whole)
    assert all(len(flat(part)) == count <= most for part, count in parts)
    assert len(parts) == -(-132 // most)


def test_no_part_is_larger_than_the_bytes_allow() -> None:
    """A request of large records is split by size."""
    whole = logs(2, 2, 50, body="y" * 10_000)
    parts = list(split(RequestKind.LOGS, whole, 1_000_000, 100_000))
    assert [it for part, _ in parts for it in flat(part)] == flat(whole)
    assert all(part.ByteSize() <= 100_000 for part, _ in parts)
    assert len(parts) < 30


def test_a_record_too_large_for_any_request_is_sent_alone() -> None:
    """Whether it is too large is the endpoint's to say."""
    whole = logs(1, 1, 3, body="y" * 10_000)
    assert [count for _, count in split(RequestKind.LOGS, whole, 100, 5_000)] == [1, 1, 1]


def test_an_empty_request_is_not_sent() -> None:
    """Nothing to send is no request."""
    assert list(split(RequestKind.LOGS, logs(2, 2, 0), 10)) == []


@pytest.mark.parametrize("which", ["gauge", "sum", "histogram", "exponential_histogram", "summary"])
def test_a_metric_of_many_points_is_split_with_its_meaning(which: str) -> None:
    """Every piece keeps name, unit, temporality and monotonicity; no data point is lost."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="By")
    data = getattr(metric, which)
    if hasattr(data, "aggregation_temporality"):
        data.aggregation_temporality = 2
    if which == "sum":
        data.is_monotonic = True
    for number in range(25):
        data.data_points.add(time_unix_nano=number + 1)
    parts = list(split(RequestKind.METRICS, request, 10))
    assert [count for _, count in parts] == [10, 10, 5]
    pieces = [piece for part, _ in parts for piece in records_of(RequestKind.METRICS, part)]
    assert [p.time_unix_nano for piece in pieces for p in points_of(piece)] == list(range(1, 26))
    for piece in pieces:
        assert (piece.name, piece.unit, piece.WhichOneof("data")) == ("m", "By", which)
        assert getattr(getattr(piece, which), "aggregation_temporality", 2) == 2
        assert getattr(getattr(piece, which), "is_monotonic", True)


def test_a_time_that_cannot_be_true_moves_nothing() -> None:
    """One nonsense time (beyond 2262) does not decide the offset, and no time leaves its range."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for time in (5, 2**64 - 1, 0):
        records.add(time_unix_nano=time)
    assert newest(RequestKind.LOGS, request) == 5
    shift(RequestKind.LOGS, request, -100)
    assert [it.time_unix_nano for it in records] == [1, 2**63 - 1, 0]


@pytest.mark.parametrize("retry_after", [-5.0, 0.0])
def test_an_endpoint_cannot_make_the_sender_spin(retry_after: float) -> None:
    """Asked to come back at once, or in the past, the sender still pauses."""
    assert _pause(retry_after, 1.0) >= 0.05


def test_without_a_time_the_pause_is_spread() -> None:
    """Many senders that failed together do not come back together."""
    pauses = {_pause(None, 8.0) for _ in range(50)}
    assert len(pauses) > 1
    assert all(4.0 <= pause <= 8.0 for pause in pauses)
