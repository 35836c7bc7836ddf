"""How numbers, times and places are told to people."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from glasshouse_collector.insights.findings import FaultKind, RootCause
from glasshouse_collector.insights.windows import Window

_KINDS: Final = {
    FaultKind.EXCEPTION: "its own code fails",
    FaultKind.EARLY_RETURN: "work that is usually done is not done",
    FaultKind.REPEATED_CALLS: "it calls others more often than it used to",
    FaultKind.CPU_CONTENTION: "its own work takes longer while the processor is busy",
    FaultKind.SLOW_CODE: "its own work takes longer, and the processor is not busier",
    FaultKind.NETWORK_DELAY: "time is lost on the network between it and its callers",
    FaultKind.DEPENDENCY_ERROR: "calls to something that sends no telemetry fail",
    FaultKind.DEPENDENCY_SLOW: "calls to something that sends no telemetry take longer",
    FaultKind.POOL_EXHAUSTED: "it waits for connections or workers that are not given back",
    FaultKind.BAD_RELEASE: "a new version of it is wrong or slow",
    FaultKind.MEMORY_LEAK: "its memory grows and is not given back",
    FaultKind.SILENT: "it stopped serving, or telling of it",
    FaultKind.OVERLOAD: "it is asked for more than it can take",
    FaultKind.UNKNOWN: "something is wrong there",
}


def moment(time: int) -> str:
    """Return the time of day, to the second, in UTC."""
    return f"{_moment(time):%H:%M:%S} UTC"


def span_of(window: Window) -> str:
    """Return from when to when: the day once where both are of one day."""
    start, end = _moment(window.start), _moment(window.end)
    day = "" if start.date() == end.date() else f"{end:%Y-%m-%d} "
    return f"{start:%Y-%m-%d %H:%M:%S} to {day}{end:%H:%M:%S} UTC"


def _moment(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time // 1000)


def place(service: str, operation: str) -> str:
    """Return an operation of a service, or the service alone."""
    return f"{operation} of {service}" if operation else service


def times(count: int, thing: str) -> str:
    """Return `1 trace`, `1,204 traces`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names with commas and `and`; of many, the first and how many more."""
    shown = list(dict.fromkeys(names))
    if len(shown) > most:
        return f"{', '.join(shown[:most])} and {len(shown) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def kind(cause: RootCause) -> str:
    """Return what went wrong there, in words; with what sends no telemetry where that is known."""
    words = _KINDS[cause.kind]
    return words.replace("something that sends no telemetry", cause.dependency) if cause.dependency else words


def sure(confidence: float) -> str:
    """Return how sure it is in words, with the number."""
    for least, words in ((0.8, "very likely"), (0.5, "likely"), (0.25, "possibly")):
        if confidence >= least:
            return f"{words} ({confidence:.0%})"
    return f"a guess ({confidence:.0%})"


def sentence(text: str) -> str:
    """Return the text as a sentence: without what ends lines, with a full stop."""
    joined = " ".join(text.split())
    return joined if not joined or joined[-1] in ".!?" else f"{joined}."


def shortened(text: str, most: int) -> str:
    """Return the text on one line, at most so long."""
    joined = " ".join(text.split())
    return joined if len(joined) <= most else f"{joined[: most - 1]}…"
