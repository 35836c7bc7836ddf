"""How many tokens a day the collector may use."""

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from glasshouse_collector.insights.llm.failing import NoAnswer, Outcome
from glasshouse_collector.insights.llm.settings import LlmConfig

_BYTES_A_TOKEN: Final = 3
"""English text has about four, JSON and other languages fewer: rather too many tokens than too few."""
_DAY_SECONDS: Final = 86_400


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has, without the model's own vocabulary."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN)


class DailyBudget:
    """Tokens in and out by UTC day, of one model and all threads of this process.

    What may be needed is taken before a call, and what was not needed is given back after it, so that
    calls at the same time cannot use more than the day has.
    """

    def __init__(self, tokens_a_day: int, seconds: Callable[[], float] = time.time) -> None:
        self._most = tokens_a_day
        self._seconds = seconds
        self._lock = threading.Lock()
        self._day = -1
        self._used = 0

    def take(self, tokens: int) -> int:
        """Take what a call may need, and return its day; `NoAnswer` where the day has not as much left."""
        with self._lock:
            day = int(self._seconds()) // _DAY_SECONDS
            if day != self._day:
                self._day, self._used = day, 0
            if self._used + tokens > self._most:
                raise NoAnswer(
                    Outcome.NO_BUDGET,
                    f"{self._used:,} of the day's {self._most:,} tokens (llm.max_tokens_per_day) are used, "
                    f"and this question may need {tokens:,}",
                )
            self._used += tokens
            return day

    def settle(self, day: int, taken: int, used: int) -> None:
        """Replace what was taken by what was used; that of a day that is over is forgotten."""
        with self._lock:
            if day == self._day:
                self._used += used - taken

    @property
    def used(self) -> int:
        """Tokens of the day of the last call."""
        return self._used


@lru_cache(maxsize=16)
def budget_of(base_url: str, model: str, tokens_a_day: int) -> DailyBudget:
    """Return the one budget of a model in this process."""
    del base_url, model
    return DailyBudget(tokens_a_day)


def budget_for(config: LlmConfig) -> DailyBudget:
    """Return the budget of what is configured."""
    return budget_of(config.base_url, config.model, config.max_tokens_per_day)
