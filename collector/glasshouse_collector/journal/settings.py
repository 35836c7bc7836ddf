"""What the service tells the journal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """Where the journal lives, how durable `append` is, and how large it may grow.

    `max_bytes` bounds the segment files together; a new segment file begins after `segment_bytes`.
    """

    directory: Path
    durability: Literal["fsync", "os"]
    max_bytes: int
    segment_bytes: int
