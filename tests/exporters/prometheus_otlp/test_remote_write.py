"""Remote write: what a real Prometheus takes, and what is done about a server that does not."""

import math
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from prometheus_client import CollectorRegistry
from prometheus_client import Gauge as OwnGauge
from prometheus_client import Histogram as OwnHistogram
from pydantic import ValidationError

from collector_process import until
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_exporters.prometheus.remote_write.config import RemoteWriteConfig
from glasshouse_exporters.prometheus.remote_write.push import RemoteWrite
from glasshouse_exporters.prometheus.remote_write.series import EncodedSeries
from prometheus_server import prometheus_server
from shown_metrics import ShownMetrics, attributes, request

_CUMULATIVE = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE


def _gauge(name: str, *labels: str, value: float = 1.0, time: int = 1) -> otlp.Metric:
    points = [
        otlp.NumberDataPoint(as_double=value, time_unix_nano=time, attributes=attributes({"which": each}))
        for each in labels
    ]
    return otlp.Metric(name=name, gauge=otlp.Gauge(data_points=points))


def _ended(name: str, label: str) -> otlp.Metric:
    point = otlp.NumberDataPoint(time_unix_nano=9, flags=1, attributes=attributes({"which": label}))
    return otlp.Metric(name=name, gauge=otlp.Gauge(data_points=[point]))


def _histogram() -> otlp.Metric:
    point = otlp.HistogramDataPoint(
        time_unix_nano=1, count=6, sum=4.5, bucket_counts=[1, 2, 3], explicit_bounds=[0.5, 1.0]
    )
    return otlp.Metric(
        name="h",
        unit="s",
        histogram=otlp.Histogram(data_points=[point], aggregation_temporality=_CUMULATIVE),
    )


@contextmanager
def _writing(
    shown: ShownMetrics, dropped: Counter[str], registry: CollectorRegistry | None = None, **settings: Any
) -> Iterator[RemoteWrite]:
    config = RemoteWriteConfig.model_validate({"interval_seconds": 0.1} | settings)
    lock = threading.Lock()

    def drop(reason: str, count: int) -> None:
        with lock:
            dropped[reason] += count

    writing = RemoteWrite(config, shown.table.snapshot, registry or CollectorRegistry(), drop)
    writing.start()
    try:
        yield writing
    finally:
        writing.stop()


def test_a_real_prometheus_has_what_the_page_shows(tmp_path: Path) -> None:
    """Every sample arrives with its labels; ended series are marked as such, all of them at the stop."""
    registry = CollectorRegistry()
    OwnGauge("glasshouse_own", "Of the collector", ("file",), registry=registry).labels('a"\\\n').set(2)
    OwnHistogram("glasshouse_took_seconds", "Of the collector", registry=registry).observe(0.3)
    shown = ShownMetrics()
    shown.take(request([_gauge("g", "one", 'two"\\\n', "drei ü"), _histogram()]))
    shown.take(request([_gauge("bare", "x", value=5)], {"service.name": "bare"}))
    dropped: Counter[str] = Counter()
    with prometheus_server(tmp_path, "--web.enable-remote-write-receiver") as prometheus:
        url = f"{prometheus.url}/api/v1/write"
        with _writing(shown, dropped, registry, url=url, labels={"job": "glasshouse", "instance": "me"}):
            until(lambda: bool(prometheus.query("g")), "the gauge is there")
            taken = {
                (each["metric"]["__name__"], *sorted(each["metric"].items())): float(each["value"][1])
                for each in prometheus.query('{job!="glasshouse",__name__=~".+"}')
            }
            expected = {
                (
                    sample.name,
                    *sorted(({"instance": "me"} | sample.labels | {"__name__": sample.name}).items()),
                ): sample.value
                for family in shown.families().values()
                for sample in family.samples
            }
            assert taken == expected
            own = prometheus.query("glasshouse_own")[0]
            assert own["metric"]["job"] == "glasshouse"
            assert own["metric"]["instance"] == "me"
            assert own["metric"]["file"] == 'a"\\\n'
            assert prometheus.value('glasshouse_took_seconds_bucket{le="0.5"}') == 1
            shown.take(request([_ended("g", "one")]))
            until(lambda: not prometheus.query('g{which="one"}'), "the series has ended")
            assert len(prometheus.query("g")) == 2
        assert not prometheus.query('{__name__=~".+"}')
    assert not dropped


def test_quantiles_of_an_exponential_histogram_are_within_the_bound(tmp_path: Path) -> None:
    """`histogram_quantile` is off by less than the width of a bucket, a factor of the root of two."""
    values = [0.001 * 1.01**i for i in range(900)]
    point = _exponential(values)
    shown = ShownMetrics(scale=1)
    metric = otlp.Metric(
        name="e",
        unit="s",
        exponential_histogram=otlp.ExponentialHistogram(
            data_points=[point], aggregation_temporality=_CUMULATIVE
        ),
    )
    shown.take(request([metric]))
    dropped: Counter[str] = Counter()
    with (
        prometheus_server(tmp_path, "--web.enable-remote-write-receiver") as prometheus,
        _writing(shown, dropped, url=f"{prometheus.url}/api/v1/write"),
    ):
        until(lambda: bool(prometheus.query("e_seconds_count")), "the histogram is there")
        for quantile in (0.01, 0.25, 0.5, 0.9, 0.99, 0.999):
            found = prometheus.value(f"histogram_quantile({quantile}, e_seconds_bucket)")
            true = values[min(int(quantile * len(values)), len(values) - 1)]
            assert found
            assert true / 2**0.5 <= found <= true * 2**0.5


def _exponential(values: list[float]) -> otlp.ExponentialHistogramDataPoint:
    """Count values into buckets of scale 3, as the data model says: by the logarithm of each."""
    base_log = 2.0**-3
    indices = [-1 + math.ceil(math.log2(value) / base_log) for value in values]
    first = min(indices)
    counts = [indices.count(first + i) for i in range(max(indices) - first + 1)]
    return otlp.ExponentialHistogramDataPoint(
        time_unix_nano=1,
        count=len(values),
        sum=sum(values),
        scale=3,
        positive=otlp.ExponentialHistogramDataPoint.Buckets(offset=first, bucket_counts=counts),
    )


def test_a_name_that_changes_its_type_is_encoded_anew() -> None:
    """A gauge that has ended and a histogram without buckets of the same name have other series."""
    encoded = EncodedSeries({})
    shown = ShownMetrics()
    shown.take(request([_gauge("x", "")]))
    assert len(encoded.samples(shown.table.snapshot())) == 1
    shown.clock += 301
    assert not shown.page()
    point = otlp.HistogramDataPoint(time_unix_nano=1, count=6, sum=4.5)
    histogram = otlp.Histogram(data_points=[point], aggregation_temporality=_CUMULATIVE)
    shown.take(request([otlp.Metric(name="x", histogram=histogram)]))
    assert [value for _, value in encoded.samples(shown.table.snapshot())] == [6, 4.5, 6]


@dataclass
class _Server:
    """Answers what it is told to, and remembers how it was asked."""

    answers: list[tuple[int, dict[str, str]]]
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def _server(*answers: tuple[int, dict[str, str]]) -> Iterator[_Server]:
    """Give one answer after the other, the last again and again."""
    told = _Server(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, headers = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            self.send_response(status)
            for name, value in (headers | {"Content-Length": "0"}).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/api/v1/write"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _shown() -> ShownMetrics:
    shown = ShownMetrics()
    shown.take(request([_gauge("g", "a", "b")]))
    return shown


def test_a_server_in_trouble_is_asked_again() -> None:
    """503 and 429 are tried again within the push, and nothing is lost."""
    dropped: Counter[str] = Counter()
    with _server((503, {}), (429, {"Retry-After": "0.1"}), (204, {})) as server:
        with _writing(_shown(), dropped, url=server.url, interval_seconds=60):
            until(lambda: len(server.headers) == 3, "it was tried three times")
        assert len(server.headers) == 4  # the last marks all as ended
    assert not dropped


def test_what_is_refused_is_counted_and_not_sent_again() -> None:
    """A 400 loses the samples of the push; the next push is made all the same."""
    dropped: Counter[str] = Counter()
    with _server((400, {}), (204, {})) as server, _writing(_shown(), dropped, url=server.url):
        until(lambda: len(server.headers) >= 2, "the next push is made")
    assert dropped == {"remote_write_refused": 2}


def test_a_server_that_is_gone_loses_samples_by_count() -> None:
    """Each push that finds nobody is counted, and the stop does not wait for ever."""
    dropped: Counter[str] = Counter()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/write"
        with _writing(_shown(), dropped, url=url):
            until(lambda: dropped["remote_write_unreachable"] >= 4, "two pushes have failed")
    assert set(dropped) == {"remote_write_unreachable"}


def test_a_redirect_is_not_followed() -> None:
    """Secrets go to the address that is set, and nowhere else."""
    dropped: Counter[str] = Counter()
    with (
        _server((204, {})) as other,
        _server((307, {"Location": other.url})) as server,
        _writing(_shown(), dropped, url=server.url),
    ):
        until(lambda: bool(dropped["remote_write_refused"]), "it is refused")
        assert not other.headers


def test_headers_say_what_is_sent_and_by_whom(tmp_path: Path) -> None:
    """The protocol's headers, the user's own, and a token that is read anew for each push."""
    token = tmp_path / "token"
    token.write_text("first\n")
    settings: dict[str, Any] = {"headers": {"X-Scope-OrgID": "tenant"}, "bearer_token_file": token}
    with _server((204, {})) as server, _writing(_shown(), Counter(), url=server.url, **settings):
        until(lambda: bool(server.headers), "something is pushed")
        token.write_text("second\n")
        until(lambda: server.headers[-1]["authorization"] == "Bearer second", "the new token is used")
    first = server.headers[0]
    assert first["authorization"] == "Bearer first"
    assert first["x-scope-orgid"] == "tenant"
    assert first["content-encoding"] == "snappy"
    assert first["content-type"] == "application/x-protobuf"
    assert first["x-prometheus-remote-write-version"] == "0.1.0"


def test_a_name_and_password_are_sent(tmp_path: Path) -> None:
    """Basic authentication, by a password or the file that has it."""
    (tmp_path / "password").write_text("open sesame\n")
    for given in ({"password": "open sesame"}, {"password_file": tmp_path / "password"}):
        basic = {"username": "ali", **given}
        with _server((204, {})) as server, _writing(_shown(), Counter(), url=server.url, basic_auth=basic):
            until(partial(bool, server.headers), "something is pushed")
        assert server.headers[0]["authorization"] == "Basic YWxpOm9wZW4gc2VzYW1l"


def test_secrets_are_not_shown() -> None:
    """The configuration as text has no password and no header's value."""
    config = RemoteWriteConfig.model_validate(
        {
            "url": "http://h/write",
            "headers": {"X-Key": "s3cret"},
            "basic_auth": {"username": "u", "password": "s3cret"},
        }
    )
    assert "s3cret" not in repr(config) + config.model_dump_json()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "prometheus:9090"}, "looks like https://"),
        ({"url": "http://u:p@h/write"}, "set basic_auth instead"),
        ({"headers": {"Authorization": "x"}}, "bearer_token_file and basic_auth"),
        ({"headers": {"X-A": "a\nb"}}, "no header can have"),
        ({"labels": {"a.b": "c"}}, "'a_b' would be one"),
        ({"basic_auth": {"username": "u"}}, "one of password and password_file"),
        (
            {"basic_auth": {"username": "u", "password": "p"}, "bearer_token_file": "/t"},
            "one of bearer_token_file and basic_auth",
        ),
        ({"interval_seconds": 0}, "greater than or equal to 0.1"),
        ({"speed": 1}, "Extra inputs are not permitted"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_what_cannot_be_is_refused_with_a_reason(settings: dict[str, Any], message: str) -> None:
    """A wrong setting says what would be right."""
    with pytest.raises(ValidationError, match=message):
        RemoteWriteConfig.model_validate({"url": "http://h/write"} | settings)


def test_a_file_that_cannot_be_read_is_named_at_the_start(tmp_path: Path) -> None:
    """The setting, the file and the reason."""
    config = RemoteWriteConfig(url="http://h/write", bearer_token_file=tmp_path / "none")
    writing = RemoteWrite(config, list, CollectorRegistry(), lambda _reason, _count: None)
    with pytest.raises(ConfigurationError, match=r"remote_write\.bearer_token_file: .*none cannot be read"):
        writing.start()
    writing.stop()
