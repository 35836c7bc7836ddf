"""The decoder alone: spans, log records and data points a second of one core, from OTLP bytes to Arrow."""

import time
from collections.abc import Callable
from functools import partial
from random import Random

from glasshouse_collector.codec import Codec, best_codec
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.process import keep_freed_memory
from report import Report
from settings import Settings
from workload import Kind, encode

_RECORDS = 512
_REQUESTS = 64
_NAMES = {Kind.TRACES: "span", Kind.LOGS: "log_record", Kind.METRICS: "data_point"}


def run(settings: Settings) -> list[Report]:
    """Measure the check at the door and the decoding of a run; `benchmarks/decode.py` has more kinds."""
    keep_freed_memory()  # as the collector does
    codec, random = best_codec(), Random(7)
    report = Report("decode", f"The {codec.name} decoder alone, {_RECORDS} records a request")
    repeats = 3 * settings.repeats
    for kind, name in _NAMES.items():
        requests = [encode(kind, _RECORDS, random).payload for _ in range(_REQUESTS)]
        wanted = RequestKind(kind)
        checks = _rates(repeats, partial(_check_all, codec, wanted, requests))
        decodes = _rates(repeats, partial(codec.decode, wanted, requests))
        size = sum(map(len, requests)) / _REQUESTS / _RECORDS
        label = name.replace("_", " ") + "s"
        report.add(f"decode_{name}", f"{label} of {size:.0f} bytes decoded, a CPU-second", "1/s", *decodes)
        report.add(f"check_{name}", f"{label} checked at the door, a CPU-second", "1/s", *checks)
    return [report]


def _check_all(codec: Codec, kind: RequestKind, requests: list[bytes]) -> None:
    for request in requests:
        codec.check(kind, request)


def _rates(repeats: int, work: Callable[[], object]) -> list[float]:
    """Return the records a second of the process's CPU time, once a repeat, after one to warm up."""
    work()
    rates = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        rates.append(_RECORDS * _REQUESTS / (time.process_time() - began))
    return rates
