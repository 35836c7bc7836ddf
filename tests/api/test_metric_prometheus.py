"""The same points asked here and of a real Prometheus: what both can answer is the same."""

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise

import httpx
import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from glasshouse_collector.api import create_app
from glasshouse_collector.core.components import Services
from glasshouse_collector.store import Store
from prometheus_server import RunningPrometheus, prometheus_server
from sent_metrics import CUMULATIVE, NOON, ask, at, by_label, counter, gauge, labelled, number, send

Serve = Callable[..., httpx.Client]
MINUTES = 10
TIMES = range(-60, MINUTES * 60 + 60, 15)
BOUNDS = (0.1, 0.5, 1.0, 5.0)
WINDOW = "60001ms"
"""A minute, and the point at its beginning, which Prometheus leaves out of a minute since 3.0."""
ROUTES = ("/cart", "/pay")
HOSTS = ("a", "b", "c")


def _points() -> dict[tuple[str, str], list[tuple[int, int, int, list[int]]]]:
    """Return of each route and host: time, a counter with resets, a level, cumulative buckets' counts."""
    chance = random.Random(11)
    made = {}
    for route in ROUTES:
        for host in HOSTS:
            counted, buckets, rows = 50, [0] * (len(BOUNDS) + 1), []
            for seconds in TIMES:
                counted = chance.randrange(9) if chance.random() < 0.05 else counted + chance.randrange(30)
                buckets = [count + chance.randrange(12) for count in buckets]
                rows.append((seconds, counted, chance.randrange(100), buckets))
            made[route, host] = rows
    return made


POINTS = _points()


def _open_metrics() -> str:
    lines: dict[str, list[str]] = {"requests": [], "queue": [], "took": []}
    for (route, host), rows in POINTS.items():
        labels = f'route="{route}",host="{host}"'
        for seconds, counted, level, buckets in rows:
            when = NOON + seconds
            lines["requests"].append(f"requests_total{{{labels}}} {counted} {when}")
            lines["queue"].append(f"queue{{{labels}}} {level} {when}")
            total = 0
            for bound, count in zip((*BOUNDS, "+Inf"), buckets, strict=True):
                total += count
                lines["took"].append(f'took_bucket{{{labels},le="{bound}"}} {total} {when}')
            lines["took"].append(f"took_count{{{labels}}} {total} {when}")
            lines["took"].append(f"took_sum{{{labels}}} {total} {when}")
    kinds = {"requests": "counter", "queue": "gauge", "took": "histogram"}
    families = (f"# TYPE {name} {kind}\n" + "\n".join(lines[name]) for name, kind in kinds.items())
    return "\n".join(families) + "\n# EOF\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPrometheus]:
    """Lend a Prometheus that has the points; skips where there is none."""
    folder = tmp_path_factory.mktemp("prometheus")
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (make servers)")
    written = folder / "points.txt"
    written.write_text(_open_metrics())
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(written), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    with prometheus_server(folder, "--storage.tsdb.retention.time=100y") as running:
        yield running


@pytest.fixture(scope="module")
def client(shared_services: Services, store: Store, shared_serve: Serve) -> httpx.Client:
    """Return a client of an API with a store that has the points."""
    shared_services.provide(Store, store)
    if not store.query_arrow("SELECT count() AS n FROM glasshouse_metric_names")["n"][0].as_py():
        _fill(store)
    return shared_serve(create_app(shared_services))


def _fill(store: Store) -> None:
    requests, levels, distributions = [], [], []
    for (route, host), rows in POINTS.items():
        for seconds, counted, level, buckets in rows:
            requests.append(number(seconds, counted, route=route, host=host))
            levels.append(number(seconds, level, route=route, host=host))
            point = otlp.HistogramDataPoint(
                time_unix_nano=at(seconds),
                count=sum(buckets),
                sum=sum(buckets),
                bucket_counts=buckets,
                explicit_bounds=BOUNDS,
            )
            distributions.append(labelled(point, None, {"route": route, "host": host}))
    data = otlp.Histogram(data_points=distributions, aggregation_temporality=CUMULATIVE)
    for metric in (
        counter("requests", *requests),
        gauge("queue", *levels),
        otlp.Metric(name="took", histogram=data),
    ):
        send(store, metric)


def _of_prometheus(
    prometheus: RunningPrometheus, expression: str, by: str, offset: float
) -> dict[tuple[str, ...], list[float]]:
    """Return the values of each minute, asked at its end (`offset` seconds beside it)."""
    start, end = NOON + 60 + offset, NOON + MINUTES * 60 + offset
    asked = {"query": expression, "start": str(start), "end": str(end), "step": "60"}
    answer = httpx.get(f"{prometheus.url}/api/v1/query_range", params=asked, timeout=30).json()
    assert answer["status"] == "success", json.dumps(answer)
    return {
        (series["metric"][by],) if by else (): [float(value) for _, value in series["values"]]
        for series in answer["data"]["result"]
    }


INCREASE = f"increase({{}}[{WINDOW}])"
CASES = [
    ("requests", "increase", "sum by ({by}) (" + INCREASE.format("requests_total") + ")", 0),
    ("requests", "rate", "sum by ({by}) (rate(requests_total[" + WINDOW + "]))", 0),
    ("requests", "max", "max by ({by}) (" + INCREASE.format("requests_total") + ")", 0),
    # A level's step has what was told before its end: the last point of a minute is that of its 45th second.
    *(("queue", name, f"{name} by ({{by}}) (queue)", -1) for name in ("sum", "avg", "min", "max", "count")),
    ("queue", "p90", "quantile by ({by}) (0.9, queue)", -1),
    ("took", "count", "sum by ({by}) (" + INCREASE.format("took_count") + ")", 0),
    *(
        (
            "took",
            name,
            f"histogram_quantile({q}, sum by (le, {{by}}) (" + INCREASE.format("took_bucket") + "))",
            0,
        )
        for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    ),
]


@pytest.mark.parametrize("by", ["", "route"])
@pytest.mark.parametrize(("name", "function", "expression", "offset"), CASES)
def test_prometheus_answers_the_same(  # noqa: PLR0913, PLR0917  (one each part of a case)
    client: httpx.Client,
    prometheus: RunningPrometheus,
    name: str,
    function: str,
    expression: str,
    offset: float,
    by: str,
) -> None:
    """Of six series with resets: increases, levels over series, and quantiles of the buckets together."""
    answer = ask(client, name, function, MINUTES * 60, group_by=[by] if by else [])
    ours = by_label(answer)
    theirs = _of_prometheus(prometheus, expression.replace("{by}", by), by, offset)
    assert ours.keys() == theirs.keys()
    for labels, expected in theirs.items():
        assert ours[labels] == pytest.approx(expected, rel=1e-3)


def test_there_are_resets_to_be_found() -> None:
    """Else the comparison would prove less than it says."""
    falls = [1 for rows in POINTS.values() for before, after in pairwise(rows) if after[1] < before[1]]
    assert len(falls) > 3
