"""One batch as a file: a line with a checksum and JSON that describes it, then the body.

The checksum covers all that follows it, so that a torn or changed file is found and never sent. The file
appears whole, by rename. It is not synced: it outlives the process, a loss of power it may not.
"""

import json
import os
import re
import secrets
import stat
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from glasshouse.delivery.batch import CONTENT_ENCODINGS, CONTENT_TYPES, SIGNALS, Batch, Signal

MOST_BODY_BYTES = 64 << 20
REFUSED = ".refused"

_VERSION = 1
_MOST_HEADER_BYTES = 4096
_MOST_REASON = 500
_BLOCK_BYTES = 4096
# As lists of one, which anything can be compared with: a file may hold what no set can.
_TYPES = [[each] for each in CONTENT_TYPES]
_ENCODINGS = [[each] for each in CONTENT_ENCODINGS]
_NAME = re.compile(rf"(\d{{19}})-[0-9a-f]{{8}}\.({'|'.join(SIGNALS)})({re.escape(REFUSED)})?")


class DamagedFileError(Exception):
    """The file is not what was written: torn, changed, or never a batch."""


class Stored(NamedTuple):
    """A batch's file in a folder, as its name tells."""

    created_ns: int
    signal: Signal
    name: str
    disk_bytes: int

    @property
    def refused(self) -> bool:
        """Whether it is a dead letter."""
        return self.name.endswith(REFUSED)


def disk_bytes(size: int) -> int:
    """Return what a file of this size takes on disk, which small files are made of."""
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES


def find(folder: Path) -> list[Stored]:
    """Return the batches in a folder, oldest first; what else lies there is passed over."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and entry.is_file(follow_symlinks=False):
                size = disk_bytes(entry.stat(follow_symlinks=False).st_size)
                signal: Any = match[2]
                found.append(Stored(int(match[1]), signal, entry.name, size))
    return sorted(found)


def write(folder: Path, batch: Batch, *, refused: str | None = None) -> Stored:
    """Write a batch, as a dead letter with the reason where it was refused; OSError leaves nothing."""
    header = {
        "glasshouse": _VERSION,
        "content_type": batch.content_type,
        "content_encoding": batch.content_encoding,
    }
    if refused is not None:
        header["reason"] = refused[:_MOST_REASON]
    suffix = "" if refused is None else REFUSED
    name = f"{batch.created_ns:019d}-{secrets.token_hex(4)}.{batch.signal}{suffix}"
    described = json.dumps(header).encode() + b"\n"
    line = b"%08x %b" % (zlib.crc32(batch.body, zlib.crc32(described)), described)
    unfinished = folder / f".{name}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(unfinished, flags, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(line)
            file.write(batch.body)
        unfinished.rename(folder / name)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return Stored(batch.created_ns, batch.signal, name, disk_bytes(len(line) + len(batch.body)))


def read(path: Path) -> Batch:
    """Return the batch in a file; DamagedFileError or OSError where it cannot be had."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise DamagedFileError("not the name of a batch")
    header, body = _parts(path)
    content_type: Any = header.get("content_type")
    encoding: Any = header.get("content_encoding")
    if [content_type] not in _TYPES or [encoding] not in _ENCODINGS:
        raise DamagedFileError("the body is of an unknown type")
    signal: Any = match[2]
    return Batch(signal, body, int(match[1]), content_type, encoding)


def reason(path: Path) -> str | None:
    """Return why a batch was refused; None for one that waits; OSError where there is no such file."""
    if not path.name.endswith(REFUSED):
        return None
    try:
        return str(_parts(path, only_described=True)[0].get("reason") or "damaged")
    except DamagedFileError as damage:
        return f"damaged: {damage}"


def _parts(path: Path, *, only_described: bool = False) -> tuple[dict[str, Any], bytes]:
    # O_NONBLOCK: opening a pipe that someone has put there must not hang.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BODY_BYTES + _MOST_HEADER_BYTES:
            raise DamagedFileError("not a file of the right size")
        checksum, space, described = file.readline(_MOST_HEADER_BYTES).partition(b" ")
        body = b"" if only_described else file.read(MOST_BODY_BYTES)
    whole = b"%08x" % zlib.crc32(body, zlib.crc32(described))
    if not space or (checksum != whole and not only_described):
        raise DamagedFileError("the checksum is wrong")
    try:
        header = json.loads(described)
    except (ValueError, RecursionError):
        raise DamagedFileError("the description is unreadable") from None
    if not isinstance(header, dict) or header.get("glasshouse") != _VERSION:
        raise DamagedFileError("the description is of another format")
    return header, body
