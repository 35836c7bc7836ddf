"""How good rankings are: top-k, Avg@5, and whether confidence is what it says.

A placing with ties counts for what it is worth on average, when ties are broken by lot. A random ranking
is then all tied, and its expected figures come from the same formula.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Final

AVERAGED: Final = (1, 2, 3, 4, 5)
BUCKETS: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Where the buckets of confidence begin; the last ends with 1, which is in it."""


@dataclass(frozen=True, slots=True)
class Placing:
    """Where the right answer stands: behind `better` others, level with `tied - 1` more.

    `tied` of 0: it is not in the ranking.
    """

    better: int
    tied: int

    def within(self, depth: int) -> float:
        """Return the chance that it is among the first `depth`."""
        return min(1.0, max(0.0, (depth - self.better) / self.tied)) if self.tied else 0.0


ABSENT: Final = Placing(0, 0)


def placing(ranking: Sequence[str], right: str) -> Placing:
    """Return where `right` first stands; a name that comes again does not count again."""
    distinct = list(dict.fromkeys(ranking))
    return Placing(distinct.index(right), 1) if right in distinct else ABSENT


def placing_by(scores: Mapping[str, float], right: str) -> Placing:
    """Return where `right` stands by scores, higher first; without a score of its own it is absent."""
    if right not in scores:
        return ABSENT
    better = sum(score > scores[right] for score in scores.values())
    return Placing(better, sum(score == scores[right] for score in scores.values()))


def at_random(candidates: int) -> Placing:
    """Return where the right one of so many stands when they are shuffled."""
    return Placing(0, candidates)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of the cases, 0 to 1: right answer first, among the first 3, 5; Avg@5 is top-1…5's mean."""

    top1: float
    top3: float
    top5: float
    avg5: float
    cases: int

    @classmethod
    def of(cls, placings: Iterable[Placing]) -> "Accuracy":
        """Return it of all cases' placings; raises ValueError where there are none."""
        placed = list(placings)
        if not placed:
            raise ValueError("no case was scored")
        within = {depth: mean(each.within(depth) for each in placed) for depth in AVERAGED}
        return cls(within[1], within[3], within[5], mean(within.values()), len(placed))


@dataclass(frozen=True, slots=True)
class Bucket:
    """Answers said with a confidence from `least` on, below the next bucket's: how many were right."""

    least: float
    answers: int
    confidence: float
    right: float


def calibration(said: Iterable[tuple[float, bool]]) -> list[Bucket]:
    """Return the buckets that have answers, each with its mean confidence and the share that was right."""
    answers = list(said)
    buckets = []
    for least, end in zip(BUCKETS, (*BUCKETS[1:], 2.0), strict=True):
        inside = [(confidence, right) for confidence, right in answers if least <= confidence < end]
        if inside:
            buckets.append(
                Bucket(least, len(inside), mean(c for c, _ in inside), mean(float(r) for _, r in inside))
            )
    return buckets


def calibration_error(buckets: Sequence[Bucket]) -> float:
    """Return how far confidence and share of right answers are apart, a bucket counting by its answers.

    The expected calibration error of Naeini et al., AAAI 2015.
    """
    answers = sum(bucket.answers for bucket in buckets)
    return sum(bucket.answers * abs(bucket.confidence - bucket.right) for bucket in buckets) / max(1, answers)
