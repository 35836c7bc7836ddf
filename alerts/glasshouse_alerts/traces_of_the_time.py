"""Which traces to look at when an alert fires: those of its service, of the time before and while it does."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from glasshouse_alerts.alert_rows import microseconds
from glasshouse_alerts.webhook_payload import ReceivedAlert
from glasshouse_collector.core.access import Caller
from glasshouse_collector.store import QueryLimits, Store
from glasshouse_collector.store.engine import EngineFailure

log = logging.getLogger(__name__)

BEFORE = timedelta(minutes=15)
"""A rule looks back, and waits, for some minutes before it fires."""
_LONGEST = timedelta(hours=1)
"""Of an alert that goes on, the first hour is looked at."""
_ALL_SECONDS = 4.0
"""Alertmanager waits for its answer: alerts that are not looked up by then have no traces."""
_LIMITS = QueryLimits(seconds=2, memory=1 << 30)
_READ = 500
"""Spans to find a handful of traces in: one trace may have many that failed."""

_SPANS = """
    SELECT TraceId FROM otel_traces
    WHERE Project = {project:String} AND ServiceName = {service:String} AND TraceId != ''
      AND Timestamp >= fromUnixTimestamp64Micro({since:Int64})
      AND Timestamp <= fromUnixTimestamp64Micro({until:Int64})
    ORDER BY StatusCode = 'Error' DESC, Duration DESC
    LIMIT {read:UInt32}
"""


@dataclass(frozen=True, slots=True)
class _Question:
    project: str
    service: str
    since_us: int
    until_us: int


def traces_of(
    store: Store, alerts: Sequence[ReceivedAlert], sender: Caller, now: datetime, most: int
) -> list[list[str]]:
    """Return up to `most` trace ids an alert: those with failed spans first, then the slowest.

    An alert without service has none; so has one whose question fails or comes too late, for what the
    alert itself says must not wait for that.
    """
    deadline = time.monotonic() + _ALL_SECONDS
    answers: dict[_Question, list[str]] = {}
    found: list[list[str]] = []
    for alert in alerts:
        question = _question(alert, alert.project(sender), now)
        if not most or not alert.service:
            found.append([])
            continue
        if question not in answers and time.monotonic() < deadline:
            answers[question] = _ask(store, question, most)
        found.append(answers.get(question, []))
    return found


def _question(alert: ReceivedAlert, project: str, now: datetime) -> _Question:
    # Whole minutes, so that the alerts of one group ask the same.
    since = (alert.starts_at - BEFORE).replace(second=0, microsecond=0)
    until = min(alert.ended_at or now, alert.starts_at + _LONGEST)
    until = until.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return _Question(project, alert.service, microseconds(since), microseconds(until))


def _ask(store: Store, question: _Question, most: int) -> list[str]:
    parameters: dict[str, str | int] = {
        "project": question.project,
        "service": question.service,
        "since": question.since_us,
        "until": question.until_us,
        "read": _READ,
    }
    try:
        spans = store.query_arrow(_SPANS, parameters, limits=_LIMITS)
    except EngineFailure as failure:
        log.warning("an alert of %s is kept without traces: %s", question.service, failure)
        return []
    if not spans.num_rows:
        return []
    ids = [each.decode() if isinstance(each, bytes) else each for each in spans["TraceId"].to_pylist()]
    return list(dict.fromkeys(ids))[:most]
