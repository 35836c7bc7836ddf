"""Whether confidence is what it says: of all that is said with 0.8, 8 in 10 should be right.

It is held against the cases in whole and with less and less of their traces, as nothing can be learned of
doubt where all is right. What confidence goes by is chosen by the other kinds of fault for each kind, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import log
from statistics import mean
from typing import Any, Final

import numpy as np

from glasshouse_collector.insights.constants import DEFAULT, Constants
from glasshouse_collector.insights.ranking import how_sure
from insights.asking import Answer
from insights.comparison import calibration_table
from insights.scoring import calibration
from insights.tuning import changed

_DOUBT: Final = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
_SHARPNESS: Final = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
_NEVER_SURE: Final = 1e-3
"""What is said with more than one less this, or less than this, costs no more than that."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer's scores, what the number of traces leaves of its confidence, and whether it was right."""

    kind: str
    one_in: int
    scores: Sequence[float]
    left: float
    right: bool

    @classmethod
    def of(cls, answer: Answer) -> "Judged":
        """Return it of an answer that named something."""
        scores = [cause["score"] for cause in answer.causes]
        left = answer.first["confidence"] / float(how_sure(np.array(scores), DEFAULT)[0])
        return cls(answer.case.kind, answer.case.one_in, scores, min(1.0, left), answer.service_right)

    def confidence(self, constants: Constants) -> float:
        """Return what would be said with these constants."""
        return float(how_sure(np.array(self.scores), constants)[0]) * self.left


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A kind of fault, what the other kinds chose, and what is said of its cases: how sure, how right."""

    kind: str
    constants: Constants
    said: Sequence[tuple[float, bool]]


def grid() -> list[Constants]:
    """Return what is tried."""
    return [replace(DEFAULT, doubt=doubt, sharpness=sharp) for doubt, sharp in product(_DOUBT, _SHARPNESS)]


def loss(judged: Sequence[Judged], constants: Constants) -> float:
    """Return how far off confidence is: the mean surprise at what was right, in nats."""
    return mean(-log(_chance(each, constants)) for each in judged)


def _chance(each: Judged, constants: Constants) -> float:
    confidence = min(max(each.confidence(constants), _NEVER_SURE), 1 - _NEVER_SURE)
    return confidence if each.right else 1 - confidence


def left_out(judged: Sequence[Judged]) -> list[LeftOut]:
    """Return each kind with what the others chose."""
    return [_left_out(kind, judged) for kind in sorted({each.kind for each in judged})]


def _left_out(kind: str, judged: Sequence[Judged]) -> LeftOut:
    others = [each for each in judged if each.kind != kind]
    chosen = min(grid(), key=lambda constants: loss(others, constants))
    return LeftOut(
        kind, chosen, [(each.confidence(chosen), each.right) for each in judged if each.kind == kind]
    )


def tables(answers: Sequence[Answer]) -> str:
    """Return how much is right with how much to go by, and how that fits what is said."""
    judged = [Judged.of(answer) for answer in answers if answer.first]
    buckets = calibration((each.confidence(DEFAULT), each.right) for each in judged)
    out = left_out(judged)
    buckets_left_out = calibration(said for each in out for said in each.said)
    chosen = "; ".join(f"{each.kind}: {changed(each.constants)}" for each in out)
    return "\n".join((
        _by_part(answers),
        "All of them:\n",
        calibration_table(buckets),
        "Each kind with what the other kinds chose:\n",
        calibration_table(buckets_left_out),
        f"They chose: {chosen}",
    ))  # fmt: skip


def _by_part(answers: Sequence[Answer]) -> str:
    lines = [
        "| of the traces are left | answers | nothing named | service right | mean confidence of the rest |"
    ]
    lines.append("|---|---|---|---|---|")
    for one_in in sorted({answer.case.one_in for answer in answers}):
        here = [answer for answer in answers if answer.case.one_in == one_in]
        said = [answer.first["confidence"] for answer in here if answer.first]
        right = sum(answer.service_right for answer in here) / len(here)
        nothing = len(here) - len(said)
        lines.append(
            f"| one in {one_in} | {len(here)} | {nothing} | {100 * right:.1f} % | {mean(said):.2f} |"
        )
    return "\n".join(lines) + "\n"


def as_json(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return each answer's scores and verdict for a program."""
    return [
        {
            "case": answer.case.name,
            "one_in": answer.case.one_in,
            "right": answer.service_right,
            "confidence": answer.first.get("confidence"),
            "scores": [cause["score"] for cause in answer.causes],
        }
        for answer in answers
    ]
