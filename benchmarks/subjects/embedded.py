"""End to end into the embedded store on disk: a minute flat out, its merges included, and its stages."""

import time

from meter import CpuMeter, MemoryWatch
from offline import ask
from profiles import Profile
from programs import Failed, Glasshouse, load, until
from report import Report
from settings import Settings

_RECORDS = 512
_QUIET_SECONDS = 5.0
_IDLE_CORES = 0.1
"""What a process without work may still take."""
_SETTLE_SECONDS = 180.0


def run(settings: Settings) -> list[Report]:
    """Measure once: the minute is long enough for parts to be made, and merged, many times over."""
    seconds = settings.seconds(60)
    title = f"gRPC → journal → embedded store on disk, {seconds:.0f} s flat out, merges included"
    report = Report("embedded", title)
    stages = Report("stages", "Where that time goes")
    with Glasshouse() as collector:
        load(collector.grpc, records=_RECORDS, seconds=settings.seconds(4))
        settle(collector)
        before, started = collector.metrics(), time.monotonic()
        meter, profile = CpuMeter(collector.pid), Profile(collector.pid)
        with MemoryWatch(collector.pid) as memory, profile.sampling():
            sent = load(collector.grpc, records=_RECORDS, seconds=seconds)
            loaded = meter.spent()
            collector.drain()
            drained, delivered = meter.spent(), time.monotonic() - started
        settle(collector)
        spent = meter.spent()
        after = collector.metrics()
        profile.describe(stages, before, after, sent.records)
        collector.stop()
        counted = (
            "SELECT count() AS spans, uniqExact(_part) AS parts FROM otel_traces WHERE Project = 'default'"
        )
        stored, parts = (int(value) for value in ask(collector.data, counted)[0].values())
        if stored < sent.records:
            raise Failed(f"{sent.records} spans were acknowledged, the store has {stored}")
        report.add("spans_a_cpu_second", "spans a CPU-second, merges included", "1/s", sent.records / spent)
        report.add("without_merges", "spans a CPU-second until all are stored", "1/s", sent.records / drained)
        report.add("acknowledged", "spans acknowledged a second", "1/s", sent.records / sent.seconds)
        report.add("stored", "spans stored a second, backlog included", "1/s", sent.records / delivered)
        report.add("answer_p50", "time to acknowledge, p50", "ms", sent.answer_p50 * 1e3)
        report.add("answer_p99", "time to acknowledge, p99", "ms", sent.answer_p99 * 1e3)
        report.add("rss", "resident memory, steady", "MB", memory.seen().steady / 1e6)
        report.add("rss_peak", "resident memory, peak", "MB", memory.seen().peak / 1e6)
        report.notes.append(
            f"{sent.records:,} spans; CPU-seconds {loaded:.1f} while sending, {drained - loaded:.1f} for "
            f"the backlog, {spent - drained:.1f} until the merges rested, at {parts} parts"
        )
        report.notes.append(f"requests refused, to be sent again: {sum(sent.refused.values())}")
    return [report, stages]


def settle(collector: Glasshouse) -> None:
    """Wait until everything is stored and the process has been at rest for a while: no merge runs."""
    collector.drain()
    meter, since = CpuMeter(collector.pid), time.monotonic()

    def at_rest() -> bool:
        nonlocal meter, since
        if meter.spent() > _IDLE_CORES * meter.elapsed():
            since = time.monotonic()
        meter = CpuMeter(collector.pid)
        return time.monotonic() - since > _QUIET_SECONDS

    until(at_rest, _SETTLE_SECONDS, "the merges are at rest", pause=1.0)
