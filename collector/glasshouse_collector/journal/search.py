"""Whether the journal still has a request, for who has to know after a crash."""

from collections.abc import Iterable, Iterator

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.journal.frame import StoredFrame
from glasshouse_collector.journal.payloads import Decompressor
from glasshouse_collector.journal.reader import SegmentReader
from glasshouse_collector.journal.segment import SEGMENT_HEADER_BYTES, Segment


def tails(segments: Iterable[Segment], kind: RequestKind, since_ns: int, length: int) -> set[bytes]:
    """Return the last `length` bytes of each intact request of that kind received at that time or later.

    Reads every segment, and does not say what is damaged: that is the consumers' to find. A segment that
    is removed meanwhile is left out.
    """
    decompressor = Decompressor()
    found: set[bytes] = set()
    for segment in segments:
        try:
            for frame in _frames(segment):
                if frame.header.kind is kind and frame.header.received_ns >= since_ns:
                    found.add(decompressor.frames([frame])[0].payload[-length:])
        except FileNotFoundError:
            continue
    return found


def _frames(segment: Segment) -> Iterator[StoredFrame]:
    reader = SegmentReader(segment, SEGMENT_HEADER_BYTES, lambda *_: None)
    try:
        while (frame := reader.read(segment.end)) is not None:
            yield frame
    finally:
        reader.close()
