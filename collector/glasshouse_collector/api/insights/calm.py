"""What is said where nothing stands out: plainly that, and no more than was compared."""

from dataclasses import replace
from typing import Final

from glasshouse_collector.api.insights.lately import Lately
from glasshouse_collector.insights.explaining import Explanation

_SEARCHED: Final = 120
"""Minutes in which incidents are looked for where none is kept."""
_UNITS: Final = ((1440, "day"), (60, "hour"), (1, "minute"))


def calm(explanation: Explanation, lately: Lately | None, minutes: int) -> Explanation:
    """Return an explanation that says that nothing stood out, with the errors that there are all the same.

    `lately` is what was looked at; None says that there was no telemetry.
    """
    if lately is None:
        said = f"There was no telemetry in {last_minutes(minutes)}."
    elif lately.short:
        said = (
            f"Nothing stands out in {last_minutes(minutes)}, but there is little telemetry to compare with."
        )
    else:
        said = f"Nothing unusual was found in {last_minutes(minutes)}."
    errors = sum(group.count for group in explanation.error_groups)
    if errors:
        there = "was 1 error" if errors == 1 else f"were {errors:,} errors"
        known = lately is not None and not lately.short and minutes <= _SEARCHED
        usual = "no time stands out by them" if known else "whether that is usual is not known"
        said += f" There {there}; {usual}."
    return replace(explanation, incident_summary=said, root_cause="", suggestion="", confidence=0.0)


def last_minutes(minutes: int) -> str:
    """Return so many minutes as people say it: the last 5 minutes, the last hour, the last 3 hours."""
    for size, name in _UNITS:
        if minutes % size == 0:
            count = minutes // size
            return f"the last {name}" if count == 1 else f"the last {count} {name}s"
    return f"the last {minutes} minutes"
