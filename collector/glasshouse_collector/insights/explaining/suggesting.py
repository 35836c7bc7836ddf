"""What to do: what is known to help, with what is known of this incident."""

from collections.abc import Iterator, Sequence
from typing import Final

from glasshouse_collector.insights.explaining.explanation import Change
from glasshouse_collector.insights.explaining.wording import moment, place, sentence
from glasshouse_collector.insights.findings import Analysis
from glasshouse_collector.insights.incidents import PastIncident
from glasshouse_collector.insights.knowledge import KnownPattern

_MOST_ATTRIBUTES: Final = 6


def suggestion(
    analysis: Analysis,
    patterns: Sequence[KnownPattern],
    changes: Sequence[Change],
    past: Sequence[PastIncident],
) -> str:
    """Return what to do, a line each: what the best pattern says first, then what the others add.

    Empty where nothing was found that says what.
    """
    lines = [*_of_this(analysis, changes, past), *_of_patterns(patterns)]
    return "\n".join(f"- {sentence(line)}" for line in dict.fromkeys(lines))


def _of_this(analysis: Analysis, changes: Sequence[Change], past: Sequence[PastIncident]) -> Iterator[str]:
    for cause in analysis.root_causes[:1]:
        yield f"Look at {place(cause.service, cause.operation)} first"
        for change in changes:
            if change.service == cause.service and change.before and change.after:
                yield (
                    f"Undo the change of {change.attribute} from {change.before} to {change.after} "
                    f"({moment(change.time)}) if nothing else explains it"
                )
    for each in past[:1]:
        yield f"In a similar incident ({each.incident.id}) the cause was: {each.found}"


def _of_patterns(patterns: Sequence[KnownPattern]) -> Iterator[str]:
    for place_, pattern in enumerate(patterns):
        yield from pattern.suggestion if not place_ else pattern.suggestion[:1]
    attributes = list(dict.fromkeys(name for pattern in patterns for name in pattern.attributes))
    if attributes:
        yield f"Attributes that say more: {', '.join(attributes[:_MOST_ATTRIBUTES])}"
