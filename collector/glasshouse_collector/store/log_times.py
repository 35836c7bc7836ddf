"""The time of log records, as a condition that the engine finds them by."""

from typing import Final, Literal

_LAST_SORTED: Final = 2**32 // 300 * 300 * 10**9
"""Five minutes are kept as seconds in 32 bits, which end in 2106; in nanoseconds."""


def log_times(start: str, end: str, until: Literal["<", "<="] = "<") -> str:
    """Return the condition that a log record's time is from `start` until `end`: SQL of nanoseconds each.

    Records are sorted by the five minutes of their time, which the engine does not conclude from the time
    itself: among 1.7 M records of a day, two hours were found in 487 granules instead of 72, and the log
    records of a trace in 21 instead of 10 ms of CPU. It is a hint, which no row is compared with.
    """
    first, last = f"fromUnixTimestamp64Nano({start})", f"fromUnixTimestamp64Nano({end})"
    sorted_between = (
        f"toStartOfFiveMinutes(Timestamp) >= toStartOfFiveMinutes({first}) "
        f"AND toStartOfFiveMinutes(Timestamp) <= toStartOfFiveMinutes({last})"
    )
    return (
        f"(Timestamp >= {first} AND Timestamp {until} {last} "
        f"AND indexHint({start} < 0 OR {end} >= {_LAST_SORTED} OR ({sorted_between})))"
    )
