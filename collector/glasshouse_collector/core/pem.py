"""Files in PEM: certificates and keys. What is named as one may be anything: a pipe, a device, a film."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MOST_BYTES = 1 << 20
"""Of one file; a chain has some thousand bytes."""


class Unreadable(ValueError):
    """A file that does not hold what it should; says why."""


def content_of(path: Path) -> bytes:
    """Return the bytes of a file, `MOST_BYTES` at most and without waiting; raises `Unreadable`."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable("it is no file; a PEM file is expected")
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as failed:
        raise Unreadable(f"it cannot be read: {getattr(failed, 'strerror', None) or failed}") from None
    if len(content) > MOST_BYTES:
        raise Unreadable(f"it has more than {MOST_BYTES} bytes; a PEM file of one chain is expected")
    return content


def certificates_in(content: bytes) -> "list[Certificate]":
    """Return the certificates, one at least, in their order; what lies beside them is passed over.

    Raises `Unreadable`.
    """
    from cryptography import x509  # noqa: PLC0415  (17 MB that a collector without files needs not)

    try:
        return x509.load_pem_x509_certificates(content)
    except Exception as broken:
        why = "is damaged" if b"-----BEGIN CERTIFICATE-----" in content else "is missing"
        raise Unreadable(
            f"a certificate {why}; PEM is expected, with '-----BEGIN CERTIFICATE-----'"
        ) from broken


def looks(path: Path) -> tuple[int, ...] | None:
    """Return what changes with a file, also behind a link; None where there is no telling."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting, as a pipe would until someone writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)
