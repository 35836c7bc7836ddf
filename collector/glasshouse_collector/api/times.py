"""Times as the API tells them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final


class Moment:
    """Marks a text as a time, as `rfc3339` writes it: in files that know times it becomes one."""


MOMENT: Final = Moment()
Time = Annotated[str, MOMENT]


def rfc3339(unix_nano: int) -> str:
    """Return a time in UTC to the nanosecond."""
    seconds, nanos = divmod(unix_nano, 10**9)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
