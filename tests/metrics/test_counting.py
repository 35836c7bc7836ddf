"""What is counted at the door, in the journal and at a delivery, by whose it is."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.errors import Backpressure
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Journal, JournalSettings
from glasshouse_collector.journal.segment import SEGMENT_HEADER_BYTES
from glasshouse_collector.pipeline.counting import rows_of_projects
from glasshouse_collector.receivers.door import JournalDoor
from timed_requests import NOW, logs, spans

Value = Callable[..., float | None]


class FixedClock(SystemClock):
    """Stands still."""

    def time_ns(self) -> int:
        """Return the same time whenever asked."""
        return NOW


def journal_in(folder: Path, metrics: Metrics, max_bytes: int = 1 << 24) -> Journal:
    """Open a journal that fsyncs."""
    return Journal.open(JournalSettings(folder, "fsync", max_bytes, 1 << 20), metrics, SystemClock())


def test_the_door_counts_by_project(tmp_path: Path, metrics: Metrics, value: Value) -> None:
    """Records, requests, bytes and the last receipt, each of its own."""
    shop, other = spans(NOW, NOW).payload, logs(NOW).payload

    async def scenario() -> None:
        journal = journal_in(tmp_path, metrics)
        door = JournalDoor(best_codec(), journal, metrics, FixedClock())
        await door.accept(RequestKind.TRACES, shop, "shop", transport="otlp_http")
        await door.accept(RequestKind.TRACES, shop, "shop", transport="otlp_http")
        await door.accept(RequestKind.LOGS, other, "other", transport="otlp_grpc")
        await door.accept(RequestKind.LOGS, b"", "empty", transport="otlp_grpc")
        await journal.close()

    asyncio.run(scenario())
    of_shop = {"kind": "traces", "project": "shop", "transport": "otlp_http"}
    of_other = {"kind": "logs", "project": "other", "transport": "otlp_grpc"}
    for labels, records, requests, size in (
        (of_shop, 4, 2, 2 * len(shop)),
        (of_other, 1, 1, len(other)),
        (of_other | {"project": "empty"}, 0, 1, 0),
    ):
        assert value("glasshouse_received_records_total", **labels) == records
        assert value("glasshouse_received_requests_total", **labels) == requests
        assert value("glasshouse_received_bytes_total", **labels) == size
    last = "glasshouse_last_received_timestamp_seconds"
    assert value(last, project="shop") == value(last, project="other") == NOW / 1e9


def test_an_empty_request_is_no_sign_of_life(tmp_path: Path, metrics: Metrics, value: Value) -> None:
    """A sender that has stopped sending records may still send requests."""

    async def scenario() -> None:
        journal = journal_in(tmp_path, metrics)
        door = JournalDoor(best_codec(), journal, metrics, SystemClock())
        await door.accept(RequestKind.LOGS, b"", "shop", transport="otlp_grpc")
        await journal.close()

    asyncio.run(scenario())
    assert value("glasshouse_last_received_timestamp_seconds", project="shop") is None


def test_the_journal_counts_what_is_on_disk(tmp_path: Path, metrics: Metrics, value: Value) -> None:
    """To the byte, by kind and project, however the frames were grouped; and knows its own size."""
    frames = [
        spans(NOW, NOW, project="shop"),
        logs(NOW, project="shop"),
        logs(NOW, NOW, project="other"),
    ] * 20

    async def scenario() -> None:
        journal = journal_in(tmp_path, metrics)
        await asyncio.gather(*map(journal.append, frames))
        await journal.close()

    asyncio.run(scenario())
    records = {
        ("traces", "shop"): 40.0,
        ("logs", "shop"): 20.0,
        ("logs", "other"): 40.0,
    }
    for (kind, project), count in records.items():
        assert value("glasshouse_journaled_records_total", kind=kind, project=project) == count
    counted = sum(
        value("glasshouse_journaled_bytes_total", kind=kind, project=project) or 0
        for kind, project in records
    )
    segments = list(tmp_path.glob("*.seg*"))
    assert segments
    assert counted == sum(path.stat().st_size - SEGMENT_HEADER_BYTES for path in segments)
    assert value("glasshouse_journal_max_bytes") == 1 << 24


def test_what_the_journal_refused_is_not_counted(tmp_path: Path, metrics: Metrics, value: Value) -> None:
    """A full journal keeps some of what is sent at once, and counts those."""
    kept: list[bool] = []

    async def append(journal: Journal, frame: Frame) -> None:
        try:
            await journal.append(frame)
        except Backpressure:
            kept.append(False)
        else:
            kept.append(True)

    async def scenario() -> None:
        journal = journal_in(tmp_path, metrics, max_bytes=1 << 14)
        journal.consumer("stuck")
        await asyncio.gather(*(append(journal, spans(NOW, NOW, project="shop")) for _ in range(200)))
        await journal.close()

    asyncio.run(scenario())
    assert set(kept) == {True, False}
    counted = value("glasshouse_journaled_records_total", kind="traces", project="shop")
    assert counted == 2 * kept.count(True)


@given(st.lists(st.sampled_from(["default", "shop", "_self"])), st.integers(0, 3))
def test_rows_are_counted_by_project(projects: list[str], skipped: int) -> None:
    """Also of a batch that a processor has cut down, whose dictionary says more than is left."""
    column = pa.DictionaryArray.from_arrays(
        pa.array([["shop", "_self", "default"].index(each) for each in projects], pa.int32()),
        pa.array(["shop", "_self", "default"]),
    )
    records = pa.RecordBatch.from_arrays([column], ["Project"]).slice(skipped)
    assert dict(rows_of_projects(records)) == Counter(projects[skipped:])
