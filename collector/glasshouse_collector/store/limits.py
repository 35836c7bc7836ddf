"""What one query may use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Seconds, rows in the answer, bytes of memory, bytes in the answer."""

    seconds: float = 30.0
    rows: int = 1_000_000
    memory: int = 2 * 2**30
    answer_bytes: int = 256 * 2**20

    def options(self) -> dict[str, str | int]:
        """Return them as ClickHouse settings; over the limit is an error, never a shorter answer."""
        return {
            "max_execution_time": str(self.seconds),
            "timeout_overflow_mode": "throw",
            "max_result_rows": self.rows,
            "max_result_bytes": self.answer_bytes,
            "result_overflow_mode": "throw",
            "max_memory_usage": self.memory,
        }
