"""What is written is read back, or is known to be damaged."""

import contextlib
import json
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasshouse.delivery import batch_file
from glasshouse.delivery.batch import SIGNALS, Batch
from glasshouse.delivery.batch_file import DamagedFileError

_ANY_BATCH = st.builds(
    Batch,
    signal=st.sampled_from(SIGNALS),
    body=st.binary(max_size=5000),
    created_ns=st.integers(0, 2**62),
    content_type=st.sampled_from(["application/x-protobuf", "application/json"]),
    content_encoding=st.sampled_from([None, "gzip", "deflate"]),
)
_in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@_in_one_folder
@given(batch=_ANY_BATCH)
def test_what_is_written_is_read_back(tmp_path: Path, batch: Batch) -> None:
    """A batch in a file is the batch, and its name tells signal, age and size."""
    stored = batch_file.write(tmp_path, batch)
    path = tmp_path / stored.name
    assert batch_file.read(path) == batch
    assert batch_file.find(tmp_path) == [stored]
    assert stored.disk_bytes >= path.stat().st_size
    path.unlink()


@_in_one_folder
@given(batch=_ANY_BATCH, place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_bit_never_changes_what_is_sent(
    tmp_path: Path, batch: Batch, place: float, bit: int
) -> None:
    """A file with one bit flipped is damaged, or still holds the same."""
    path = tmp_path / batch_file.write(tmp_path, batch).name
    written = bytearray(path.read_bytes())
    written[int(place * len(written))] ^= 1 << bit
    path.write_bytes(written)
    with contextlib.suppress(DamagedFileError):
        assert batch_file.read(path) == batch
    path.unlink()


@_in_one_folder
@given(batch=_ANY_BATCH, kept=st.floats(0, 1, exclude_max=True))
def test_a_torn_file_is_damaged(tmp_path: Path, batch: Batch, kept: float) -> None:
    """A file that ends too early is never sent."""
    path = tmp_path / batch_file.write(tmp_path, batch).name
    os.truncate(path, int(kept * path.stat().st_size))
    with pytest.raises(DamagedFileError):
        batch_file.read(path)
    path.unlink()


_HEADER = {"glasshouse": 1, "content_type": "application/x-protobuf", "content_encoding": None}


def _hostile(path: Path, kind: str) -> None:
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "huge":
            path.touch()
            os.truncate(path, 1 << 40)
        case "no line":
            path.write_bytes(b"{" * 100_000)
        case "deep":
            _described(path, b"[" * 4000)
        case "another version":
            _described(path, json.dumps(_HEADER | {"glasshouse": 2}).encode())
        case "header injection":
            _described(path, json.dumps(_HEADER | {"content_type": "a/b\r\nX-Evil: 1"}).encode())
        case _:
            _described(path, json.dumps(_HEADER | {"content_encoding": ["gzip"]}).encode())


def _described(path: Path, description: bytes) -> None:
    path.write_bytes(b"%08x %b\n" % (zlib.crc32(description + b"\n"), description))


@pytest.mark.parametrize(
    "kind", ["pipe", "huge", "no line", "deep", "another version", "header injection", "a list"]
)
def test_what_no_exporter_wrote_is_damaged(tmp_path: Path, kind: str) -> None:
    """Whatever someone puts into the folder is refused, at once and without being read whole."""
    path = tmp_path / f"{1:019d}-00000000.logs"
    _hostile(path, kind)
    with pytest.raises(DamagedFileError):
        batch_file.read(path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link in the spool does not send the file that it points to."""
    stored = batch_file.write(tmp_path, Batch("logs", b"secret", 1))
    link = tmp_path / "folder"
    link.mkdir()
    link /= f"{1:019d}-00000000.logs"
    link.symlink_to(tmp_path / stored.name)
    assert batch_file.find(link.parent) == []
    with pytest.raises(OSError, match="symbolic"):
        batch_file.read(link)


def test_files_are_private(tmp_path: Path) -> None:
    """Nobody but the user can read telemetry on disk."""
    stored = batch_file.write(tmp_path, Batch("logs", b"body", 1))
    assert (tmp_path / stored.name).stat().st_mode & 0o777 == 0o600


def test_a_dead_letter_tells_its_reason(tmp_path: Path) -> None:
    """The reason stands in the file, and a damaged one says so."""
    stored = batch_file.write(tmp_path, Batch("logs", b"body", 1), refused="400 bad")
    path = tmp_path / stored.name
    assert stored.refused
    assert batch_file.reason(path) == "400 bad"
    path.write_bytes(b"nonsense")
    assert str(batch_file.reason(path)).startswith("damaged")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot get its name, no half of it stays."""
    batch = Batch("logs", b"body", 1)
    monkeypatch.setattr("secrets.token_hex", lambda _: "00000000")
    (tmp_path / f"{1:019d}-00000000.logs" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=r".+"):
        batch_file.write(tmp_path, batch)
    assert [path.name for path in tmp_path.iterdir()] == [f"{1:019d}-00000000.logs"]
