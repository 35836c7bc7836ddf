"""The arithmetic of accuracy: ranks, ties, chance, Avg@5, calibration."""

from itertools import permutations

import pytest

from insights.scoring import (
    ABSENT,
    Accuracy,
    Placing,
    at_random,
    calibration,
    calibration_error,
    placing,
    placing_by,
)


def test_a_name_that_comes_again_takes_no_place() -> None:
    """Two causes at one service are one answer to the question which service."""
    assert placing(["cart", "cart", "bank", "cart", "shop"], "shop") == Placing(2, 1)
    assert placing(["cart"], "shop") == ABSENT
    assert placing([], "shop") == ABSENT


def test_a_placing_is_within_a_depth_or_not() -> None:
    """The third is among the first three, not among the first two; who is absent is never."""
    third = Placing(2, 1)
    assert [third.within(depth) for depth in (1, 2, 3, 4)] == [0, 0, 1, 1]
    assert ABSENT.within(5) == 0


def test_ties_are_worth_what_a_lot_would_give() -> None:
    """One is better and three are level: the second place is theirs by a third, the fourth surely."""
    tied = placing_by({"a": 9.0, "b": 4.0, "c": 4.0, "right": 4.0, "d": 1.0}, "right")
    assert tied == Placing(1, 3)
    assert [tied.within(depth) for depth in (1, 2, 3, 4, 5)] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert placing_by({"a": 1.0}, "right") == ABSENT


@pytest.mark.parametrize(("candidates", "top1", "top3", "avg5"), [(10, 0.1, 0.3, 0.3), (2, 0.5, 1.0, 0.9)])
def test_chance_is_its_expected_value(candidates: int, top1: float, top3: float, avg5: float) -> None:
    """Of N shuffled services the right one is among the first k in min(1, k/N) of the cases."""
    accuracy = Accuracy.of([at_random(candidates)])
    assert accuracy.top1 == pytest.approx(top1)
    assert accuracy.top3 == pytest.approx(top3)
    assert accuracy.avg5 == pytest.approx(avg5)


def test_chance_is_what_shuffling_gives() -> None:
    """All permutations of four, counted."""
    every = [placing(order, "c") for order in permutations("abcd")]
    for depth in (1, 2, 3, 4):
        share = sum(each.within(depth) for each in every) / len(every)
        assert share == pytest.approx(at_random(4).within(depth))


def test_accuracy_of_cases() -> None:
    """A first, a second, a fifth place and one that is missing."""
    accuracy = Accuracy.of([Placing(0, 1), Placing(1, 1), Placing(4, 1), ABSENT])
    assert (accuracy.top1, accuracy.top3, accuracy.top5) == (0.25, 0.5, 0.75)
    # top-1 to top-5: 1/4, 2/4, 2/4, 2/4, 3/4
    assert accuracy.avg5 == pytest.approx((0.25 + 0.5 + 0.5 + 0.5 + 0.75) / 5)
    assert accuracy.cases == 4
    with pytest.raises(ValueError, match="no case"):
        Accuracy.of([])


def test_calibration_compares_what_was_said_with_what_was_right() -> None:
    """Each answer is in one bucket; 1.0 is in the last; empty buckets are left out."""
    said = [(1.0, True), (0.9, False), (0.85, True), (0.8, True), (0.2, False)]
    buckets = calibration(said)
    assert [(it.least, it.answers, it.right) for it in buckets] == [(0.0, 1, 0), (0.8, 2, 1.0), (0.9, 2, 0.5)]
    assert [it.confidence for it in buckets] == pytest.approx([0.2, 0.825, 0.95])
    # one answer off by 0.2, two by 0.825 - 1, two by 0.95 - 0.5; of five
    assert calibration_error(buckets) == pytest.approx((0.2 + 0.35 + 0.9) / 5)
