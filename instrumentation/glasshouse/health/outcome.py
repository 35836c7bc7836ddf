"""How a check turned out, told in words that give nothing away."""

import re
from dataclasses import dataclass
from typing import Literal

Status = Literal["healthy", "degraded", "unhealthy"]

_LONGEST_DETAIL = 200
_DEEPEST_CAUSE = 5
# What is behind it is cut off before it is looked at, so that a hostile text costs nothing.
_LONGEST_LOOKED_AT = 1000
# A URL's user and password, however odd; then what is named as a secret. No part repeats without a bound
# before another: the time would grow with the square or cube of the length.
_USER_OF_URL = re.compile(r"://\S*@")
_NAMED_SECRET = re.compile(
    r"(?i)((?:passw(?:or)?d|pwd|secret|token|api[_-]?key|credential)\w{0,16}[\"']?\s{0,4}[=:]\s{0,4}"
    r"|bearer\s{1,4}|basic\s{1,4})"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&]+)"
)


class Degraded(Exception):
    """Raise it in a check: it works, but not as it should. Its text is shown to whoever asks."""


class Unhealthy(Exception):
    """Raise it in a check: it does not work. Its text is shown to whoever asks."""


@dataclass(frozen=True)
class Outcome:
    """One run of one check."""

    status: Status
    detail: str | None = None
    duration_seconds: float = 0.0


def of_return(returned: object, seconds: float) -> Outcome:
    """Judge what a check returned: False is unhealthy, a text is a detail, anything else is healthy."""
    if returned is False:
        return Outcome("unhealthy", "the check returned False", seconds)
    return Outcome("healthy", scrubbed(returned) if isinstance(returned, str) else None, seconds)


def of_failure(failure: BaseException, seconds: float) -> Outcome:
    """Judge what a check raised."""
    if isinstance(failure, Degraded):
        return Outcome("degraded", scrubbed(str(failure)), seconds)
    if isinstance(failure, Unhealthy):
        return Outcome("unhealthy", scrubbed(str(failure)), seconds)
    return Outcome("unhealthy", _described(failure), seconds)


def scrubbed(text: str) -> str:
    """Return a text, at most 200 characters of it, without passwords as far as they can be told."""
    without_users = _USER_OF_URL.sub("://***@", text[:_LONGEST_LOOKED_AT])
    return _NAMED_SECRET.sub(r"\1***", without_users)[:_LONGEST_DETAIL]


def _described(failure: BaseException) -> str:
    # Messages of libraries quote DSNs, queries and parameters; their types, and what the system says, do not.
    described: list[str] = []
    cause: BaseException | None = failure
    while cause is not None and len(described) < _DEEPEST_CAUSE:
        described.append(type(cause).__qualname__)
        said = isinstance(cause, OSError) and isinstance(cause.errno, int) and cause.strerror
        if said and type(cause).__module__ in {"builtins", "socket"}:
            described[-1] += f" ({scrubbed(str(said))})"
        cause = cause.__cause__ or cause.__context__
    return ", caused by ".join(described)
