"""gRPC to a ClickHouse that discards, through the journal, beside Rotel: spans a CPU-second.

Both send into the same kind of sink, one after the other in turns (A B A B), so that a noisy machine
disturbs both alike, and neither makes metrics of spans. Glasshouse's figure contains its journal (a
request is acknowledged once it is on disk); Rotel has none and acknowledges what it holds in memory.
"""

from dataclasses import dataclass

from meter import CpuMeter
from programs import Collector, Failed, Glasshouse, Rotel, Sink, load
from report import Report
from settings import Settings

IN_FLIGHT = {512: 16, 32: 64, 1: 256}
_LOST = 0.03
"""How far the sink's bytes a span may be from a gentle run's, before something must have been dropped."""


@dataclass(frozen=True, slots=True)
class _Measured:
    spans_a_cpu_second: float
    spans_a_second: float
    busy: float
    """CPU seconds a second while requests came."""


def run(settings: Settings) -> list[Report]:
    """Measure at 512, 32 and 1 spans a request; one table a size."""
    return [_beside_rotel(size, settings) for size in IN_FLIGHT]


def _beside_rotel(size: int, settings: Settings) -> Report:
    report = Report(
        "journal_to_sink", f"gRPC → journal → ClickHouse HTTP sink, {size} span{'s' * (size > 1)} a request"
    )
    ours: list[_Measured] = []
    theirs: list[_Measured] = []
    with Sink() as sink:
        for _ in range(settings.repeats):
            with Glasshouse(clickhouse=sink.url, exporters=["clickhouse"]) as glasshouse:
                ours.append(_measure_glasshouse(glasshouse, size, settings))
            with Rotel(sink.url) as rotel:
                theirs.append(_measure_rotel(rotel, sink, size, settings))
    for name, runs in (("Glasshouse", ours), ("Rotel", theirs)):
        key = f"{name.lower()}_{size}"
        report.add(key, f"{name}: spans a CPU-second", "1/s", *(each.spans_a_cpu_second for each in runs))
        report.add(f"{key}_wall", f"{name}: spans a second", "1/s", *(each.spans_a_second for each in runs))
        report.add(f"{key}_busy", f"{name}: cores used", "", *(each.busy for each in runs))
    ratios = [a.spans_a_cpu_second / b.spans_a_cpu_second for a, b in zip(ours, theirs, strict=True)]
    report.add(f"ratio_{size}", "Glasshouse / Rotel, spans a CPU-second", "times", *ratios)
    return report


def _measure_glasshouse(collector: Glasshouse, size: int, settings: Settings) -> _Measured:
    _send(collector, size, settings.seconds(2))
    collector.drain()
    before, meter = collector.exported(), CpuMeter(collector.pid)
    sent, seconds = _send(collector, size, settings.seconds(8))
    busy = meter.spent() / seconds
    collector.drain()
    if (arrived := collector.exported() - before) < sent:
        raise Failed(f"Glasshouse acknowledged {sent} spans, {arrived} were delivered")
    return _Measured(sent / meter.spent(), sent / seconds, busy)


def _measure_rotel(collector: Rotel, sink: Sink, size: int, settings: Settings) -> _Measured:
    before = sink.settle()
    gentle, _ = _send(collector, size, 0, total=40 * 512, in_flight=2)
    bytes_a_span = (sink.settle()["rows_bytes"] - before["rows_bytes"]) / gentle
    before, meter = sink.counts(), CpuMeter(collector.pid)
    sent, seconds = _send(collector, size, settings.seconds(8))
    busy = meter.spent() / seconds
    arrived = (sink.settle()["rows_bytes"] - before["rows_bytes"]) / bytes_a_span
    if abs(arrived / sent - 1) > _LOST:
        raise Failed(f"Rotel acknowledged {sent} spans, about {arrived:.0f} reached the sink")
    return _Measured(sent / meter.spent(), sent / seconds, busy)


def _send(
    collector: Collector, size: int, seconds: float, total: int = 0, in_flight: int | None = None
) -> tuple[int, float]:
    """Send flat out; return the spans acknowledged and the seconds it took."""
    limit = in_flight or IN_FLIGHT[size]
    sent = load(collector.grpc, records=size, in_flight=limit, seconds=seconds, total=total)
    collector.alive()
    return sent.records, sent.seconds
