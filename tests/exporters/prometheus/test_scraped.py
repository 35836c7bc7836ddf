"""A real Prometheus scrapes a real collector."""

import json
import time
from pathlib import Path

import httpx
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector_process import CollectorProcess, until
from prometheus_server import RunningPrometheus, prometheus_server
from span_batches import SentSpan, request_of

_HOSTILE = 'GET "/a\\b"\n\0 🙂 {x="1"}'


def _send(collector: CollectorProcess, spans: list[SentSpan], start: int) -> None:
    request = ExportTraceServiceRequest()
    for span in spans:
        request.MergeFrom(request_of(span, start))
    answer = httpx.post(
        f"http://{collector.endpoints()['http']}/v1/traces",
        content=request.SerializeToString(),
        headers={"Content-Type": "application/x-protobuf"},
        timeout=30,
    )
    answer.raise_for_status()


def _has(prometheus: RunningPrometheus, expression: str, value: float) -> None:
    """Wait for a value: a scrape that was late on a busy machine ends its series until the next."""
    until(lambda: prometheus.value(expression) == value, f"{expression} is {value}")


def test_prometheus_reads_series_and_exemplars(tmp_path: Path) -> None:
    """Labels as they were sent, quantiles, the graph, and exemplars that lead to the span."""
    config = tmp_path / "glasshouse.yaml"
    config.write_text(yaml.safe_dump({"exporters": {"prometheus": {}}, "self_watch": False}))
    collector = CollectorProcess(tmp_path / "data", "--config", str(config))
    try:
        api = collector.endpoints()["api"]
        start = time.time_ns() - 10**9
        call = SentSpan(service="shop", kind="CLIENT", trace=7, span=2, duration=300_000_000)
        answer = SentSpan(
            service="cart", name=_HOSTILE, trace=7, span=3, parent=2, duration=250_000_000,
            resource={"service.instance.id": "1", "deployment.environment.name": "test"},
        )  # fmt: skip
        _send(collector, [call, answer], start)
        options = ("--enable-feature=exemplar-storage",)
        with prometheus_server(tmp_path / "prometheus", *options, scrape=[api]) as prometheus:
            _has(prometheus, "sum(traces_span_metrics_calls_total)", 2)
            name = _HOSTILE.replace("\0", "\N{SYMBOL FOR NULL}")
            named = f'service_name="cart",span_name={json.dumps(name, ensure_ascii=False)}'
            _has(
                prometheus,
                f"traces_span_metrics_calls_total{{{named}}}",
                1,
            )
            _has(prometheus, 'traces_service_graph_request_total{client="shop",server="cart"}', 1)
            # The bound's own text: both formats write it alike, so a change of format is no other series.
            bucket = 'traces_span_metrics_duration_milliseconds_bucket{service_name="cart"}'
            _has(prometheus, bucket.replace("}", ',le="400.0"}'), 1)
            _has(prometheus, 'target_info{job="cart",instance="1",deployment_environment_name="test"}', 1)
            # The target's own labels, as the collector's metrics have no job of their own.
            _has(prometheus, 'glasshouse_prometheus_max_series{job="glasshouse"}', 100_000)
            found = httpx.get(
                f"{prometheus.url}/api/v1/query_exemplars",
                params={
                    "query": bucket,
                    "start": str(time.time() - 600),
                    "end": str(time.time() + 600),
                },
                timeout=30,
            ).json()
            exemplars = [exemplar for series in found["data"] for exemplar in series["exemplars"]]
            assert [(each["labels"], float(each["value"])) for each in exemplars] == [
                ({"trace_id": f"{7:032x}", "span_id": f"{3:016x}"}, 250.0)
            ], json.dumps(found)
    finally:
        collector.stop()


def test_a_restart_of_the_collector_is_a_counter_reset(tmp_path: Path) -> None:
    """What came before it is not counted again, and Prometheus's `increase` is right over it."""
    config = tmp_path / "glasshouse.yaml"
    config.write_text(yaml.safe_dump({"exporters": {"prometheus": {}}, "self_watch": False}))
    calls = "traces_span_metrics_calls_total{"

    def shown(collector: CollectorProcess) -> float:
        page = httpx.get(f"http://{collector.endpoints()['api']}/metrics", timeout=30).text
        return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(calls))

    counts = []
    for turn in range(2):
        collector = CollectorProcess(tmp_path / "data", "--config", str(config))
        try:
            spans = [SentSpan(trace=turn + 1, span=number) for number in range(1, 4 - turn)]
            _send(collector, spans, time.time_ns())
            until(lambda: shown(collector) >= 3 - turn, "the spans are shown")  # noqa: B023  (called at once)
            counts.append(shown(collector))
        finally:
            collector.stop()
    assert counts == [3.0, 2.0]
