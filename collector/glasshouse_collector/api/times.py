"""Times as the API tells them."""

from typing import Annotated, Final

from glasshouse_collector.core.times import rfc3339

__all__ = ["MOMENT", "Moment", "Time", "rfc3339"]


class Moment:
    """Marks a text as a time, as `rfc3339` writes it: in files that know times it becomes one."""


MOMENT: Final = Moment()
Time = Annotated[str, MOMENT]
