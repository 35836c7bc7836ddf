"""What an incident is thought to come from: named after its first cause, and after another one only once.

What was told first stays in the answer (`first_told`), so that who read it finds it again.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from glasshouse_collector.core.incidents import Incident
from glasshouse_collector.insights.answer import answer_of
from glasshouse_collector.insights.findings import Analysis, FaultKind, RootCause
from glasshouse_collector.insights.telling import first_cause

SURE: Final = 0.5
"""How likely another cause has to be before what was told is taken back."""
_TITLES: Final = {
    FaultKind.EXCEPTION: "errors of {where}",
    FaultKind.EARLY_RETURN: "work left out in {where}",
    FaultKind.REPEATED_CALLS: "more calls than usual from {where}",
    FaultKind.CPU_CONTENTION: "CPU contention in {where}",
    FaultKind.SLOW_CODE: "slow code in {where}",
    FaultKind.NETWORK_DELAY: "network delay to {where}",
    FaultKind.DEPENDENCY_ERROR: "failing calls of {what} in {where}",
    FaultKind.DEPENDENCY_SLOW: "slow calls of {what} in {where}",
    FaultKind.POOL_EXHAUSTED: "exhausted pool in {where}",
    FaultKind.BAD_RELEASE: "bad release of {where}",
    FaultKind.MEMORY_LEAK: "memory leak in {where}",
    FaultKind.SILENT: "{where} is silent",
    FaultKind.OVERLOAD: "overload of {where}",
    FaultKind.UNKNOWN: "trouble in {where}",
}


def explained(incident: Incident, analysis: Analysis) -> Incident:
    """Return it with its analysis: named after the first cause, which leads the services."""
    answer = answer_of(analysis)
    if not analysis.root_causes:
        return replace(incident, answer=answer)
    cause = analysis.root_causes[0]
    return replace(
        incident,
        answer=answer,
        title=_title_of(cause, incident),
        services=tuple(dict.fromkeys((cause.service, *incident.services))),
        fingerprint=f"{cause.service}|{cause.kind.value}|{cause.operation}",
    )


def rethought(incident: Incident, analysis: Analysis, known: Iterable[Incident]) -> Incident:
    """Return one that was told already with what a later analysis finds.

    Another cause takes the place of the one told where it is likely (`SURE`), once, and where it is not
    that of another of the `known` incidents.
    """
    told, named = first_cause(incident), explained(incident, analysis)
    if not told:
        return named
    first = incident.answer.get("first_told") or {"title": incident.title, "root_cause": told}
    answer = {**named.answer, "first_told": first}
    if (now := first_cause(named)) and (now["service"], now["kind"]) == (told["service"], told["kind"]):
        again = {"rethought": True} if is_rethought(incident) else {}
        return replace(incident, answer={**answer, **again})
    others = (each for each in known if each.id != incident.id and each.last_seen_at > incident.started_at)
    theirs = [each.services[:1] for each in others]
    if (
        not now
        or now["confidence"] < SURE
        or is_rethought(incident)
        or any(now["service"] in services for services in theirs)
    ):
        return replace(incident, answer={**incident.answer, "looked_until": answer["end_time"]})
    notes = [*answer["notes"], f"first told: {first['title']}; {told['reason']}"]
    return replace(named, answer={**answer, "notes": notes, "rethought": True})


def is_rethought(incident: Incident) -> bool:
    """Tell whether another cause is thought of than the one that was told first."""
    return bool(incident.answer.get("rethought"))


def looked_until(incident: Incident) -> datetime:
    """Return up to when its latest analysis looked, of one that was analysed."""
    return datetime.fromisoformat(incident.answer.get("looked_until") or incident.answer["end_time"])


def _title_of(cause: RootCause, incident: Incident) -> str:
    """Return a cause in a few words; of exceptions the type, where it was among what was strange."""
    where = " ".join(filter(None, (cause.service, cause.operation)))
    if cause.kind is FaultKind.EXCEPTION:
        said = (sentence.rpartition(": ")[0] for sentence in incident.signals)
        thrown = [each for each in said if each.endswith(f" in {cause.service}")]
        return thrown[0] if thrown else _TITLES[cause.kind].format(where=where)
    title = _TITLES[cause.kind].format(where=where, what=cause.dependency or "a dependency")
    placed = cause.kind not in {FaultKind.DEPENDENCY_ERROR, FaultKind.DEPENDENCY_SLOW} and cause.dependency
    return f"{title} ({cause.dependency})" if placed else title
