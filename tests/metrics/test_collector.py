"""Every metric that is declared, on the page of a real collector that has seen all of it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from prometheus_client.parser import text_string_to_metric_families

import installed_exporter
from alert_notifications import alert, notification, tell
from collector_process import CollectorProcess, until
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.declarations import declared_by
from glasshouse_collector.core.metrics import ROOMS, Watching, Wording

ONLY_WITH_TLS = {"glasshouse_certificate_reloads_total"}
"""Counted where certificates are set; tests/receivers/test_tls.py sees it."""
ONLY_WITH_A_MODEL = {sample for each in declared_by(Wording).values() for sample in each.samples}
"""Counted where a language model is configured; tests/insights/llm sees it."""
ONLY_AFTER_A_ROUND = {sample for each in declared_by(Watching).values() for sample in each.samples}
"""Counted when a minute was looked at, and when there are incidents; tests/insights/job sees it."""
DECLARED = {each.name: each for room in ROOMS.values() for each in declared_by(room).values()}
PROTOBUF = {"content-type": "application/x-protobuf"}
JOURNAL_BYTES = 4 << 20
MOST_SERIES = 1000  # fewer the exporter does not take
AHEAD_SECONDS = 120

Samples = dict[str, list[tuple[dict[str, str], float]]]


class Page(NamedTuple):
    """What `/metrics` showed."""

    families: dict[str, Any]
    samples: Samples

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of a name's samples that have these labels."""
        return sum(number for told, number in self.samples.get(name, ()) if labels.items() <= told.items())


class Seen:
    """A collector that has been sent something of everything, and what was sent."""

    def __init__(self, collector: CollectorProcess, closed: Path, certificate: Path) -> None:
        self.collector = collector
        self.closed = closed
        self.certificate = certificate
        self.at = collector.endpoints()

    def page(self) -> Page:
        """Scrape."""
        text = httpx.get(f"http://{self.at['api']}/metrics", timeout=60).raise_for_status().text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples: Samples = {}
        for family in families.values():
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return Page(families, samples)

    def post(self, kind: str, body: bytes) -> int:
        """Send a request over HTTP; returns the status."""
        return httpx.post(
            f"http://{self.at['http']}/v1/{kind}", content=body, headers=PROTOBUF, timeout=60
        ).status_code

    def shows(self, name: str, at_least: float = 1, **labels: str) -> None:
        """Wait until the page shows so much."""
        until(lambda: self.page().sum(name, **labels) >= at_least, f"{name} {labels} is {at_least}")


def _traces() -> ExportTraceServiceRequest:
    """Return two spans: one with something to hide and to cut, whose clock is ahead, and one without ids."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    service = resource.resource.attributes.add(key="service.name")
    service.value.string_value = "ahead"
    spans = resource.scope_spans.add().spans
    end = SystemClock().time_ns() + AHEAD_SECONDS * 1_000_000_000
    span = spans.add(
        trace_id=os.urandom(16), span_id=os.urandom(8), name="GET /", kind=2,
        start_time_unix_nano=end - 1000, end_time_unix_nano=end,
    )  # fmt: skip
    for key, text in (("password", "hunter2"), ("long", "x" * 20_000)):
        attribute = span.attributes.add(key=key)
        attribute.value.string_value = text
    spans.add(name="without ids")
    return request


def _metrics() -> ExportMetricsServiceRequest:
    """Return a counter of many series, and one whose name is taken."""
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    now = SystemClock().time_ns()
    for name, series in (("visits", MOST_SERIES), ("glasshouse_store_up", 1)):
        total = metrics.add(name=name).sum
        total.is_monotonic = True
        total.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
        for number in range(series):
            point = total.data_points.add(time_unix_nano=now, start_time_unix_nano=now - 1, as_int=number)
            page = point.attributes.add(key="page")
            page.value.int_value = number
    return request


def _logs(body: bytes = b"checked out") -> bytes:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.bytes_value = body
    return request.SerializeToString()


def _send_everything(seen: Seen) -> None:
    with grpc.insecure_channel(seen.at["grpc"]) as channel:
        export = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export", None, None
        )
        export(_traces().SerializeToString(), timeout=60, wait_for_ready=True)
    assert seen.post("metrics", _metrics().SerializeToString()) == 200
    assert seen.post("logs", _logs()) == 200
    assert seen.post("traces", b"\xff") == 400
    with httpx.Client(base_url=f"http://{seen.at['api']}", timeout=60) as api:
        until(lambda: tell(api, notification(alert())).is_success, "the alert is kept")
    seen.shows("glasshouse_dead_letters_total", exporter="outside")
    until(seen.collector.drained, "everything is delivered")


def _fill_the_journal(seen: Seen) -> None:
    """Close the outside exporter's destination, and send until there is no room for anything."""
    seen.closed.touch()
    until(lambda: seen.post("logs", _logs(os.urandom(JOURNAL_BYTES // 20))) == 503, "the journal is full")
    seen.shows("glasshouse_export_failures_total", exporter="outside")
    api = f"http://{seen.at['api']}/api/v1/sql"

    def dropped() -> bool:
        httpx.post(api, json={"query": "SELECT 1"}, timeout=60)  # a span of the collector's own
        return seen.page().sum("glasshouse_self_dropped_total", reason="backpressure") > 0

    until(dropped, "the collector has dropped telemetry of its own")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Seen]]:
    """Return what starts a collector with a component of each kind."""
    folder = tmp_path_factory.mktemp("seen")
    closed, certificate = folder / "closed", folder / "absent.pem"
    settings = folder / "settings.yaml"
    written = {
        "journal": {"max_bytes": JOURNAL_BYTES},
        "api": {"slow_query_seconds": 0.0001},
        "exporters": {
            "clickhouse": {},
            "prometheus": {"max_series": MOST_SERIES},
            "outside": {"closed_while": str(closed)},
        },
        "extensions": {"alerts": {}, "certificates": {"files": [str(certificate)]}},
    }
    settings.write_text(yaml.safe_dump(written))
    installed_exporter.install(folder / "site")
    collector = CollectorProcess(
        folder / "data", "--config", str(settings), env={"PYTHONPATH": str(folder / "site")}
    )
    try:
        yield lambda: Seen(collector, closed, certificate)
    finally:
        collector.kill()


@pytest.fixture(scope="module")
def seen(start: Callable[[], Seen]) -> Seen:
    """Return the collector after something of everything."""
    started = start()
    _send_everything(started)
    return started


@pytest.fixture(scope="module")
def quiet(seen: Seen) -> Page:
    """Return the page when everything was delivered."""
    return seen.page()


@pytest.fixture(scope="module")
def full(seen: Seen, quiet: Page) -> Page:
    """Return the page when the journal is full and nothing goes in or out."""
    _fill_the_journal(seen)
    return seen.page()


def test_every_declared_metric_has_samples(full: Page) -> None:
    """With the labels it declares, and no others."""
    samples = {sample: declared.labels for declared in DECLARED.values() for sample in declared.samples}
    assert samples.keys() - ONLY_WITH_TLS - ONLY_WITH_A_MODEL - ONLY_AFTER_A_ROUND <= full.samples.keys()
    for sample, names in samples.items():
        for labels, _ in full.samples.get(sample, []):
            assert labels.keys() - {"le"} == set(names), sample


def test_every_sample_is_of_a_declared_metric(full: Page) -> None:
    """Whatever starts with our name, or is ours by convention, stands in docs/metrics.md."""
    ours = {name for name in full.families if name.startswith(("glasshouse_", "gen_ai_"))}
    assert ours == DECLARED.keys()


def test_what_was_sent_is_counted_where_it_passed(quiet: Page) -> None:
    """Received, rejected, refused, journaled, exported: the same records at each place."""
    for kind, transport, records in (
        ("traces", "otlp_grpc", 1),
        ("logs", "otlp_http", 1),
        ("metrics", "otlp_http", MOST_SERIES + 1),
    ):
        labels = {"kind": kind, "project": "default"}
        assert quiet.sum("glasshouse_received_records_total", transport=transport, **labels) == records
        assert quiet.sum("glasshouse_received_requests_total", transport=transport, **labels) == 1
        assert quiet.sum("glasshouse_journaled_records_total", **labels) == records
    for exporter, signal, records in (
        ("clickhouse", "traces", 1),
        ("clickhouse", "logs", 1),
        ("clickhouse", "metrics_sum", MOST_SERIES + 1),
        ("prometheus", "traces", 1),
        ("outside", "logs", 0),
    ):
        labels = {"exporter": exporter, "signal": signal, "project": "default"}
        assert quiet.sum("glasshouse_exported_records_total", **labels) == records
    rejected = {"kind": "traces", "project": "default", "reason": "invalid_id"}
    assert quiet.sum("glasshouse_rejected_records_total", **rejected) == 1
    refused = {"kind": "traces", "project": "default", "reason": "undecodable", "transport": "otlp_http"}
    assert quiet.sum("glasshouse_refused_requests_total", **refused) == 1


def test_what_was_changed_is_counted(quiet: Page) -> None:
    """Values cut and hidden, once each time the run is formed; one batch refused for good."""
    assert quiet.sum("glasshouse_truncated_values_total", signal="traces", what="value") >= 1
    assert quiet.sum("glasshouse_redacted_values_total", signal="traces") >= 1
    assert quiet.sum("glasshouse_dead_letters_total", exporter="outside", signal="logs") >= 1
    assert quiet.sum("glasshouse_alerts_received_total", status="firing") == 1


def test_a_clock_that_is_ahead_shows(quiet: Page) -> None:
    """By what the sender claimed, less what the request took."""
    skew = quiet.sum("glasshouse_clock_skew_seconds", project="default", service_name="ahead")
    assert -AHEAD_SECONDS <= skew < 0


def test_what_works_is_up_until_it_does_not(quiet: Page, full: Page) -> None:
    """Each exporter for itself, and the store."""
    up = {labels["exporter"]: state for labels, state in quiet.samples["glasshouse_exporter_up"]}
    assert up == {"clickhouse": 1, "prometheus": 1, "outside": 1}
    up = {labels["exporter"]: state for labels, state in full.samples["glasshouse_exporter_up"]}
    assert up == {"clickhouse": 1, "prometheus": 1, "outside": 0}
    assert quiet.sum("glasshouse_store_up") == full.sum("glasshouse_store_up") == 1


def test_a_full_journal_shows(quiet: Page, full: Page) -> None:
    """Its size near its limit, who holds it up, and whom it turned away."""
    assert quiet.sum("glasshouse_journal_max_bytes") == JOURNAL_BYTES
    assert full.sum("glasshouse_journal_bytes") > JOURNAL_BYTES / 2
    assert full.sum("glasshouse_journal_lag_frames", consumer="outside") > 0
    assert full.sum("glasshouse_journal_oldest_seconds", consumer="outside") > 0
    refused = {"kind": "logs", "project": "default", "reason": "backpressure", "transport": "otlp_http"}
    assert full.sum("glasshouse_refused_requests_total", **refused) == 1


def test_a_certificate_that_cannot_be_read_shows(seen: Seen, quiet: Page) -> None:
    """As one that ended in 1970."""
    name = "glasshouse_certificate_expiry_timestamp_seconds"
    assert quiet.samples[name] == [({"file": str(seen.certificate)}, 0)]


def test_a_name_of_ours_is_not_an_applications(quiet: Page) -> None:
    """One family is one block, which is the collector's own; the page counts what it left out."""
    assert quiet.samples["glasshouse_store_up"] == [({}, 1)]
    assert quiet.sum("glasshouse_prometheus_dropped_points_total") == 1
