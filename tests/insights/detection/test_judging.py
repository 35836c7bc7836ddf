"""The statistics of a minute: what chance does raises nothing, and what happens is found."""

import numpy as np
import numpy.typing as npt
import pytest

from glasshouse_collector.insights.detection.judging import Change, Counted, judge, needed

SERIES = 200
MINUTES = 8 * 60
FIRST = 29_000_000
UP, DOWN = Change(up=True, factor=3.0), Change(up=False, factor=2.0)
ALL = np.ones(MINUTES, np.bool_)

Numbers = npt.NDArray[np.float64]


def alarms(
    events: npt.NDArray[np.int64], exposure: npt.NDArray[np.int64], *, shares: bool, first: int = 90
) -> int:
    """Return how many series are told to be strange, in minutes over some hours from the `first` on."""
    minutes = np.arange(FIRST, FIRST + MINUTES)
    counted = Counted(minutes, events.astype(np.float64), exposure.astype(np.float64), shares)
    return sum(
        0 if (strange := judge(counted, int(minute), ALL, change, needed(6 * SERIES))) is None
        else len(strange.rows)
        for minute in minutes[first::7]
        for change in (UP, DOWN)
    )  # fmt: skip


def chance() -> np.random.Generator:
    """Return the same chance each time."""
    return np.random.default_rng(7)


def test_shares_of_calls_by_chance_alone_raise_nothing() -> None:
    """Of little and of much traffic, with few errors and with many."""
    dice = chance()
    calls = dice.poisson(dice.lognormal(1.5, 2, (SERIES, 1)), (SERIES, MINUTES))
    assert alarms(dice.binomial(calls, dice.beta(0.5, 20, (SERIES, 1))), calls, shares=True) == 0


@pytest.mark.parametrize("scatter", [0.0, 0.5])
def test_rates_that_swing_over_the_day_raise_nothing(scatter: float) -> None:
    """Also where they scatter more than chance does."""
    dice = chance()
    swing = 1 + 0.8 * np.sin(np.arange(MINUTES) / 1440 * 2 * np.pi)
    rates = dice.lognormal(2, 1.5, (SERIES, 1)) * swing * dice.lognormal(0, scatter, (SERIES, MINUTES))
    calls = dice.poisson(rates)
    assert alarms(calls, np.ones_like(calls), shares=False) == 0


def test_errors_in_bursts_now_and_then_raise_next_to_nothing() -> None:
    """What a series did again and again for six hours is no surprise, though it comes by no clock."""
    dice = chance()
    calls = dice.poisson(60, (SERIES, MINUTES))
    burst = np.where(dice.random((SERIES, MINUTES)) < 0.03, 0.3, 0.01)
    judged = SERIES * len(range(370, MINUTES, 7))
    assert alarms(dice.binomial(calls, burst), calls, shares=True, first=370) <= judged / 1000


@pytest.mark.parametrize(
    ("calls", "before", "after", "within"),
    [(6, 0.0, 0.9, 2), (20, 0.01, 0.5, 3), (200, 0.01, 0.1, 2), (60, 0.1, 0.4, 3)],
)
def test_what_begins_to_fail_is_found(calls: int, before: float, after: float, within: int) -> None:
    """Nine series in ten within so many minutes, and since when, within a minute."""
    dice, begins = chance(), 200
    often = dice.poisson(calls, (SERIES, MINUTES))
    share = np.where(np.arange(MINUTES) < begins, before, after)
    counted = Counted(
        np.arange(FIRST, FIRST + MINUTES),
        dice.binomial(often, np.broadcast_to(share, often.shape)).astype(np.float64),
        often.astype(np.float64),
        shares=True,
    )
    strange = judge(counted, FIRST + begins + within - 1, ALL, UP, needed(6 * SERIES))
    assert strange is not None
    assert len(strange.rows) >= 0.9 * SERIES
    assert (np.abs(strange.since - FIRST - begins) <= 1).mean() > 0.95
    assert abs(float(np.median(strange.after)) - after) < 0.1
    assert judge(counted, FIRST + begins + within - 1, ALL, DOWN, needed(6 * SERIES)) is None


def test_more_series_need_more() -> None:
    """All share one allowance of false alarms."""
    assert needed(1) == pytest.approx(np.log(100_800))
    assert needed(1000) - needed(1) == pytest.approx(np.log(1000))


@pytest.mark.parametrize(
    ("failing", "normal_minutes", "strange"),
    [(8.0, 10, True), (8.0, 9, False), (90.0, 9, True), (90.0, 5, True), (90.0, 4, False)],
)
def test_few_normal_minutes_are_little_basis(failing: float, normal_minutes: int, strange: bool) -> None:
    """By less than ten only what is overwhelming is told, by less than five nothing."""
    minutes = np.arange(FIRST, FIRST + MINUTES)
    calls = np.full((1, MINUTES), 100.0)
    failed = np.where(minutes < FIRST + 200, 0.0, failing)[None]
    counted = Counted(minutes, failed, calls, shares=True)
    now = FIRST + 202
    normal = (minutes >= now - 4 - normal_minutes) & (minutes < now - 4)
    assert (judge(counted, now, normal, UP, needed(1)) is not None) == strange


@pytest.mark.parametrize(("few", "many", "alarms_in"), [(1.0, 20.0, 0), (3.0, 30.0, 0), (0.3, 10.0, 1000)])
def test_few_minutes_raise_next_to_nothing_by_chance(few: float, many: float, alarms_in: int) -> None:
    """Also where the share that fails is another one each minute; of wild bursts, one in so many at most."""
    dice = chance()
    calls = dice.poisson(np.broadcast_to(60, (SERIES, MINUTES)))
    failed = dice.binomial(calls, dice.beta(few, many, (SERIES, MINUTES)))
    minutes = np.arange(FIRST, FIRST + MINUTES)
    counted = Counted(minutes, failed.astype(np.float64), calls.astype(np.float64), shares=True)
    found, judged = 0, 0
    for now in range(FIRST + 20, FIRST + MINUTES, 7):
        normal = (minutes >= now - 9) & (minutes < now - 4)
        strange = judge(counted, now, normal, UP, needed(6 * SERIES))
        found, judged = found + (0 if strange is None else len(strange.rows)), judged + SERIES
    assert found <= (judged / alarms_in if alarms_in else 0)


def test_few_minutes_tell_nothing_of_how_many_come() -> None:
    """However many: that scatters more than a few minutes show."""
    minutes = np.arange(FIRST, FIRST + 30)
    counts = np.where(minutes < FIRST + 12, 5.0, 500.0)[None]
    counted = Counted(minutes, counts, np.ones_like(counts), shares=False)
    normal = (minutes >= FIRST) & (minutes < FIRST + 9)
    assert judge(counted, FIRST + 13, normal, UP, needed(1)) is None


@pytest.mark.parametrize(("calls", "found"), [(40, 0.9), (100, 1.0)])
def test_what_is_overwhelming_is_found_in_its_first_minute(calls: int, found: float) -> None:
    """Also where it began in the middle of it: half of the calls fail for 40 seconds."""
    dice, begins = chance(), 200
    often = dice.poisson(calls, (SERIES, MINUTES))
    share = np.where(np.arange(MINUTES) == begins, 0.5 * 2 / 3, 0.0)
    failed = dice.binomial(often, np.broadcast_to(share, often.shape)).astype(np.float64)
    counted = Counted(np.arange(FIRST, FIRST + MINUTES), failed, often.astype(np.float64), shares=True)
    strange = judge(counted, FIRST + begins, ALL, UP, needed(120))
    assert strange is not None
    assert len(strange.rows) >= found * SERIES


def test_what_comes_rarely_has_not_gone_when_it_is_away() -> None:
    """Only what was steady can fall silent."""
    dice = chance()
    minutes = np.arange(FIRST, FIRST + MINUTES)
    bursts = np.where(np.arange(MINUTES) % 4 == 0, 400.0, 0.0)
    steady = dice.poisson(100, MINUTES).astype(np.float64)
    both = np.stack([bursts, steady])
    both[:, 201:] = 0
    counted = Counted(minutes, both, np.ones_like(both), shares=False)
    strange = judge(counted, FIRST + 203, ALL, DOWN, needed(2))
    assert strange is not None
    assert list(strange.rows) == [1]


def test_what_came_at_this_time_of_two_earlier_days_is_usual() -> None:
    """One day alone may have been as bad as this one."""
    days = [FIRST - day * 1440 + each for day in (7, 2, 1) for each in range(-15, 16)]
    minutes = np.array(days + list(range(FIRST - 120, FIRST + 3)))
    calls = np.full((2, len(minutes)), 100.0)
    failed = np.where(minutes >= FIRST, 50.0, 1.0) * np.ones((2, 1))
    failed[1, (minutes == FIRST - 1440) | (minutes == FIRST - 2 * 1440 + 3)] = 60.0
    failed[0, minutes == FIRST - 1440] = 60.0
    counted = Counted(minutes, failed, calls, shares=True)
    strange = judge(counted, FIRST + 2, np.ones(len(minutes), np.bool_), UP, needed(2))
    assert strange is not None
    assert list(strange.rows) == [0]
