"""How long and how often to measure."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """`quick` shortens everything to a fifth, for a look; its figures are no evidence."""

    quick: bool
    repeats: int
    trainticket: Path

    def seconds(self, full: float) -> float:
        """Return for how long to send, where a full run sends for `full` seconds."""
        return max(1.5, full / 5) if self.quick else full

    def count(self, full: int) -> int:
        """Return how many of something to make, where a full run makes `full`."""
        return max(1, full // 20) if self.quick else full
