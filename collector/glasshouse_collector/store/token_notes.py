"""Tokens that the engine noted for rows which it did not keep.

The engine writes down an insert's token before it gives the part its name. Killed between the two, it
refuses the rows when they come again. A note is a line of a table's `deduplication_logs`: the operation, the
part, the token's hash, separated by tabs (source: ClickHouse's MergeTreeDeduplicationLog.cpp).
"""

import re
from collections import defaultdict
from pathlib import Path

_ADDED, _DROPPED = "1", "2"
_PART = re.compile(r"(?P<partition>.+)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_\d+)?")
_TAIL_BYTES = 8192
"""Some hundred notes: only inserts that ran when the process was killed can have lost their part."""


def take_back_lost(folder: Path) -> int:
    """Take back each table's notes whose part is not there; return how many.

    The folder must be this process's alone, and no engine may have it open. A note is taken back as the
    engine does when it drops a part: by another line.
    """
    return sum(_take_back(logs) for logs in sorted(folder.glob("store/*/*/deduplication_logs")))


def _take_back(logs: Path) -> int:
    notes: dict[str, str] = {}
    files = sorted(logs.glob("deduplication_log_*.txt"), key=lambda log: int(log.stem.rpartition("_")[2]))
    for file in files[-2:]:  # a new one is begun after a note, so the last may be empty
        for line in _tail(file):
            operation, part, token = line.split("\t")
            if operation == _ADDED:
                notes[token] = part
            else:
                notes.pop(token, None)
    kept = _kept_blocks(logs.parent)
    lost = {token: part for token, part in notes.items() if not _is_kept(part, kept)}
    if lost:
        with files[-1].open("a") as log:
            log.writelines(f"{_DROPPED}\t{part}\t{token}\n" for token, part in lost.items())
    return len(lost)


def _tail(file: Path) -> list[str]:
    """Return a log's last whole lines."""
    with file.open("rb") as log:
        size = log.seek(0, 2)
        begin = log.seek(max(size - _TAIL_BYTES, 0))
        lines = log.read().decode(errors="replace").split("\n")
    whole = lines[1 if begin else 0 : -1]
    return [line for line in whole if line.count("\t") == 2]  # noqa: PLR2004  (three fields)


def _kept_blocks(table: Path) -> dict[str, list[tuple[int, int]]]:
    """Return the first and last block of each part on disk, by partition."""
    blocks = defaultdict(list)
    for entry in table.iterdir():
        if part := _PART.fullmatch(entry.name):
            blocks[part["partition"]].append((int(part["first"]), int(part["last"])))
    return blocks


def _is_kept(name: str, kept: dict[str, list[tuple[int, int]]]) -> bool:
    """Whether a part, or one that it was merged into, is there; what has no part's name is left alone."""
    part = _PART.fullmatch(name)
    if part is None:
        return True
    first, last = int(part["first"]), int(part["last"])
    return any(low <= first and last <= high for low, high in kept[part["partition"]])
