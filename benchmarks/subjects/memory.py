"""Resident memory while 50,000 spans arrive a second."""

from meter import CpuMeter, MemoryWatch, resident_bytes
from programs import Glasshouse, load
from report import Report
from settings import Settings

_RATE = 50_000


def run(settings: Settings) -> list[Report]:
    """Measure for 40 seconds, into the embedded store."""
    report = Report("memory", f"Resident memory at {_RATE:,} spans a second, embedded store included")
    with Glasshouse() as collector:
        idle = resident_bytes(collector.pid)
        meter = CpuMeter(collector.pid)
        with MemoryWatch(collector.pid) as watch:
            sent = load(collector.grpc, records=512, rate=_RATE, seconds=settings.seconds(40))
        busy = meter.spent() / sent.seconds
        if sent.records < 0.95 * _RATE * sent.seconds:
            report.notes.append(f"the rate was not kept: {sent.records / sent.seconds:,.0f} spans a second")
        report.add("idle", "before the load", "MB", idle / 1e6)
        report.add("steady", "steady", "MB", watch.seen().steady / 1e6)
        report.add("peak", "peak", "MB", watch.seen().peak / 1e6)
        report.add("cores", "cores used", "", busy)
    return [report]
