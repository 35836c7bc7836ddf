"""What is asked of traces: of one span, of any of their spans, and of each as a whole."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Literal

from glasshouse_collector.api.conditions import MOST_CONDITIONS, Conditions, with_attributes
from glasshouse_collector.api.problems import Problem

TraceStatus = Literal["error", "ok", "unset"]
SpanKind = Literal["server", "client", "internal", "producer", "consumer", "unspecified"]

DURATION: Final = "(toUnixTimestamp64Nano(max(Finish)) - toUnixTimestamp64Nano(min(Start)))"
"""Of a trace, in nanoseconds, over its rows in the lookup table."""
_STATUS: Final[dict[TraceStatus, str]] = {
    "error": "sum(Errors) > 0",
    "ok": "sum(Errors) = 0 AND sum(Oks) > 0",
    "unset": "sum(Errors) = 0 AND sum(Oks) = 0",
}
_UNEQUAL: Final = re.compile(r"([^=!<>]+?)\s*!=(.*)", re.DOTALL)


@dataclass(slots=True)
class TraceConditions:
    """Conditions in SQL, which all have to hold, and the values of their parameters."""

    spans: list[str] = field(default_factory=list)
    """Each holds for some span of the trace, not necessarily the same."""
    absent: list[str] = field(default_factory=list)
    """Each holds for no span of the trace."""
    whole: list[str] = field(default_factory=list)
    """Each holds for the trace's rows in the lookup table, as HAVING demands it."""
    values: dict[str, str | int | float] = field(default_factory=dict)

    def with_span(self, alike: Conditions) -> None:
        """Demand one span for which all of these hold; its values are taken over from `self.values`."""
        if alike.terms:
            self.spans.append(alike.sql)

    def with_attributes(self, written: Iterable[str]) -> None:
        """Demand what is written of attributes, each of any span; `!key` and `key!=value` of none.

        Raises `Problem`.
        """
        for number, text in enumerate(written):
            if number >= MOST_CONDITIONS:
                raise Problem(
                    HTTPStatus.BAD_REQUEST, f"attribute: up to {MOST_CONDITIONS} conditions are expected"
                )
            positive, negated = _positive(text)
            one = Conditions([], self.values)
            with_attributes(one, [positive], "SpanAttributes")
            (self.absent if negated else self.spans).append(one.sql)

    def with_duration(self, operator: Literal["<=", ">="], nanoseconds: int) -> None:
        """Demand that the trace takes at least, or at most, so long."""
        bound = Conditions([], self.values).value(nanoseconds, "Int64")
        self.whole.append(f"{DURATION} {operator} {bound}")

    def with_status(self, status: TraceStatus) -> None:
        """Demand that a span failed; that none did and one is told to be Ok; or neither."""
        self.whole.append(_STATUS[status])

    @property
    def asked(self) -> tuple[object, ...]:
        """All of it, for a fingerprint."""
        return self.spans, self.absent, self.whole, sorted(self.values.items())


def _positive(text: str) -> tuple[str, bool]:
    """Return the condition that no span may fulfil, and True, where a negation is written."""
    if unequal := _UNEQUAL.fullmatch(text):
        return f"{unequal[1]}={unequal[2]}", True
    if text.startswith("!"):
        return text.removeprefix("!"), True
    return text, False
