"""What can go wrong when a collector is asked."""

from collections.abc import Mapping
from typing import Any


class Unreachable(Exception):
    """Nobody answers at the address, or not in time."""


class ApiError(Exception):
    """The collector refused or could not answer: `status` is HTTP's, `detail` one line for a person.

    `retry_after` is in seconds, where it is worth asking again; `problem` is the whole answer.
    """

    def __init__(
        self, status: int, detail: str, retry_after: float | None, problem: Mapping[str, Any]
    ) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.problem = problem
