"""Folders of processes, alive and dead, and the bound that they share."""

import os
from pathlib import Path

import pytest

from glasshouse.delivery.batch import Batch
from glasshouse.delivery.process_folder import ProcessFolder, folders
from glasshouse.delivery.spool import Spool, default_spool_dir, spool_folder

_URLS = {"logs": "http://collector:4318/v1/logs"}
_BOUND = 1 << 20


def _spool(root: Path) -> Spool:
    return Spool(root, _BOUND)


def _batch(number: int = 1, size: int = 10) -> Batch:
    return Batch("logs", number.to_bytes(4) + bytes(size), number)


def test_what_a_dead_process_left_is_adopted(tmp_path: Path) -> None:
    """A folder whose lock is free is emptied into one's own, oldest first, and removed."""
    dead = _spool(tmp_path)
    for number in (2, 1, 3):
        dead.write(_batch(number))
    dead.close()
    spool = _spool(tmp_path)
    inherited = spool.adopt()
    assert [spool.read(stored) for stored in inherited] == [_batch(1), _batch(2), _batch(3)]
    assert len(folders(tmp_path)) == 1


def test_what_a_living_process_keeps_is_not_touched(tmp_path: Path) -> None:
    """A folder whose owner lives is left alone."""
    alive, spool = _spool(tmp_path), _spool(tmp_path)
    stored = alive.write(_batch())
    assert spool.adopt() == []
    assert alive.read(stored) == _batch()


def test_only_one_of_many_adopts(tmp_path: Path) -> None:
    """What one process has taken over, no other does."""
    dead = _spool(tmp_path)
    dead.write(_batch())
    dead.close()
    spools = [_spool(tmp_path) for _ in range(5)]
    assert sorted(len(spool.adopt()) for spool in spools) == [0, 0, 0, 0, 1]


def test_dead_letters_are_inherited_too(tmp_path: Path) -> None:
    """A refused batch does not wait again unless asked to, and then it does."""
    dead = _spool(tmp_path)
    dead.refuse(_batch(), "400")
    dead.close()
    spool = _spool(tmp_path)
    assert spool.adopt() == []
    assert spool.refused_bytes() > 0
    assert [spool.read(stored) for stored in spool.retry_refused()] == [_batch()]
    assert spool.refused_bytes() == 0


def test_a_torn_file_does_not_stay(tmp_path: Path) -> None:
    """What a process was writing when it was killed is removed with its folder."""
    dead = ProcessFolder.create(tmp_path)
    (dead.path / f".{1:019d}-00000000.logs").write_bytes(b"half")
    dead.close()
    _spool(tmp_path).adopt()
    assert folders(tmp_path) == []


def test_an_empty_folder_goes_with_its_process(tmp_path: Path) -> None:
    """Nothing is left behind where all was delivered."""
    spool = _spool(tmp_path)
    spool.remove(spool.write(_batch()))
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_removed_under_the_lock_is_not_taken(tmp_path: Path) -> None:
    """Who locks a file that is no longer in its place has nothing."""
    assert ProcessFolder.take(tmp_path / "gone") is None


def test_dead_letters_are_bounded(tmp_path: Path) -> None:
    """Dead letters keep to a quarter of the bound, and the oldest go first."""
    spool = _spool(tmp_path)
    for number in range(100):
        spool.refuse(_batch(number), "400")
    assert spool.refused_bytes() == _BOUND // 4
    kept = [spool.read(stored).created_ns for stored in spool.retry_refused()]
    assert kept == list(range(100 - 64, 100))


def test_processes_share_the_bound(tmp_path: Path) -> None:
    """Only together do they have to give up something, and only those above an equal share."""
    big, small = _spool(tmp_path), _spool(tmp_path)
    big.write(_batch())
    small.write(_batch())
    assert big.excess(_BOUND * 3 // 4) == 0
    assert small.excess(_BOUND // 4) == 0
    assert small.excess(_BOUND // 2) == 0
    assert big.excess(_BOUND * 3 // 4) == _BOUND // 4


def test_folders_are_private(tmp_path: Path) -> None:
    """Nobody but the user can look into the spool."""
    root = tmp_path / "state" / "spool"
    _spool(root).write(_batch())
    modes = {path: path.stat().st_mode & 0o777 for path in (root, *folders(root))}
    assert set(modes.values()) == {0o700}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_not_used(tmp_path: Path) -> None:
    """A folder that someone else made, as in /tmp, gets no telemetry."""
    root = tmp_path / "spool"
    root.mkdir()
    os.chown(root, 12345, 12345)
    with pytest.raises(PermissionError, match="another user"):
        _spool(root).write(_batch())


def test_each_endpoint_and_service_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """What waits for one endpoint is not sent to another, nor with another service's key."""

    def folder(service: str | None, url: str) -> Path:
        return spool_folder(tmp_path, service, {"logs": url})

    here = "http://collector:4318/v1/logs"
    assert folder("shop", here) == folder("shop", here)
    others = {folder("shop", "http://other:4318/v1/logs"), folder("cart", here), folder(None, here)}
    assert len({folder("shop", here), *others}) == 4


def test_no_secret_decides_the_folder(tmp_path: Path) -> None:
    """A password or a token in the address may change, and cannot be guessed from the folder's name."""
    plain = spool_folder(tmp_path, "shop", {"logs": "http://collector/v1/logs"})
    assert spool_folder(tmp_path, "shop", {"logs": "http://me:secret@collector/v1/logs?token=1"}) == plain


def test_a_service_name_cannot_leave_the_spool(tmp_path: Path) -> None:
    """Whatever a service is called, its folder lies in the spool."""
    for name in ("../../etc", "/etc", "..", ".hidden", "x" * 1000, "näme\0"):
        folder = spool_folder(tmp_path, name, {"logs": "http://collector/v1/logs"})
        assert folder.parent == tmp_path
        assert not folder.name.startswith(".")
        assert len(folder.name) < 100


def test_the_default_is_the_users_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_STATE_HOME counts where it is absolute, as its specification says."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_spool_dir() == tmp_path / "glasshouse" / "spool"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_spool_dir() == Path("/home/me/.local/state/glasshouse/spool")
