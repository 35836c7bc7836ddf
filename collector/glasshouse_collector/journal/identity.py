"""Which journal this is, and that only one process has it."""

import fcntl
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.journal.files import write_atomically

FILE_NAME = "identity"
LOCK_NAME = "lock"
ID_BYTES = 4
KEY_BYTES = 8


@dataclass(frozen=True, slots=True)
class Identity:
    """The journal's id, part of every batch id, and its key.

    The key goes into every frame's checksum and is told to nobody: bytes that a sender made to look
    like a frame are none, however the file around them is damaged.
    """

    id: str
    key: bytes

    def to_bytes(self) -> bytes:
        """Return the identity as it is kept in its file."""
        content = json.dumps({"id": self.id, "key": self.key.hex()})
        return f"{crc32(content.encode()):08x} {content}\n".encode()

    @classmethod
    def from_bytes(cls, kept: bytes) -> "Identity | None":
        """Return what `to_bytes` gave, None where the bytes are damaged."""
        checksum, _, content = kept.rstrip(b"\n").partition(b" ")
        if checksum != b"%08x" % crc32(content):
            return None
        fields = json.loads(content)
        return cls(id=fields["id"], key=bytes.fromhex(fields["key"]))


def load_identity(
    directory: Path, from_segments: Sequence[Identity], *, has_frames: bool, renew: bool
) -> Identity:
    """Return the directory's identity; a lost file is made again from a segment.

    A journal that is new, or remembers no segment number (`renew`), gets a new one: batch ids of its
    past must not come again. Raises `ConfigurationError` where frames are left that nothing identifies.
    """
    path = directory / FILE_NAME
    identity = Identity.from_bytes(path.read_bytes()) if path.exists() else None
    if identity and not renew:
        return identity
    if from_segments:
        identity = from_segments[0]
    elif has_frames:
        raise ConfigurationError(
            f"the journal in {directory} has lost its identity (the file {FILE_NAME} and the headers of "
            "the segments are damaged), so its frames cannot be told from rubbish: move the directory away"
        )
    else:
        identity = Identity(id=secrets.token_hex(ID_BYTES), key=secrets.token_bytes(KEY_BYTES))
    write_atomically(path, identity.to_bytes())
    return identity


class DirectoryLock:
    """Holds a directory for one process, until released or the process is gone."""

    def __init__(self, directory: Path) -> None:
        """Take the lock; raises `ConfigurationError` where another process has it, OSError."""
        self._descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 20).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise ConfigurationError(
                f"the journal in {directory} is in use by another collector (process {holder or 'unknown'}): "
                "stop that one, or give this one a data folder of its own"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let the next process in."""
        os.close(self._descriptor)
