"""How many tails there may be at once: in all, and of one asker."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from glasshouse_collector.api.problems import Problem, unavailable

MOST_TAILS: Final = 100
MOST_TAILS_EACH: Final = 10
_RETRY_AFTER: Final = {"Retry-After": "10"}


class TailSeats:
    """Lends a seat for as long as a tail is open; nobody waits for one."""

    def __init__(self, in_all: int = MOST_TAILS, each: int = MOST_TAILS_EACH) -> None:
        self._in_all = in_all
        self._each = each
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._taken.total()

    @contextmanager
    def taken(self, asker: str) -> Iterator[None]:
        """Lend a seat; a `Problem` where there is none: 429 if the asker has too many, else 503."""
        if self._taken[asker] >= self._each:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self._each} tails of this key are open already; close one of them",
                headers=_RETRY_AFTER,
            )
        if self._taken.total() >= self._in_all:
            raise unavailable(f"{self._in_all} tails are open already; come back later, or ask GET /logs")
        self._taken[asker] += 1
        try:
            yield
        finally:
            self._taken[asker] -= 1
            if not self._taken[asker]:
                del self._taken[asker]
