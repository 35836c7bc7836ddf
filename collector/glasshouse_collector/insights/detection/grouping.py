"""Makes incidents of signals: those that are near in time and along the call graph are one."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from glasshouse_collector.core.incidents import Incident, Severity
from glasshouse_collector.insights.detection.neighbours import (
    Neighbours,
    belong_together,
    neighbours_of,
    roots_of,
)
from glasshouse_collector.insights.detection.signals import MINUTE, UPWARD, Signal, SignalKind
from glasshouse_collector.insights.windows import Window

CALM: Final = timedelta(minutes=5)
"""After so long without a signal an incident has ended."""
_UNKNOWN: Final = timedelta(minutes=30)
"""After so long without any telemetry of the project, too."""
_FLAPPING: Final = timedelta(minutes=10)
"""One that comes again so soon after its end goes on."""
_TOGETHER: Final = timedelta(minutes=3)
"""What begins so soon after an incident did, while that goes on, may come from the same."""
MOST_SIGNALS: Final = 20
MOST_SERVICES: Final = 50
_MOST: Final = 0.5
_ORDER: Final = list(Severity)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Grouping:
    """The incidents of a project, minute by minute.

    `known` are those that are open or ended lately; `callers` reads who called whom up to a minute, and
    is asked only where something is strange.
    """

    def __init__(
        self, project: str, known: Sequence[Incident], callers: Callable[[int], set[tuple[str, str]]]
    ) -> None:
        self._project = project
        self._incidents = {incident.id: incident for incident in known}
        self._known = dict(self._incidents)
        self._callers = callers
        self._calls: set[tuple[str, str]] | None = None

    @property
    def changed(self) -> list[Incident]:
        """Those that are new, have grown or have ended, the oldest first."""
        found = [each for each in self._incidents.values() if self._known.get(each.id) != each]
        return sorted(found, key=lambda each: (each.started_at, each.id))

    @property
    def strange_times(self) -> list[Window]:
        """When something was wrong: no times to compare others with."""
        return [window_of(each) for each in self._incidents.values()]

    def absorb(self, minute: int, signals: Sequence[Signal]) -> None:
        """Take what was strange in a minute (of the Unix epoch), and end what was not for long enough."""
        until = moment((minute + 1) * MINUTE)
        opening = [signal for signal in signals if signal.opens and not self._is_known(signal, minute)]
        if opening:
            if self._calls is None:
                self._calls = self._callers(minute)
            neighbours = neighbours_of(self._calls)
            for group in _grouped(opening, neighbours):
                self._take(group, signals, neighbours)
        self._end(until, CALM)

    def pass_over(self, minute: int) -> None:
        """Take a minute of which nothing is known: whether an incident has ended is not, either, for long."""
        self._end(moment((minute + 1) * MINUTE), _UNKNOWN)

    def _end(self, until: datetime, calm: timedelta) -> None:
        for incident in list(self._incidents.values()):
            if incident.status == "open" and until - incident.last_seen_at >= calm:
                self._incidents[incident.id] = replace(
                    incident, status="resolved", ended_at=incident.last_seen_at
                )

    def add(self, incident_id: str, signals: Sequence[Signal]) -> None:
        """Add signals to an incident that is there."""
        incident = self._incidents[incident_id]
        self._incidents[incident_id] = _grown(incident, signals, incident.last_seen_at, incident.severity)

    def _take(self, group: list[Signal], signals: Sequence[Signal], neighbours: Neighbours) -> None:
        """Let each root of a group go on with the incident that it is of; those of none begin one."""
        parts = self._parts(group)
        homes = {root: self._home(root, part) for root, part in parts.items()}
        left: dict[str, list[Signal]] = {}
        for root in sorted(parts, key=lambda each: (homes[each] is None, each)):
            home = homes[root] or self._near(root, parts[root], signals, neighbours)
            if home is None:
                left[root] = self._since_root(root, parts[root])
            else:
                self._grow(home, _with_more(parts[root], signals))
        if left:
            self._grow(None, _with_more([each for part in left.values() for each in part], signals))

    def _since_root(self, root: str, part: Sequence[Signal]) -> list[Signal]:
        """Return signals of something new: a caller that was in trouble before is in this since it began."""
        since = _since(root, part)
        return [
            replace(each, since=max(each.since, since)) if self._home(each.service, [each]) else each
            for each in part
        ]

    def _is_known(self, signal: Signal, minute: int) -> bool:
        """Tell whether it was strange in the minutes before alone, and is told: it explains nothing new."""
        return signal.until <= minute * MINUTE and self._home(signal.service, [signal]) is not None

    def _parts(self, group: Sequence[Signal]) -> dict[str, list[Signal]]:
        """Return signals by the service that they may come from, each once."""
        explained = roots_of({each.service for each in group if each.kind in UPWARD}, self._calls or ())
        roots = sorted(explained, key=lambda root: (self._is_said(root, group) is None, root))
        of = {service: root for root in reversed(roots) for service in explained[root]}
        parts: dict[str, list[Signal]] = {}
        for signal in group:
            parts.setdefault(of.get(signal.service, signal.service), []).append(signal)
        return parts

    def _is_said(self, root: str, signals: Sequence[Signal]) -> Incident | None:
        return self._home(root, [each for each in signals if each.service == root])

    def _home(self, root: str, signals: Sequence[Signal]) -> Incident | None:
        """Return the incident that said the same of a service already, and goes on or comes again."""
        names = {name for signal in signals if signal.service == root for name in signal.alike}
        since = moment(min(signal.since for signal in signals)) if signals else _EPOCH
        return _first(
            incident
            for incident in self._incidents.values()
            if (incident.ended_at is None or since - incident.ended_at <= _FLAPPING)
            and (names & set(_said(incident)) or (_is_full(incident) and root in incident.services))
        )

    def _near(
        self, root: str, part: Sequence[Signal], signals: Sequence[Signal], neighbours: Neighbours
    ) -> Incident | None:
        """Return the open incident that something new comes from the same as.

        They are neighbours, something is wrong there at the same time, and nothing else explains it: it
        began when the incident did, or with more requests than usual.
        """
        since = moment(_since(root, part))
        busier = any(each.service == root and each.kind is SignalKind.TRAFFIC for each in signals)
        services = {signal.service for signal in part}
        names = {name for signal in part for name in signal.alike}

        def shows(incident: Incident) -> bool:
            return root in incident.services or bool(names & set(_said(incident)))

        return _first(
            incident
            for incident in self._incidents.values()
            if incident.ended_at is None
            and (since < incident.last_seen_at or (since == incident.last_seen_at and shows(incident)))
            and (since - incident.started_at <= _TOGETHER or busier)
            and belong_together(services, incident.services, neighbours)
        )

    def _grow(self, joined: Incident | None, signals: list[Signal]) -> None:
        until = moment(max(signal.until for signal in signals))
        severity = _severity(signals, {called for _, called in self._calls or ()})
        if joined is None:
            joined = _begun(self._project, signals, until, severity)
        joined = self._incidents.get(joined.id, joined)
        if joined.ended_at is not None and until <= joined.ended_at:
            return  # looked at once more, after a restart
        self._incidents[joined.id] = _grown(joined, signals, until, severity)


def moment(unix_nano: int) -> datetime:
    """Return a time as a datetime, to the microsecond."""
    return _EPOCH + timedelta(microseconds=unix_nano // 1000)


def nanoseconds(when: datetime) -> int:
    """Return a datetime as nanoseconds since the Unix epoch."""
    return (when - _EPOCH) // timedelta(microseconds=1) * 1000


def window_of(incident: Incident) -> Window:
    """Return when something was wrong, as far as is known."""
    start = nanoseconds(incident.started_at)
    return Window(start, max(nanoseconds(incident.last_seen_at), start + 1))


def _first(incidents: Iterable[Incident]) -> Incident | None:
    """Return the one that began first."""
    return min(incidents, key=lambda incident: (incident.started_at, incident.id), default=None)


def _since(root: str, part: Sequence[Signal]) -> int:
    """Return since when something is strange at a root itself; nanoseconds."""
    return min(signal.since for signal in part if signal.service == root)


def _said(incident: Incident) -> dict[str, str]:
    """Return what is said of an incident, by what it is without its numbers."""
    return {sentence.rpartition(": ")[0]: sentence for sentence in incident.signals}


def _is_full(incident: Incident) -> bool:
    return len(incident.signals) >= MOST_SIGNALS


def _with_more(opening: list[Signal], signals: Sequence[Signal]) -> list[Signal]:
    """Return them with what says more about the same services."""
    services = {signal.service for signal in opening}
    return [*opening, *(each for each in signals if not each.opens and each.service in services)]


def _grouped(signals: Sequence[Signal], neighbours: Neighbours) -> list[list[Signal]]:
    groups: list[list[Signal]] = []
    for signal in sorted(signals, key=lambda each: (each.since, -each.surprise, each.service)):
        together, apart = [signal], []
        for group in groups:
            if belong_together([signal.service], {each.service for each in group}, neighbours):
                together = group + together
            else:
                apart.append(group)
        groups = [*apart, together]
    return groups


def _begun(project: str, signals: Sequence[Signal], until: datetime, severity: Severity) -> Incident:
    """Return a new incident; its id is the same whoever finds it."""
    first = min(signals, key=lambda each: (not each.opens, each.since, -each.surprise))
    since = min(signal.since for signal in signals)
    named = f"{project}|{first.service}|{since}"
    return Incident(
        id=hashlib.sha256(named.encode()).hexdigest()[:12],
        project=project,
        started_at=moment(since),
        ended_at=None,
        last_seen_at=until,
        status="open",
        severity=severity,
        title=first.what,
        services=(),
        signals=(),
        fingerprint=f"{first.service}|unknown|{first.operation}",
    )


def _grown(incident: Incident, signals: Sequence[Signal], until: datetime, severity: Severity) -> Incident:
    ordered = sorted(signals, key=lambda each: (not each.opens, each.since, -each.surprise))
    services = dict.fromkeys([*incident.services, *(signal.service for signal in ordered)])
    said = _said(incident)
    for signal in ordered:
        said.setdefault(signal.what, signal.sentence)
    return replace(
        incident,
        started_at=min(incident.started_at, *(moment(signal.since) for signal in ordered))
        if not incident.answer
        else incident.started_at,
        last_seen_at=max(incident.last_seen_at, until),
        status="open",
        ended_at=None,
        severity=min(incident.severity, severity, key=_ORDER.index),
        services=tuple(services)[:MOST_SERVICES],
        signals=tuple(said.values())[:MOST_SIGNALS],
    )


def _severity(signals: Sequence[Signal], called: set[str]) -> Severity:
    """Return how bad it is: the worst for what fails where requests come in from outside."""
    return min((_severity_of(signal, called) for signal in signals), key=_ORDER.index)


def _severity_of(signal: Signal, called: set[str]) -> Severity:
    outside = signal.at_entry and signal.service not in called
    mostly = signal.after >= _MOST
    match signal.kind:
        case SignalKind.ERRORS:
            return Severity.CRITICAL if outside and mostly else Severity.HIGH
        case SignalKind.SILENT:
            return Severity.HIGH
        case SignalKind.SLOW:
            return Severity.HIGH if outside and mostly else Severity.MEDIUM
        case SignalKind.EXCEPTION | SignalKind.MISSING_CALLS:
            return Severity.MEDIUM
        case SignalKind.LOG_PATTERN if signal.severe:
            return Severity.MEDIUM
        case _:
            return Severity.LOW
