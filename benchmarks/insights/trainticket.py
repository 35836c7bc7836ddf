"""The Train Ticket cases: each replayed into a project of its own, and asked what broke."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from insights.asking import Answer, ask, log_record, project, replay
from insights.cases import Case
from insights.comparison import by_kind, comparison
from insights.grounding import Grounding, grounding
from insights.recording import Recording
from insights.scoring import Accuracy, Placing
from insights.simple import placings
from programs import Glasshouse
from report import Report

SUBJECT = "insights_trainticket"


@dataclass(slots=True)
class Found:
    """What came of the cases: ours, the simple ways' placings, and what does not hold of right answers."""

    answers: list[Answer] = field(default_factory=list)
    simple: dict[str, list[Placing]] = field(default_factory=lambda: defaultdict(list))
    groundings: dict[str, Grounding] = field(default_factory=dict)


def run(cases: Sequence[Case], told: Callable[[Answer], None]) -> Found:
    """Replay and ask, a case after the other, all in one collector; `told` hears of each answer."""
    found = Found()
    with Glasshouse(token=secrets.token_urlsafe(24)) as collector:
        for case in cases:
            key = project(collector, case.name)
            replay(collector, case.files, key)
            answer = ask(collector, case, key)
            found.answers.append(answer)
            told(answer)
            recording = Recording.read(case.files)
            for name, placed in placings(case, recording).items():
                found.simple[name].append(placed)
            if answer.service_right:
                log_of = partial(log_record, collector, key=key)
                found.groundings[case.name] = grounding(answer, recording, log_of)
    return found


def fill(cases: Sequence[Case], data: Path) -> None:
    """Replay the cases into the store of a collector's data folder, each into a project of its name."""
    with Glasshouse(data=data, token=secrets.token_urlsafe(24)) as collector:
        for case in cases:
            replay(collector, case.files, project(collector, case.name))


def report(found: Found) -> Report:
    """Return the figures that have targets."""
    figures = Report(SUBJECT, f"Train Ticket, {len(found.answers)} cases: root causes")
    accuracy = Accuracy.of(answer.placing for answer in found.answers)
    seconds = [answer.seconds for answer in found.answers]
    for key, label, share in (
        ("top1", "service, top-1", accuracy.top1),
        ("top3", "service, top-3", accuracy.top3),
        ("top5", "service, top-5", accuracy.top5),
        ("avg5", "service, Avg@5", accuracy.avg5),
        ("kind", "service and kind of fault, top-1", _share(found.answers, lambda it: it.kind_right)),
    ):
        figures.add(key, label, "%", 100 * share)
    if found.groundings:
        held = sum(each.grounded for each in found.groundings.values()) / len(found.groundings)
        figures.add("grounded", "right answers whose evidence and path hold", "%", 100 * held)
        numbers = sum(each.numbers for each in found.groundings.values())
        figures.notes.append(
            f"the numbers of {numbers} pieces of evidence were computed again from the recordings"
        )
    figures.add("seconds", "seconds a case, median", "s", median(seconds))
    figures.add("slowest", "seconds a case, the slowest", "s", max(seconds))
    return figures


def tables(found: Found) -> str:
    """Return the tables beside: other ways to rank, and each kind of fault."""
    kinds: dict[str, list[tuple[Placing, bool]]] = defaultdict(list)
    for answer in found.answers:
        kinds[answer.case.kind].append((answer.placing, answer.kind_right))
    return comparison([it.placing for it in found.answers], found.simple) + "\n" + by_kind(kinds)


def as_json(found: Found) -> list[dict[str, Any]]:
    """Return each case with its whole ranking and what does not hold of it."""
    return [
        {
            **answer.as_json(),
            "not_grounded": list(found.groundings[answer.case.name].problems)
            if answer.case.name in found.groundings
            else None,
        }
        for answer in found.answers
    ]


def _share(answers: Sequence[Answer], right: Callable[[Answer], bool]) -> float:
    return sum(map(right, answers)) / len(answers)
