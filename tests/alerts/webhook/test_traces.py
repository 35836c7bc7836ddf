"""Traces of the time: what an alert is kept with, from spans that went through the collector's door."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from alert_notifications import alert, listed, notification, tell
from collector_process import CollectorProcess, until

Start = Callable[..., tuple[CollectorProcess, httpx.Client]]

FIRED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def send(collector: CollectorProcess, service: str, spans: list[tuple[int, timedelta, float, bool]]) -> None:
    """Send one span a trace: its number, when after the alert it began, its seconds, whether it failed."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    for number, after, seconds, failed in spans:
        span = resource.scope_spans.add().spans.add(
            trace_id=number.to_bytes(16), span_id=b"\1" * 8, name="GET /"
        )
        span.start_time_unix_nano = int((FIRED + after).timestamp()) * 10**9
        span.end_time_unix_nano = span.start_time_unix_nano + int(seconds * 1e9)
        span.status.code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET
    answer = httpx.post(
        f"http://{collector.endpoints()['http']}/v1/traces",
        content=request.SerializeToString(),
        headers={"Content-Type": "application/x-protobuf"},
    )
    assert answer.status_code == httpx.codes.OK
    until(collector.drained, "the spans are in the store")


def fired(api: httpx.Client, service: str, fingerprint: str, **changed: str) -> list[int]:
    """Tell of an alert of that service; return the numbers of its traces as they are linked."""
    labels = {"alertname": "A", "project": "default", "service_name": service}
    times = {"startsAt": FIRED.isoformat(), "endsAt": (FIRED + timedelta(minutes=10)).isoformat()}
    told = alert(status="resolved", fingerprint=fingerprint, labels=labels, **{**times, **changed})
    assert tell(api, notification(told)).status_code == httpx.codes.OK
    [found] = [each for each in listed(api, service=service) if each["fingerprint"] == fingerprint]
    return [int(link.removeprefix("/api/v1/traces/"), 16) for link in found["links"]["traces"]]


def test_failed_traces_come_first_then_the_slowest(running: tuple[CollectorProcess, httpx.Client]) -> None:
    """Five at most, of the time and the service, each of which the API has."""
    collector, api = running
    minute = timedelta(minutes=1)
    send(collector, "ranked", [(number, minute, number / 10, number in {3, 6}) for number in range(1, 9)])
    send(collector, "ranked", [(20, -timedelta(minutes=20), 9, True), (21, timedelta(minutes=12), 9, True)])
    send(collector, "another", [(30, minute, 9, True)])
    assert fired(api, "ranked", "r1") == [6, 3, 8, 7, 5]
    assert fired(api, "unheard-of", "r2") == []
    for link in listed(api, service="ranked")[0]["links"]["traces"]:
        assert api.get(link).json()["spans"][0]["service_name"] == "ranked"


def test_one_trace_of_many_failures_leaves_room_for_others(
    running: tuple[CollectorProcess, httpx.Client],
) -> None:
    """A trace is linked once, however many of its spans failed."""
    collector, api = running
    spans = [(50, timedelta(seconds=second), 1.0, True) for second in range(60)]
    send(collector, "repeating", [*spans, (51, timedelta(), 0.5, True), (52, timedelta(), 2.0, False)])
    assert fired(api, "repeating", "o1") == [50, 51, 52]


def test_many_services_at_once_are_all_kept(running: tuple[CollectorProcess, httpx.Client]) -> None:
    """A notification of more services than there is time to look up is kept whole."""
    _, api = running
    alerts = [
        alert(
            fingerprint=f"m{number}",
            labels={"alertname": "A", "project": "many", "service_name": f"s{number}"},
        )
        for number in range(400)
    ]
    assert tell(api, notification(*alerts)).json() == {"alerts": 400}
    assert len(listed(api, project="many", limit=1000)) == 400


@pytest.mark.parametrize("links", [0, 2])
def test_the_number_of_links_is_set(start: Start, links: int) -> None:
    """None at all, where none are wanted."""
    collector, api = start({"trace_links": links})
    send(collector, "few", [(number, timedelta(), 1.0, True) for number in (1, 2, 3)])
    assert len(fired(api, "few", "f1")) == links
