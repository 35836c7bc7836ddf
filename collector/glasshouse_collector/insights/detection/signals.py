"""What was found strange: one series of one kind, since when, and a sentence with its numbers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_NAME: Final = 160
"""Characters of an operation or a template that a sentence shows."""
SECOND: Final = 10**9
MINUTE: Final = 60 * SECOND


class SignalKind(StrEnum):
    """In what something strange was seen."""

    ERRORS = "errors"
    SLOW = "slow"
    SLOWEST = "slowest"
    SILENT = "silent"
    MISSING_CALLS = "missing_calls"
    MORE_CALLS = "more_calls"
    TRAFFIC = "traffic"
    EXCEPTION = "exception"
    LOG_PATTERN = "log_pattern"
    METRIC = "metric"


SUPPORTING: Final = frozenset({SignalKind.TRAFFIC, SignalKind.MORE_CALLS, SignalKind.METRIC})
"""Kinds that say more about an incident, and are none by themselves: nobody is harmed by them alone."""
_WHAT: Final = {
    SignalKind.ERRORS: "errors in {service} {operation}",
    SignalKind.SLOW: "slow calls of {service} {operation}",
    SignalKind.SLOWEST: "a slow tail of {service} {operation}",
    SignalKind.SILENT: "{service} is silent",
    SignalKind.MISSING_CALLS: "calls missing in {service}: {operation}",
    SignalKind.MORE_CALLS: "more calls a request in {service}: {operation}",
    SignalKind.TRAFFIC: "more requests to {service}",
    SignalKind.EXCEPTION: "{operation} in {service}",
    SignalKind.LOG_PATTERN: "“{operation}” logged by {service}",
    SignalKind.METRIC: "{operation} of {service} shifted",
}
_TAILS: Final = {SignalKind.SLOW: SignalKind.SLOWEST, SignalKind.SLOWEST: SignalKind.SLOW}
"""The same trouble, seen in most calls or in few."""
UPWARD: Final = frozenset(
    {SignalKind.ERRORS, SignalKind.SLOW, SignalKind.SLOWEST, SignalKind.EXCEPTION, SignalKind.LOG_PATTERN}
)
"""Kinds that a service passes on to those who call it."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One strange series; `since` and `until` are nanoseconds, `surprise` -ln of how likely it is by chance.

    `before` and `after` are shares of calls, calls beside others, or events a minute, as `kind` has them;
    `events` is how many were counted in the strange minutes.
    `operation` is a span's name, an exception's type, a template, a metric's name, or empty. `bound`
    (nanoseconds) is what a slow call takes longer than.
    """

    kind: SignalKind
    service: str
    operation: str
    since: int
    until: int
    surprise: float
    before: float
    after: float
    events: float = 0.0
    bound: int = 0
    at_entry: bool = False
    severe: bool = False

    @property
    def opens(self) -> bool:
        """Whether it makes an incident; else it says more about one of the same service.

        A warning that is new comes with every release, and what starts up warns of what is not there yet.
        """
        return self.kind not in SUPPORTING and (self.kind is not SignalKind.LOG_PATTERN or self.severe)

    @property
    def what(self) -> str:
        """What it is, without numbers: the same thing a minute later has the same name."""
        return self._named(self.kind)

    @property
    def alike(self) -> tuple[str, ...]:
        """Names of what would be the same trouble of the same operation."""
        return tuple(self._named(kind) for kind in (self.kind, _TAILS.get(self.kind)) if kind)

    def _named(self, kind: SignalKind) -> str:
        named = " ".join(self.operation.split())
        shown = named if len(named) <= MOST_NAME else f"{named[: MOST_NAME - 1]}…"
        service = self.service or "(no service.name)"
        return _WHAT[kind].format(service=service, operation=shown).strip()

    @property
    def sentence(self) -> str:
        """What it is, with its numbers."""
        return f"{self.what}: {self._numbers}"

    @property
    def _numbers(self) -> str:
        match self.kind:
            case SignalKind.ERRORS:
                said = f"{self.after:.1%} of calls fail, {self.before:.1%} before"
            case SignalKind.SLOW | SignalKind.SLOWEST:
                longer = f"longer than {self.bound / 1e6:.3g} ms"
                said = f"{self.after:.1%} of calls take {longer}, {self.before:.1%} before"
            case SignalKind.SILENT:
                said = (
                    f"{1 - self.after / self.before:.0%} fewer than before" if self.after else "nothing more"
                )
            case SignalKind.MISSING_CALLS | SignalKind.MORE_CALLS:
                said = f"{self.after:.2g} a request, {self.before:.2g} before"
            case SignalKind.METRIC:
                said = f"{self.after:.4g}, {self.before:.4g} before"
            case SignalKind.TRAFFIC:
                said = f"{self.after:.3g} a minute, {self.before:.3g} before"
            case _:
                often = f"{self.after / self.before:.2g} times as often as before" if self.before else "new"
                said = f"{self.events:.0f} in a few minutes, {often}"
        return said
