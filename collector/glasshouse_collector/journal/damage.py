"""What is done with bytes that are no frame: set aside, counted, and said once."""

import logging
import os
from pathlib import Path

from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal.segment import Segment

logger = logging.getLogger(__name__)

_PIECE = 1 << 20


class Damage:
    """Sets damaged bytes aside, in a file of their own beside the segment; each place once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def corrupted(self, segment: Segment, first: int, end: int) -> None:
        """Keep a copy of bytes that stay where they are, between intact frames."""
        if self._set_aside(segment, first, end, "damaged"):
            logger.error(
                "the journal's segment %s is damaged from byte %d to %d: it cannot be delivered, the "
                "frames before and after can. A copy is kept beside it (.damaged). Look at the disk's health",
                segment.path,
                first,
                end,
            )

    def torn(self, segment: Segment, first: int, end: int) -> None:
        """Cut off a torn tail, durably; a copy is kept. Raises OSError."""
        if self._set_aside(segment, first, end, "torn"):
            logger.warning(
                "the journal's segment %s ends in %d bytes of an unfinished write (crash, power loss): "
                "they were cut off and are kept beside it (.torn)",
                segment.path,
                end - first,
            )
        with segment.path.open("r+b") as file:
            file.truncate(first)
            os.fsync(file.fileno())

    def _set_aside(self, segment: Segment, first: int, end: int, what: str) -> bool:
        """Copy the bytes; False where that was done before."""
        kept = segment.path.with_name(f"{segment.path.stem}-{first:x}-{end:x}.{what}")
        if kept.exists():
            return False
        self._metrics.journal_repaired_bytes.inc(end - first)
        try:
            _copy(segment.path, first, end, kept)
        except OSError as failed:
            logger.error("no copy of the damaged bytes could be kept as %s: %s", kept, failed)  # noqa: TRY400
        return True


def _copy(source: Path, first: int, end: int, target: Path) -> None:
    with source.open("rb") as file, target.open("wb") as kept:
        file.seek(first)
        while first < end and (piece := file.read(min(_PIECE, end - first))):
            kept.write(piece)
            first += len(piece)
        kept.flush()
        os.fsync(kept.fileno())
