"""What the analysis goes by: the numbers, in one place, that decide what an observation is worth.

They are thresholds of statistics, not of anybody's traffic; no service, operation or metric has one of its
own. `make bench-insights INSIGHTS=leave-one-out` moves each of them, and shows what that changes.
"""

from dataclasses import dataclass
from typing import Annotated, Final

Share = Annotated[float, "of one, between 0 and 1"]


@dataclass(frozen=True, slots=True)
class Constants:
    """How much has to be seen, how it is weighed, and how sure it makes."""

    # What counts as evidence
    least_evidence: float = 1.0
    """Nats below which an observation is taken for chance."""
    behaviour: float = 1.0
    timing: float = 1.0
    metric: float = 1.0
    """How much a nat of each sort of clue counts."""
    most_alone: float = 20.0
    """Nats that a metric, or silence, says at most: it does not tell that anybody suffers."""

    # What spans do
    usual_error: Share = 0.95
    """An error in so large a share of an operation's spans is usual there."""
    calm: float = 20.0
    """Spans without an error that are thought to have been seen where nothing is known of normal times."""
    another_context: float = 0.5
    """Nats that a further context gives to evidence where nothing has changed."""
    of_values: Share = 0.5
    """How much evidence counts that rests on values in a log line: these change with what is asked for."""
    together: Share = 0.9
    """Events go together where they come equally often in so large a share of the baseline's spans …"""
    fewest_together: float = 5.0
    """… of which there are so many."""
    likely: Share = 0.5
    """A span shows the fault where that is likelier than that it happens anyway."""
    explains: Share = 0.3
    """What happens below a span explains what it does itself where it is so strong, compared with that."""
    least_own: Share = 0.2
    """Of the spans that deviate, so many must not be explained by what is below them."""
    own_power: float = 2.0
    """The share that is not explained counts with that exponent."""
    cut_off_is_thrown: bool = True
    """Whether a span that makes its calls and says fewer lines was ended by an exception."""

    # Where time goes
    first_spans: float = 5.0
    """Spans that are thought to have been seen before any …"""
    slow_first: Share = 0.05
    """… such a share of them slow …"""
    heavy: float = 2.0
    """… with that tail (Pareto's index): one in a hundred of the slow ones more than ten times slower."""
    fewest_timed: float = 8.0
    """Spans of a baseline from which it is learned what is usual."""
    beyond: float = 0.5
    """So much of the median is added to what is usual …"""
    scatter: float = 4.0
    """… and so many times the way from there to the upper quartile."""
    untouched: Share = 0.5
    """What is left of the blame for ways out of a service where none of those into it take longer."""
    drift: float = 5.0
    """What takes longer than in one baseline alone may be what changes in the course of a day; or the fault
    had already reached the others. Only what makes requests so many times slower counts in full."""

    surge: float = 2.0
    """What is slow is overloaded where it is asked so many times as often as in any baseline."""

    # Metrics
    fewest_points: float = 5.0
    """Points before the incident without which nothing is said of a series."""
    processor_scatter: float = 0.7
    memory_scatter: float = 0.15
    pool_scatter: float = 0.7
    """By how much, as the logarithm of a ratio, such a series may rise for no reason."""

    # Causes
    matters: Share = 0.1
    """Clues so much weaker than the strongest do not tell at which operation it is."""
    of_new_version: Share = 0.8
    """Of the spans that show a fault of a release, so many are of its version …"""
    new_before: Share = 0.05
    """… and of the service's spans before at most so many."""
    doubt: float = 2.0
    """Nats at which a cause that stands alone is as likely right as wrong."""
    sharpness: float = 3.0
    """How fast confidence grows with the lead over the others."""
    most_sure: Share = 0.98
    """Said of what nothing speaks against: what is known of systems and their faults is never all."""
    single: Share = 0.4
    """How much of confidence is lost where a single trace shows it; its square with two, and so on."""


DEFAULT: Final = Constants()
