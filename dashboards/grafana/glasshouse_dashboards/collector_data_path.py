"""The panels of the collector's data path: let in, journaled, decoded, delivered, shown."""

from glasshouse_dashboards.expressions import quantile, rate
from glasshouse_dashboards.panels import (
    BYTES,
    COUNT,
    NONE_IS_RIGHT,
    RATE,
    RED,
    SECONDS,
    YELLOW,
    AnyPanel,
    Scale,
    graph,
    number,
)
from glasshouse_dashboards.queries import now, over_time

OF = 'instance=~"$instance"'
_RECORDS = Scale("cps", least=0)
_BYTES_A_SECOND = Scale("Bps", least=0)
BEHIND = Scale("s", ((60, YELLOW), (300, RED)), least=0)
_FSYNC = Scale("s", ((0.1, YELLOW), (1, RED)), least=0)
WRONG = Scale("cps", ((0.000001, RED),), least=0)
_SKEW = Scale("s", ((60, YELLOW), (300, RED)))


def let_in() -> tuple[AnyPanel, ...]:
    """Return the panels of what comes in."""
    return (
        graph(
            "Records received",
            "Records a second, by kind and project.",
            _RECORDS,
            over_time(rate_of("glasshouse_received_records_total", "kind, project"), "{{kind}} {{project}}"),
            wide=8,
            stacked=True,
        ),
        graph(
            "Requests received",
            "Requests a second, by transport and kind.",
            RATE,
            over_time(
                rate_of("glasshouse_received_requests_total", "transport, kind"), "{{transport}} {{kind}}"
            ),
            wide=8,
        ),
        graph(
            "Bytes received",
            "Bytes of requests a second after decompression, by project.",
            _BYTES_A_SECOND,
            over_time(rate_of("glasshouse_received_bytes_total", "project"), "{{project}}"),
            wide=8,
        ),
    )


def refused() -> tuple[AnyPanel, ...]:
    """Return the panels of what is not let in."""
    ago = f"time() - max by (project) (glasshouse_last_received_timestamp_seconds{{{OF}}})"
    return (
        graph(
            "Refused requests",
            "Requests a second that got no OK, by reason.",
            WRONG,
            over_time(
                rate_of("glasshouse_refused_requests_total", "transport, reason"), "{{transport}} {{reason}}"
            ),
            wide=6,
        ),
        graph(
            "Failed attempts",
            "Requests a second without a key that opens what was asked for, by reason.",
            WRONG,
            over_time(rate_of("glasshouse_failed_attempts_total", "scope, reason"), "{{scope}} {{reason}}"),
            wide=6,
        ),
        graph(
            "Rejected records",
            "Records a second left out of requests that were else accepted, by reason.",
            WRONG,
            over_time(rate_of("glasshouse_rejected_records_total", "kind, reason"), "{{kind}} {{reason}}"),
            wide=6,
        ),
        graph(
            "Silence",
            "Time since something was received, by project.",
            BEHIND,
            over_time(ago, "{{project}}"),
            wide=6,
        ),
    )


def journal() -> tuple[AnyPanel, ...]:
    """Return the panels of how full the journal is, and how far behind its readers."""
    return (
        graph(
            "Journal size",
            "Bytes on disk, and the limit.",
            BYTES,
            over_time(f"glasshouse_journal_bytes{{{OF}}}", "{{instance}}"),
            over_time(f"glasshouse_journal_max_bytes{{{OF}}}", "limit {{instance}}"),
            wide=6,
        ),
        graph(
            "Behind",
            "Age of the oldest frame that each consumer has not delivered.",
            BEHIND,
            over_time(f"max by (consumer) (glasshouse_journal_oldest_seconds{{{OF}}})", "{{consumer}}"),
            wide=6,
        ),
        graph(
            "Frames that wait",
            "Frames each consumer has not delivered yet.",
            COUNT,
            over_time(f"sum by (consumer) (glasshouse_journal_lag_frames{{{OF}}})", "{{consumer}}"),
            wide=6,
        ),
        graph(
            "fsync",
            "Time until the disk has what was written; senders wait for it.",
            _FSYNC,
            over_time(quantile(0.5, "glasshouse_journal_fsync_seconds", OF), "p50"),
            over_time(quantile(0.99, "glasshouse_journal_fsync_seconds", OF), "p99"),
            wide=6,
        ),
    )


def written() -> tuple[AnyPanel, ...]:
    """Return the panels of what is on disk."""
    return (
        graph(
            "Written",
            "Records a second that are on disk, by kind.",
            _RECORDS,
            over_time(rate_of("glasshouse_journaled_records_total", "kind"), "{{kind}}"),
            wide=8,
        ),
        graph(
            "Bytes written",
            "Compressed bytes a second, by project.",
            _BYTES_A_SECOND,
            over_time(rate_of("glasshouse_journaled_bytes_total", "project"), "{{project}}"),
            wide=8,
        ),
        number(
            "Set aside",
            "Bytes of damaged frames found at the start.",
            Scale("bytes", ((1, RED),), least=0),
            now(f"sum(glasshouse_journal_repaired_bytes_total{{{OF}}})"),
            wide=8,
        ),
    )


def decoded() -> tuple[AnyPanel, ...]:
    """Return the panels of what is made of requests."""
    return (
        graph(
            "Decoding",
            "p95 of the time to decode a run, by kinds of request.",
            SECONDS,
            over_time(p95_of("glasshouse_decode_seconds", "kind"), "{{kind}}"),
            wide=6,
        ),
        graph(
            "Cut values",
            "Values a second that were longer than the limit.",
            _RECORDS,
            over_time(rate_of("glasshouse_truncated_values_total", "signal, what"), "{{signal}} {{what}}"),
            wide=6,
        ),
        graph(
            "Hidden values",
            "Values a second that the redact processor hid, by rule.",
            _RECORDS,
            over_time(rate_of("glasshouse_redacted_values_total", "signal, rule"), "{{signal}} {{rule}}"),
            wide=6,
        ),
        graph(
            "Clock skew",
            "Receipt minus the newest record's time; negative: the sender's clock is ahead.",
            _SKEW,
            over_time(
                f"topk(10, max by (project, service_name) (abs(glasshouse_clock_skew_seconds{{{OF}}})))",
                "{{service_name}}",
            ),
            wide=6,
        ),
    )


def delivered() -> tuple[AnyPanel, ...]:
    """Return the panels of what exporters keep."""
    by, name = "exporter, signal", "{{exporter}} {{signal}}"
    return (
        graph(
            "Records delivered",
            "Records a second, by exporter and signal.",
            _RECORDS,
            over_time(rate_of("glasshouse_exported_records_total", by), name),
            wide=8,
        ),
        graph(
            "Durations of deliveries",
            "p95, by exporter and signal; clickhouse: the insert.",
            SECONDS,
            over_time(p95_of("glasshouse_export_seconds", by), name),
            wide=8,
        ),
        graph(
            "Freshness",
            "p95 of the time from the acceptance of a record to its delivery.",
            BEHIND,
            over_time(p95_of("glasshouse_freshness_seconds", "exporter"), "{{exporter}}"),
            wide=8,
        ),
        graph(
            "Failed deliveries",
            "Deliveries a second that are tried again.",
            WRONG,
            over_time(rate_of("glasshouse_export_failures_total", by), name),
            wide=12,
        ),
        graph(
            "Dead letters over time",
            "Batches refused for good, in 5 minutes.",
            NONE_IS_RIGHT,
            over_time(f"sum by ({by}) (increase(glasshouse_dead_letters_total{{{OF}}}[5m]))", name),
            wide=12,
        ),
    )


def series() -> tuple[AnyPanel, ...]:
    """Return the panels of what Prometheus is shown."""
    return (
        graph(
            "Lines on the page",
            "Exposition lines that the Prometheus exporter holds, and the limit.",
            COUNT,
            over_time(f"glasshouse_prometheus_series{{{OF}}}", "{{instance}}"),
            over_time(f"glasshouse_prometheus_max_series{{{OF}}}", "limit {{instance}}"),
            wide=8,
        ),
        graph(
            "Overflow",
            "Label sets or points a second above the limit, by family.",
            WRONG,
            over_time(rate_of("glasshouse_prometheus_overflow_total", "family"), "{{family}}"),
            wide=8,
        ),
        graph(
            "Points not shown",
            "Data points a second that the page cannot show, by reason.",
            _RECORDS,
            over_time(rate_of("glasshouse_prometheus_dropped_points_total", "reason"), "{{reason}}"),
            wide=8,
        ),
    )


def rate_of(counter: str, by: str) -> str:
    """Return how much a counter of the chosen collectors grows a second, by labels."""
    return rate(counter, OF, by)


def p95_of(histogram: str, by: str = "") -> str:
    """Return the p95 of a histogram of the chosen collectors, by labels."""
    return quantile(0.95, histogram, OF, by)
