"""Simple ways to rank services, on the same windows, and what others have published."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Final

from glasshouse_collector.insights.windows import Window
from insights.cases import Case
from insights.recording import Recording
from insights.scoring import Placing, at_random, placing_by

_ERROR: Final = 17
"""The least severity number of an error, by OpenTelemetry."""
_SIGMAS: Final = 3.0

Scores = Mapping[str, float]


def error_logs(case: Case, recording: Recording) -> Scores:
    """Return how many error records each service wrote in the incident."""
    written = Counter(log.service for log in recording.logs_in(case.incident) if log.severity >= _ERROR)
    return {service: float(written[service]) for service in recording.services(case.incident)}


def more_error_logs(case: Case, recording: Recording) -> Scores:
    """Return by how much a service's share of error records among all of its own rose."""
    before, during = _error_share(recording, case.baselines), _error_share(recording, (case.incident,))
    return {
        service: during.get(service, 0.0) - before.get(service, 0.0)
        for service in recording.services(case.incident)
    }


def three_sigma(case: Case, recording: Recording) -> Scores:
    """Return which share of a service's spans took longer than mean and three deviations of its normal ones.

    Mean and deviation are those of the spans of one service and name; a name that is new counts for nothing.
    """
    normal: dict[tuple[str, str], list[int]] = defaultdict(list)
    for window in case.baselines:
        for span in recording.spans(window):
            normal[span.service, span.name].append(span.end - span.start)
    most = {key: fmean(taken) + _SIGMAS * pstdev(taken) for key, taken in normal.items()}
    slow, spans = Counter[str](), Counter[str]()
    for span in recording.spans(case.incident):
        spans[span.service] += 1
        slow[span.service] += span.end - span.start > most.get((span.service, span.name), float("inf"))
    return {service: slow[service] / max(1, spans[service]) for service in recording.services(case.incident)}


SIMPLE: Final[Mapping[str, Callable[[Case, Recording], Scores]]] = {
    "most error records": error_logs,
    "greatest rise of the share of error records": more_error_logs,
    "3 sigma on latency": three_sigma,
}


def placings(case: Case, recording: Recording) -> dict[str, Placing]:
    """Return where each simple way places the right service, and chance."""
    found = {name: placing_by(scores(case, recording), case.service) for name, scores in SIMPLE.items()}
    return {**found, "random": at_random(len(recording.services(case.incident)))}


@dataclass(frozen=True, slots=True)
class Published:
    """What a paper says, in percent; None: it does not say."""

    name: str
    top1: float
    top3: float | None = None


PUBLISHED: Final = (
    Published("Nezha", 86.7, 97.8),
    Published("MicroRCA", 20.0),
    Published("MicroRank", 16.0),
    Published("TraceAnomaly", 13.0),
    Published("PDiagnose", 9.0),
)
"""The faulty service of all 45 cases of the data set, of which 28 are public here (Nezha, ESEC/FSE 2023)."""


def _error_share(recording: Recording, windows: tuple[Window, ...]) -> dict[str, float]:
    errors, written = Counter[str](), Counter[str]()
    for window in windows:
        for log in recording.logs_in(window):
            written[log.service] += 1
            errors[log.service] += log.severity >= _ERROR
    return {service: errors[service] / written[service] for service in written}
