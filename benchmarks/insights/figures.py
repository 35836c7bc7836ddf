"""The numbers of evidence, computed again from the recording.

Evidence tells them of the spans of one operation with one caller, and not which caller: they hold where they
are those of some caller's spans, before and after together.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from glasshouse_collector.insights.records import said, statement_of
from glasshouse_collector.patterns.masking import mask
from glasshouse_collector.patterns.shapes import MOST_LINE
from insights.observing import Observed, ObservedSpan, Place

Evidence = Mapping[str, Any]
Happens = Callable[[ObservedSpan], bool]
Count = Callable[[ObservedSpan], int]

TOLERANCE: Final = 0.05
"""Of a time, or in a share; milliseconds below 1 may be so far off too."""
_NANOSECONDS: Final = 1e6
"""In a millisecond."""
_OF: Final = re.compile(r"in (\d+) of (\d+) calls")
_WAY: Final = re.compile(r"on the way between (?P<caller>\S+) and (?P<callee>[^\s:]+)")
_TIMES: Final = re.compile(r" (\d+) times or more")
_CALL: Final = re.compile(r"the call (?P<name>.+?) \((?P<service>[^()]*)\)")
_LINE: Final = re.compile(r"“(.*?)”", re.DOTALL)
_LESS: Final = re.compile(r"^(.*) is not (?:made|said) with each (.*) in \d")
_MASK: Final = re.compile(r"\S*<[a-z*]+>\S*")
_ANSWERED: Final = "an answered call"
_FAILS: Final = "it fails with"


@dataclass(frozen=True, slots=True)
class Numbers:
    """What evidence says, and all that it could be by the recording: pairs of before and after."""

    said: tuple[float, float]
    found: tuple[tuple[float, float], ...]

    @property
    def hold(self) -> bool:
        """Whether what was said is among what was found."""
        return any(all(map(_near, self.said, pair)) for pair in self.found)

    @property
    def nearest(self) -> tuple[float, float] | None:
        """What was found that is nearest to it."""
        return min(self.found, key=lambda pair: sum(map(_distance, self.said, pair)), default=None)


def recomputed(evidence: Evidence, observed: Observed) -> Numbers | None:
    """Return an evidence's numbers with those of the recording; None: of its kind they are not computed."""
    if evidence["before"] is None or evidence["after"] is None:
        return None
    said = (float(evidence["before"]), float(evidence["after"]))
    if evidence["kind"] in ("own_time", "waiting") and evidence["unit"] == "ms":
        return Numbers(said, tuple(_times(evidence, observed)))
    if evidence["unit"] == "share of calls":
        happens = list(_events(evidence))
        return Numbers(said, tuple(_shares(evidence, happens, observed))) if happens else None
    return None


def _times(evidence: Evidence, observed: Observed) -> Iterator[tuple[float, float]]:
    """Yield medians: of all own times before, and of the slowest of the incident, as many as are said."""
    counted = _OF.search(evidence["text"])
    if counted is None:
        return
    slow, of = int(counted[1]), int(counted[2])
    way = _WAY.search(evidence["text"])
    place = evidence["service"], evidence["operation"]
    group = observed.between(way["caller"], way["callee"]) if way else observed.working(*place)
    after = sorted(each.own for each in group if not each.window)
    if len(after) != of or not slow:
        return
    for before in _baselines(group):
        usual = median(each.own for each in before) if before else 0.0
        yield usual / _NANOSECONDS, median(after[-slow:]) / _NANOSECONDS


def _baselines(group: Sequence[ObservedSpan]) -> Iterator[list[ObservedSpan]]:
    """Yield the spans of all baselines, and of each."""
    windows = {each.window for each in group if each.window}
    for chosen in (windows, *({window} for window in windows)):
        yield [each for each in group if each.window in chosen]


def _shares(
    evidence: Evidence, happens: Sequence[Happens], observed: Observed
) -> Iterator[tuple[float, float]]:
    """Yield shares of spans in which it happens: in one baseline, or all, and in the incident."""
    for group in observed.alike(evidence["service"], evidence["operation"]):
        after = [each for each in group if not each.window]
        for before in _baselines(group):
            if before and after:
                yield from ((_share(before, each), _share(after, each)) for each in happens)


def _share(spans: Sequence[ObservedSpan], happens: Happens) -> float:
    return sum(map(happens, spans)) / len(spans)


def _events(evidence: Evidence) -> Iterator[Happens]:
    """Yield what evidence says that happens in a span, as it can be understood."""
    said = evidence["text"].removeprefix(f"{evidence['operation']}: ")
    if less := _LESS.match(said):
        yield from (_less(fewer, more) for fewer in _counts(less[1]) for more in _counts(less[2]))
    elif said.startswith(_FAILS):
        yield lambda span: span.span.failed
    else:
        times = _TIMES.search(said)
        yield from (_at_least(count, int(times[1]) if times else 1) for count in _counts(said))


def _less(fewer: Count, more: Count) -> Happens:
    return lambda span: fewer(span) < more(span)


def _at_least(count: Count, times: int) -> Happens:
    return lambda span: count(span) >= times


def _counts(subject: str) -> Iterator[Count]:
    """Yield how to count in a span what a text names: a call, or a line of any level, or some."""
    if subject.startswith(_ANSWERED):
        yield lambda span: len(span.calls)
    elif call := _CALL.match(subject):
        yield _calls((call["service"], call["name"]))
    elif line := _LINE.search(subject):
        for says in (_stated(line[1]), _worded(line[1])):
            yield from (_lines(says, levels) for levels in (range(25), range(17, 25), range(17)))


def _calls(place: Place) -> Count:
    return lambda span: sum((it.service, it.name) == place for it in span.calls)


def _lines(says: Callable[[str], bool], levels: range) -> Count:
    return lambda span: sum(it.severity in levels and says(it.body) for it in span.logs)


def _stated(statement: str) -> Callable[[str], bool]:
    """Tell lines of this statement: which they are is the collector's to say, how many is counted here."""
    return lambda body: statement_of(mask(said(_first_line(body)))) == statement


def _worded(template: str) -> Callable[[str], bool]:
    """Tell lines that have a template's words, in its order."""
    words = [word for word in _MASK.sub(" ", template).replace("|", " ").split() if word]
    return lambda body: _says(body, words)


def _first_line(body: str) -> str:
    return body.lstrip().partition("\n")[0][:MOST_LINE]


def _says(body: str, words: Sequence[str]) -> bool:
    at = 0
    for word in words:
        found = body.find(word, at)
        if found < 0:
            return False
        at = found + len(word)
    return True


def _near(said: float, found: float) -> bool:
    return _distance(said, found) <= TOLERANCE


def _distance(said: float, found: float) -> float:
    return abs(said - found) / max(1.0, abs(found))
