"""What became of the records of a round."""

from dataclasses import dataclass

from collector_process import CollectorProcess, until
from counted_records import COUNTS_AND_RECORDS, miscounted
from numbered_load import KINDS, Account

_TABLES = {
    "traces": ("otel_traces", "SpanAttributes"),
    "logs": ("otel_logs", "LogAttributes"),
    "metrics": ("otel_metrics_gauge", "Attributes"),
}


@dataclass(frozen=True)
class Outcome:
    """Counts of records after a round."""

    kills: int
    sent: int
    acknowledged: int
    lost: int
    doubled: int
    torn: int
    """Requests that were not acknowledged and are there in part."""
    miscounted: dict[str, tuple[int, int]]
    """Tables of counts that do not hold what the records come to: that, and what they hold."""


def count(collector: CollectorProcess, account: Account, kills: int) -> Outcome:
    """Wait until everything is delivered, count, and end the collector."""
    lost = doubled = torn = 0
    records = account.records_a_request
    until(collector.drained, "everything is delivered", patience=180)
    for kind in KINDS:
        table, attributes = _TABLES[kind]
        rows = collector.ask(
            f"SELECT intDiv(toUInt64({attributes}['chaos.n']), {records}) AS request, count(), "
            f"uniqExact({attributes}['chaos.n']) FROM {table} WHERE mapContains({attributes}, 'chaos.n') "
            "GROUP BY request LIMIT 100000"
        )
        found = {int(request): (int(count), int(distinct)) for request, count, distinct in rows}
        for request in account.sent[kind]:
            count, distinct = found.get(request, (0, 0))
            doubled += count - distinct
            if request in account.acknowledged[kind]:
                lost += records - distinct
            else:
                torn += 0 < distinct < records
    wrong = miscounted(collector.ask(COUNTS_AND_RECORDS))
    assert collector.stop() == 0
    return Outcome(kills, account.sent_records, account.acknowledged_records, lost, doubled, torn, wrong)
