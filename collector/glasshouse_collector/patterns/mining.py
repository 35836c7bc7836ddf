"""Mines templates of masked lines: Drain groups what is alike, and what says different things is parted.

Drain (He et al., ICWS 2017) takes two lines for one template where enough of their words agree, so it
also joins `order placed by <*>` with `order cancelled by <*>`. A place where words vary among a few only
is a choice of the programmer's, not a value: there a group is parted again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from drain3.drain import Drain  # type: ignore[import-untyped]

from glasshouse_collector.patterns.masking import RULES, WILDCARD

FEW: Final = 4
"""Words of one place that stay words; of more, it is a value."""
_ALIKE: Final = 0.5
_LONG: Final = 6
_LONG_ALIKE: Final = 0.6
"""How many of its words a line shares with its template; of a long line, a header's words are some."""
_DEPTH: Final = 4
_MOST_CHILDREN: Final = 200
_MOST_OPEN: Final = 64
"""Groups of one skeleton that a line is held against, the latest ones: lines without likeness would each
be held against all before. Lines come sorted, and what is parted so has the same template in the end."""
MOST_WORDS: Final = 80
"""Words of a line that are looked at; a template has no more."""

_MASK: Final = re.compile(r"\W*<(?:" + "|".join(RULES) + r")>\W*")

Words = tuple[str, ...]
_Members = dict[Words, list[str]]


def mine(masked: Iterable[str]) -> dict[str, str]:
    """Return the template of each masked line; the same lines give the same templates."""
    skeletons: dict[Words, _Members] = defaultdict(lambda: defaultdict(list))
    for line in sorted(set(masked)):
        words = tuple(line.split()[:MOST_WORDS])
        skeletons[_skeleton(words)][words].append(line)
    return {
        line: " ".join(template)
        for members in skeletons.values()
        for group in _alike(list(members))
        for template, part in _parted(group)
        for words in part
        for line in members[words]
    }


def _skeleton(words: Words) -> Words:
    """Return the masks and where they stand: lines that differ in these are not compared at all.

    Else a header that every line has, of time and ids, would make all lines look alike.
    """
    return tuple(word if _MASK.fullmatch(word) else "" for word in words)


def _alike(lines: Sequence[Words]) -> Iterator[list[Words]]:
    """Group lines of one skeleton by Drain, which sees their other words alone."""
    free = [place for place, word in enumerate(lines[0]) if not _MASK.fullmatch(word)]
    drain = Drain(
        depth=_DEPTH,
        sim_th=_ALIKE if len(free) < _LONG else _LONG_ALIKE,
        max_children=_MOST_CHILDREN,
        max_clusters=_MOST_OPEN,
        param_str=WILDCARD,
        parametrize_numeric_tokens=False,  # masked already
    )
    groups: dict[int, list[Words]] = defaultdict(list)
    for words in lines:
        cluster, _ = drain.add_log_message(" ".join(words[place] for place in free))
        groups[cluster.cluster_id].append(words)
    yield from groups.values()


def _parted(lines: list[Words]) -> Iterator[tuple[Words, list[Words]]]:
    """Part lines of equally many words where few words vary; yield each part with its template."""
    variants = [set(words) for words in zip(*lines, strict=True)]
    few = [(len(found), place) for place, found in enumerate(variants) if 1 < len(found) <= FEW]
    if not few:
        yield _template(variants), lines
        return
    place = min(few)[1]
    parts: dict[str, list[Words]] = defaultdict(list)
    for words in lines:
        parts[words[place]].append(words)
    for part in parts.values():
        yield from _parted(part)


def _template(variants: Sequence[set[str]]) -> Words:
    return tuple(next(iter(found)) if len(found) == 1 else WILDCARD for found in variants)
