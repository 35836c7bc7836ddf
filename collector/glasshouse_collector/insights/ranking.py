"""Clues added up: which service, which operation of it, which kind of fault."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from glasshouse_collector.insights.chance import Floats
from glasshouse_collector.insights.constants import DEFAULT, Constants
from glasshouse_collector.insights.evidence.clue import Clue
from glasshouse_collector.insights.evidence.releases import new_version
from glasshouse_collector.insights.findings import MOST_ROOT_CAUSES, EvidenceKind, FaultKind, RootCause
from glasshouse_collector.insights.paths import path_of
from glasshouse_collector.insights.spans import Spans

_MOST_EVIDENCE: Final = 8
_WAITS: Final = (FaultKind.SLOW_CODE, FaultKind.NETWORK_DELAY)
_EFFECTS: Final = {
    FaultKind.POOL_EXHAUSTED: (*_WAITS, FaultKind.DEPENDENCY_SLOW, FaultKind.DEPENDENCY_ERROR),
    FaultKind.CPU_CONTENTION: _WAITS,
    FaultKind.OVERLOAD: (*_WAITS, FaultKind.CPU_CONTENTION, FaultKind.POOL_EXHAUSTED),
}
"""What is seen of a service for another reason that is seen too."""
_WORDS: Final = {
    FaultKind.EXCEPTION: "fails by itself",
    FaultKind.EARLY_RETURN: "returns without doing all its work",
    FaultKind.REPEATED_CALLS: "calls others more often than it did",
    FaultKind.CPU_CONTENTION: "is short of processor",
    FaultKind.SLOW_CODE: "takes longer by itself",
    FaultKind.NETWORK_DELAY: "is reached late: time is lost on the way to it or from it",
    FaultKind.DEPENDENCY_ERROR: "gets errors from what it depends on",
    FaultKind.DEPENDENCY_SLOW: "waits longer for what it depends on",
    FaultKind.POOL_EXHAUSTED: "waits for places in a pool that are not given back",
    FaultKind.BAD_RELEASE: "is wrong since a new release",
    FaultKind.MEMORY_LEAK: "uses ever more memory",
    FaultKind.SILENT: "fell silent",
    FaultKind.OVERLOAD: "is asked for more than it can do",
    FaultKind.UNKNOWN: "is different",
}


def rank(
    spans: Spans,
    clues: Sequence[Clue],
    priors: Mapping[tuple[str, FaultKind], float],
    constants: Constants = DEFAULT,
) -> list[RootCause]:
    """Return the services that clues point at, the likeliest cause first."""
    by_service: dict[str, list[Clue]] = defaultdict(list)
    for clue in clues:
        by_service[clue.service].append(clue)
    suspects = [_Suspect(spans, found, priors, constants) for found in by_service.values()]
    suspects.sort(key=lambda suspect: (-suspect.score, suspect.service))
    sure = how_sure(np.array([suspect.score for suspect in suspects]), constants)
    return [
        suspect.cause(spans, float(confidence) * suspect.repeated(spans))
        for suspect, confidence in zip(suspects[:MOST_ROOT_CAUSES], sure, strict=False)
        if suspect.score > 0
    ]


def how_sure(scores: Floats, constants: Constants) -> Floats:
    """Return of each score how likely it is the cause's, by its lead over the others and over doubt."""
    leads = scores**constants.sharpness
    sure: Floats = constants.most_sure * leads / (leads.sum() + constants.doubt**constants.sharpness)
    return sure


def _growth(clue: Clue) -> float:
    return (clue.evidence.after or 0.0) - (clue.evidence.before or 0.0)


class _Suspect:
    """A service, and what points at it."""

    def __init__(
        self,
        spans: Spans,
        clues: list[Clue],
        priors: Mapping[tuple[str, FaultKind], float],
        constants: Constants,
    ) -> None:
        self.service = clues[0].service
        self._constants = constants
        self.clues = sorted(clues, key=lambda clue: -clue.strength)
        strongest: dict[str, Clue] = {}
        for clue in self.clues:
            strongest.setdefault(clue.group, clue)
        self._strongest = list(strongest.values())
        self.kind = self._kind(spans)
        score = sum(clue.strength * getattr(constants, clue.sort) for clue in self._strongest)
        self.score = float(score) * priors.get((self.service, self.kind), 1.0)

    def _kind(self, spans: Spans) -> FaultKind:
        votes: dict[FaultKind, float] = defaultdict(float)
        for clue in self._strongest:
            votes[clue.kind] += clue.strength
        for cause, effects in _EFFECTS.items():
            if cause in votes:
                votes[cause] += sum(votes.pop(kind, 0.0) for kind in effects)
        kind = max(votes, key=lambda each: votes[each])
        released = {FaultKind.EXCEPTION, FaultKind.SLOW_CODE, FaultKind.EARLY_RETURN}
        if kind in released and new_version(spans, self._telling(kind).rows, self._constants):
            return FaultKind.BAD_RELEASE
        return kind

    def _telling(self, kind: FaultKind) -> Clue:
        """Return the clue that shows the kind best: of times the one that grew most, else the strongest."""
        shown = [clue for clue in self.clues if len(clue.rows)] or self.clues
        of_kind = [clue for clue in shown if clue.kind in {kind, *_EFFECTS.get(kind, ())}] or shown
        plain = [clue for clue in of_kind if clue.sort != "metric"] or of_kind
        matter = [clue for clue in plain if clue.strength >= self._constants.matters * plain[0].strength]
        if all(clue.evidence.kind is EvidenceKind.OWN_TIME for clue in matter):
            return max(matter, key=_growth)
        return plain[0]

    def repeated(self, spans: Spans) -> float:
        """Return how sure one may be for the number of traces that show it."""
        rows = self._telling(self.kind).rows
        return 1.0 - float(self._constants.single ** spans.traces(rows)) if len(rows) else 1.0

    def cause(self, spans: Spans, confidence: float) -> RootCause:
        """Return it as a root cause."""
        telling = self._telling(self.kind)
        once = {id(clue) for clue in self._strongest}  # the same against another baseline is told once
        told = [clue for clue in self.clues if clue.sort == "behaviour" or id(clue) in once]
        evidence = tuple(clue.evidence for clue in told[:_MOST_EVIDENCE])
        version = (
            new_version(spans, telling.rows, self._constants) if self.kind is FaultKind.BAD_RELEASE else ""
        )
        what = f"{self.service} {_WORDS[self.kind]}" + (f" {version}" if version else "")
        return RootCause(
            service=self.service,
            operation=telling.operation
            or next((clue.operation for clue in self.clues if clue.operation), ""),
            kind=self.kind,
            score=round(self.score, 3),
            confidence=round(confidence, 3),
            reason=f"{what}. {evidence[0].text}.",
            evidence=evidence,
            path=path_of(spans, telling.rows) if len(telling.rows) else (),
            resource=next((clue.resource for clue in self.clues if clue.resource), ""),
            dependency=telling.dependency,
            start=min(each.start for each in evidence),
        )
