"""What one query may use."""

from dataclasses import dataclass, replace
from typing import Final, Self

NOTHING_REMEMBERED: Final[dict[str, str | int]] = {"use_query_condition_cache": 0}
"""ClickHouse remembers, by condition, which granules have no row for it. What a JOIN filtered out
beforehand is remembered too (engine 26.9, `enable_join_runtime_filters`), as if a project's condition had
done it: those rows would then be missing from every later answer."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Seconds, rows in the answer, bytes of memory, bytes in the answer.

    `threads` is how many at most, 0: as the engine chooses. A query waits, a second a block, while one
    with a lower `priority` runs: what works in the background has a higher one than what people ask.
    """

    seconds: float = 30.0
    rows: int = 1_000_000
    memory: int = 2 * 2**30
    answer_bytes: int = 256 * 2**20
    threads: int = 0
    priority: int = 1

    def of_one_thread(self) -> Self:
        """Return the same for a question that reads little: handing it on takes longer than reading."""
        return replace(self, threads=1)

    def options(self) -> dict[str, str | int]:
        """Return them as ClickHouse settings; over the limit is an error, never a shorter answer."""
        threads: dict[str, str | int] = {"max_threads": self.threads} if self.threads else {}
        if self.threads == 1:
            threads["local_filesystem_read_method"] = "pread"  # else it waits for another that reads for it
        return threads | {
            "priority": self.priority,
            "max_execution_time": str(self.seconds),
            "timeout_overflow_mode": "throw",
            "max_result_rows": self.rows,
            "max_result_bytes": self.answer_bytes,
            "result_overflow_mode": "throw",
            "max_memory_usage": self.memory,
        }
