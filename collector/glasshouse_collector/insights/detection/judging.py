"""Tells a minute that is not like the others: how surprising its counts are beside those of normal minutes.

Everything is a count k of something over an exposure n: of n calls k failed, or took longer than is usual;
in n minutes, or beside n calls of others, k calls came. Was the rate of a minute (k1 of n1) the one of
normal minutes (k0 of n0), the log-likelihood ratio

    D = k1 ln(p1 / p) + k0 ln(p0 / p)    [shares: + (n1 - k1) ln((1 - p1) / (1 - p)) + ...]

with p = k/n, together and each, would exceed d with a probability of about exp(-d) (Wilks; Chernoff bounds
it so where p is known). Three calls prove little by themselves: D of few is small, whatever their rate.

Real counts scatter more than by chance. So D is divided by how much normal minutes' own D is above what
chance makes of it (quasi-likelihood, McCullagh and Nelder 1989), by their mean without its extreme. That
measure is itself uncertain, the more so where neighbouring minutes are alike, so that few tell of their own:
the tail is then Student's, not the normal one. And what comes now and then, such as a job every hour,
surprises nobody: a minute must be clearly stranger than all but two of the normal ones of six hours, than
those of the same time in an earlier hour, and than all but one of the earlier days.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

ALARMS_A_MINUTE: Final = 0.1 / (7 * 24 * 60)
"""How many false alarms all series of a project together may raise a minute: one in ten weeks."""
JUDGED: Final = 3
"""Minutes that are looked at together: two of them are strange, or one is overwhelmingly."""
_OVERWHELMING: Final = 2.0
"""Times what is asked for: one minute by itself is told at once, by chance once in e to the 30th or so."""
_OVERWHELMING_EARLY: Final = 3.0
"""While little is known of how normal minutes scatter."""
_GAP: Final = 2
"""Minutes before those, which may be the beginning already."""
_NORMAL: Final = 60
"""Normal minutes that a minute is compared with, the latest ones."""
LEAST_NORMAL: Final = 10
LEAST_KNOWN: Final = 5
"""Normal minutes from which on overwhelming shares of calls are told; how many calls come scatters more."""
_EXTREMES: Final = 1
_TRIMMED: Final = 1.15
"""2 D is chi-squared by chance, with a mean of 1; without the largest of sixty it is lower by that."""
_CLEARLY: Final = 2.0
"""Times that a minute is stranger than any before it: what comes again and again is not always as large."""
_MOST_ALIKE: Final = 0.95
_KNOWN: Final = 1e-3
"""Where nothing is beyond chance, degrees of freedom are as good as endless."""
_BEGUN: Final = 3.0
"""A minute before that is as strange as one in twenty belongs to what was found."""
_FEW: Final = 2
"""Minutes of the last hours that were strange once, and nobody was told of."""
_BEGINNING: Final = 5
"""Minutes that something may have grown in before it was noticed."""
_MOST_BACK: Final = 8
HOUR: Final = 60
DAY: Final = 24 * HOUR
HOURS: Final = 6
DAYS: Final = (1, 2, 7)
AROUND_HOURS: Final = 5
AROUND_DAYS: Final = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts of many series (rows) a minute (columns).

    `minutes` are numbers of minutes since the Unix epoch, ascending. `shares`: events are some of the
    exposure (k of n calls), else they are beside it (k calls in a minute).
    """

    minutes: npt.NDArray[np.int64]
    events: Numbers
    exposure: Numbers
    shares: bool

    @property
    def series(self) -> int:
        """How many series there are."""
        return int(self.events.shape[0])

    def of(self, rows: npt.NDArray[np.int64]) -> Self:
        """Return some of the series."""
        return replace(self, events=self.events[rows], exposure=self.exposure[rows])


@dataclass(frozen=True, slots=True)
class Change:
    """A rate that rises (`up`) or falls, by a factor (of shares: their odds) from which on it matters.

    However sure it is that something changed a little, nobody gets up for it.
    """

    up: bool
    factor: float


@dataclass(frozen=True, slots=True)
class Strange:
    """Series whose last minutes are strange, by row: from which minute to which, and the rates."""

    rows: npt.NDArray[np.int64]
    since: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    surprise: Numbers
    before: Numbers
    after: Numbers
    events: Numbers
    """In the strange minutes."""
    exposure: Numbers


def needed(tests: int) -> float:
    """Return the surprise that one of so many tests a minute needs: -ln of its part of the allowed alarms."""
    return math.log(max(tests, 1) / ALARMS_A_MINUTE)


def judge(counted: Counted, minute: int, normal: Truths, change: Change, surprise: float) -> Strange | None:
    """Return the series that changed so in the minutes up to and with `minute`; None where there are none.

    `normal` tells which minutes (columns) may be compared with: where those are fewer than `LEAST_NORMAL`,
    only overwhelming shares are strange, and by fewer than `LEAST_KNOWN` nothing.
    """
    minutes = counted.minutes
    past = np.flatnonzero(normal & (minutes <= minute - JUDGED - _GAP) & (minutes > minute - HOURS * HOUR))
    past = past[-_NORMAL:]
    recent = np.flatnonzero((minutes > minute - JUDGED) & (minutes <= minute))
    least = LEAST_KNOWN if counted.shares else LEAST_NORMAL
    if len(past) < least or not counted.series or not len(recent):
        return None
    test = _Test(counted, past, up=change.up)
    persists = _persists if len(past) >= LEAST_NORMAL else _overwhelms_early
    rows = np.flatnonzero(persists(test.surprises(recent), surprise))
    if not len(rows):
        return None
    counted = counted.of(rows)
    test = _Test(counted, past, up=change.up)
    found = test.surprises(recent)
    found[found <= _CLEARLY * _guard(test, minute, normal)[:, None]] = 0.0
    after, before = test.rates(recent, found)
    strange = persists(found, surprise) & _matters(after, before, change, shares=counted.shares)
    if not change.up:
        strange &= test.steady
    kept = np.flatnonzero(strange)
    if not len(kept):
        return None
    chosen = found[kept] > 0
    return Strange(
        rows=rows[kept],
        since=_since(test, kept, minute),
        last=minutes[recent[found.shape[1] - 1 - np.argmax(chosen[:, ::-1], axis=1)]],
        surprise=found[kept].max(axis=1),
        before=before[kept],
        after=after[kept],
        events=(counted.events[np.ix_(kept, recent)] * chosen).sum(axis=1),
        exposure=(counted.exposure[np.ix_(kept, recent)] * chosen).sum(axis=1),
    )


class _Test:
    """Holds minutes of series against normal ones."""

    def __init__(self, counted: Counted, past: npt.NDArray[np.int64], *, up: bool) -> None:
        self.counted = counted
        self.past = past
        self._sign = 1.0 if up else -1.0
        self._k0 = counted.events[:, past].sum(axis=1)
        self._n0 = counted.exposure[:, past].sum(axis=1)
        self._scatter, self._freedom = self._measure_scatter()

    @property
    def steady(self) -> Truths:
        """Which series came in nearly all normal minutes: what comes rarely has not gone when it is away."""
        came: Truths = (self.counted.events[:, self.past] > 0).mean(axis=1) >= 0.8  # noqa: PLR2004
        return came

    def surprises(self, columns: npt.NDArray[np.int64]) -> Numbers:
        """Return how surprising minutes are, series by minutes; 0 where the change is the other way."""
        by_scatter = np.maximum(self._signed(columns) * self._sign, 0.0) / self._scatter[:, None]
        freedom = self._freedom[:, None]
        student: Numbers = (freedom + 1) / 2 * np.log1p(2 * by_scatter / freedom)
        return student

    def rates(self, recent: npt.NDArray[np.int64], found: Numbers) -> tuple[Numbers, Numbers]:
        """Return the rates of the strange minutes and of the normal ones."""
        k1 = (self.counted.events[:, recent] * (found > 0)).sum(axis=1)
        n1 = (self.counted.exposure[:, recent] * (found > 0)).sum(axis=1)
        return _ratio(k1, n1), _ratio(self._k0, self._n0)

    def _signed(self, columns: npt.NDArray[np.int64]) -> Numbers:
        k1, n1 = self.counted.events[:, columns], self.counted.exposure[:, columns]
        ours = np.isin(columns, self.past)  # a normal minute is held against the others
        k0, n0 = self._k0[:, None] - k1 * ours, self._n0[:, None] - n1 * ours
        rate = _ratio(k0 + k1, n0 + n1)
        statistic = _part(k1, n1, rate) + _part(k0, n0, rate)
        if self.counted.shares:
            statistic += _part(n1 - k1, n1, 1 - rate) + _part(n0 - k0, n0, 1 - rate)
        higher = np.where(_ratio(k1, n1) > _ratio(k0, n0), 1.0, -1.0)
        return np.where((n1 > 0) & (n0 > 0), higher * np.maximum(statistic, 0.0), 0.0)

    def _measure_scatter(self) -> tuple[Numbers, Numbers]:
        """Return by how much normal minutes scatter more than by chance, at least 1, and how sure that is.

        The latter as degrees of freedom: of as many minutes as are independent of each other, by how alike
        neighbours are; and of what is beyond chance alone, as chance is known (Satterthwaite 1946).
        """
        signed = self._signed(self.past)
        twice = np.sort(2 * np.abs(signed), axis=1)
        mean = twice[:, :-_EXTREMES].mean(axis=1) * _TRIMMED
        scatter = np.maximum(1.0, mean)
        residuals = np.sign(signed) * np.sqrt(2 * np.abs(signed))
        products = (residuals[:, 1:] * residuals[:, :-1]).sum(axis=1)
        alike = np.clip(_ratio(products, (residuals**2).sum(axis=1)), 0.0, _MOST_ALIKE)
        independent = len(self.past) * (1 - alike) / (1 + alike)
        beyond = np.maximum(1 - 1 / scatter, _KNOWN)
        return scatter, np.maximum(independent - 1, 1.0) / beyond**2


def _guard(test: _Test, minute: int, normal: Truths) -> Numbers:
    """Return what a minute must surprise more than, by series: by what came before now and then.

    That is all but a few of the last hours' minutes, every one of the same time in an earlier hour, and
    the second worst of the same time on earlier days.
    """
    ago = minute - test.counted.minutes
    # The latest may be the weak beginning of what is looked for.
    before = normal & (ago > JUDGED + _GAP + _BEGINNING) & (ago <= HOURS * HOUR + AROUND_HOURS)
    columns = np.flatnonzero(before)
    found = test.surprises(columns)
    same_time = np.abs((ago[columns] + HOUR // 2) % HOUR - HOUR // 2) <= AROUND_HOURS
    guard: Numbers = found[:, same_time].max(axis=1, initial=0.0)
    if len(columns) > _FEW:
        guard = np.maximum(guard, np.partition(found, -1 - _FEW, axis=1)[:, -1 - _FEW])
    days = [np.flatnonzero(np.abs(ago - day * DAY) <= AROUND_DAYS) for day in DAYS]
    highest = [test.surprises(columns).max(axis=1) for columns in days if len(columns)]
    if len(highest) > 1:
        guard = np.maximum(guard, np.sort(np.stack(highest), axis=0)[-2])
    return guard


def _persists(found: Numbers, surprise: float) -> Truths:
    """Tell where one minute is overwhelming, or two together are strange enough.

    The sum of two exceeds s by chance with a probability of exp(-s) (1 + s), and of three minutes there
    are three pairs.
    """
    ordered = np.sort(found, axis=1)[:, ::-1]
    overwhelming: Truths = ordered[:, 0] >= _OVERWHELMING * surprise
    if ordered.shape[1] < 2:  # noqa: PLR2004
        return overwhelming
    both = ordered[:, 0] + ordered[:, 1] >= surprise + math.log(3) + math.log1p(surprise)
    return overwhelming | (both & (ordered[:, 1] >= surprise / 4))


def _overwhelms_early(found: Numbers, surprise: float) -> Truths:
    overwhelming: Truths = found.max(axis=1) >= _OVERWHELMING_EARLY * surprise
    return overwhelming


def _matters(after: Numbers, before: Numbers, change: Change, *, shares: bool) -> Truths:
    if shares:
        after, before = _ratio(after, 1 - after, np.inf), _ratio(before, 1 - before, np.inf)
    return after >= change.factor * before if change.up else after * change.factor <= before


def _since(test: _Test, rows: npt.NDArray[np.int64], minute: int) -> npt.NDArray[np.int64]:
    """Return the first of the strange minutes, back to where it was not strange at all."""
    minutes = test.counted.minutes
    columns = np.flatnonzero((minutes > minute - JUDGED - _MOST_BACK) & (minutes <= minute))
    strange = test.surprises(columns)[rows] >= _BEGUN
    since = np.full(len(rows), minute, np.int64)
    for row in range(len(rows)):
        last = len(columns) - 1
        while last > 0 and not strange[row, last]:
            last -= 1
        while (
            last > 0 and strange[row, last - 1] and minutes[columns[last]] - minutes[columns[last - 1]] == 1
        ):
            last -= 1
        since[row] = minutes[columns[last]]
    return since


def _ratio(part: Numbers, whole: Numbers, of_nothing: float = 0.0) -> Numbers:
    return np.divide(part, whole, out=np.full_like(part, of_nothing, dtype=np.float64), where=whole > 0)


def _part(count: Numbers, exposure: Numbers, rate: Numbers) -> Numbers:
    """Return count * ln(count / expected), 0 of nothing."""
    expected = exposure * rate
    fits = (count > 0) & (expected > 0)
    quotient = np.divide(count, expected, out=np.ones_like(expected), where=fits)
    return np.where(fits, count * np.log(quotient), 0.0)
