"""How many records a second one core checks and decodes, by codec and kind of record.

    .venv/bin/python benchmarks/decode.py [--codec native] [--requests 64] [--repeats 9]

A request has 512 records, of which spans are some 460 bytes each with 8 attributes and 5 of the
resource. Prints the median of the repeats, in records a second of CPU time of the thread, so that
other work on the machine counts less.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from random import Random

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from glasshouse_collector.codec import Codec
from glasshouse_collector.codec.native import NativeCodec
from glasshouse_collector.codec.upb import UpbCodec
from glasshouse_collector.core.batch import RequestKind
from workload import Kind, encode

RECORDS = 512
_START = 1_767_225_600_000_000_000


def _payloads(requests: int) -> dict[str, tuple[RequestKind, list[bytes]]]:
    """Return requests by the name of their records."""
    random = Random(42)

    def encoded(kind: Kind) -> tuple[RequestKind, list[bytes]]:
        return RequestKind(kind), [encode(kind, RECORDS, random).payload for _ in range(requests)]

    metrics = RequestKind.METRICS
    return {
        "spans": encoded(Kind.TRACES),
        "log records": encoded(Kind.LOGS),
        "gauge, sum, histogram": encoded(Kind.METRICS),
        "exponential histogram": (metrics, [_exponential_histograms(random) for _ in range(requests)]),
        "summary": (metrics, [_summaries(random) for _ in range(requests)]),
    }


def _attributes(random: Random) -> list[KeyValue]:
    return [
        KeyValue(key="http.route", value=AnyValue(string_value=f"/api/{random.randrange(20)}")),
        KeyValue(key="shard", value=AnyValue(int_value=random.randrange(64))),
    ]


def _exponential_histograms(random: Random) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="request.size", unit="By")
    metric.exponential_histogram.aggregation_temporality = otlp.AGGREGATION_TEMPORALITY_DELTA
    for _ in range(RECORDS):
        counts = [random.randrange(100) for _ in range(20)]
        metric.exponential_histogram.data_points.add(
            attributes=_attributes(random),
            start_time_unix_nano=_START,
            time_unix_nano=_START + 10**9,
            count=sum(counts),
            sum=random.random() * 100,
            scale=3,
            positive=otlp.ExponentialHistogramDataPoint.Buckets(offset=4, bucket_counts=counts),
        )
    return request.SerializeToString()


def _summaries(random: Random) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="gc.pause", unit="s")
    for _ in range(RECORDS):
        point = metric.summary.data_points.add(
            attributes=_attributes(random),
            start_time_unix_nano=_START,
            time_unix_nano=_START + 10**9,
            count=random.randrange(1000),
            sum=random.random() * 100,
        )
        for quantile in (0.5, 0.9, 0.99):
            point.quantile_values.add(quantile=quantile, value=random.random())
    return request.SerializeToString()


def _per_second(records: int, repeats: int, work: Callable[[], object]) -> float:
    """Return the median of records a second of the thread's CPU time."""
    rates = []
    work()
    for _ in range(repeats):
        start = time.thread_time()
        work()
        rates.append(records / (time.thread_time() - start))
    return statistics.median(rates)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--codec", choices=("native", "python"), help="only this one")
    parser.add_argument("--requests", type=int, default=64, help="requests decoded at once")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    codecs: list[Codec] = [NativeCodec(), UpbCodec()]
    print(f"{'codec':8}{'records':24}{'bytes each':>12}{'check/s':>14}{'decode/s':>14}")
    for codec in codecs:
        if arguments.codec not in (None, codec.name):
            continue
        # The one in Python is some forty times slower: less of it is enough.
        requests = arguments.requests if codec.name == "native" else min(arguments.requests, 4)
        for name, (kind, payloads) in _payloads(requests).items():
            _print_row(codec, name, kind, payloads, arguments.repeats)


def _print_row(codec: Codec, name: str, kind: RequestKind, payloads: list[bytes], repeats: int) -> None:
    records = RECORDS * len(payloads)
    size = sum(map(len, payloads)) / records
    checked = _per_second(records, repeats, lambda: [codec.check(kind, payload) for payload in payloads])
    decoded = _per_second(records, repeats, lambda: codec.decode(kind, payloads))
    print(f"{codec.name:8}{name:24}{size:12.0f}{checked:14,.0f}{decoded:14,.0f}")


if __name__ == "__main__":
    main()
