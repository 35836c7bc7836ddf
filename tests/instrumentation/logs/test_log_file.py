"""The log file and its rotation."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glasshouse.logs.log_file import LogFile
from glasshouse.settings import SettingsError

Install = Callable[..., Callable[[], None]]

WRITER = """
import sys
from pathlib import Path
from glasshouse.logs.log_file import LogFile
name, path = sys.argv[1:]
log_file = LogFile(Path(path), 10_000, 1_000)
for number in range(1_000):
    log_file.write(f"{name}-{number}" + "." * 40)
"""


def test_it_gets_what_is_logged(install: Install, tmp_path: Path) -> None:
    """As JSON lines, in a folder that is made; `undo` closes it."""
    path = tmp_path / "logs" / "shop.log"
    undo = install(log_file=path, service_name="shop")
    logging.getLogger("plain").info("one", extra={"order_id": 42})
    undo()
    logging.getLogger("plain").warning("two")
    (line,) = path.read_text().splitlines()
    shown = json.loads(line)
    assert (shown["message"], shown["service"], shown["order.id"]) == ("one", "shop", 42)


def test_it_is_rotated_at_its_size(tmp_path: Path) -> None:
    """The newest lines are in the file, older ones behind it, and the oldest go."""
    log_file = LogFile(tmp_path / "shop.log", 20, 2)
    for number in range(8):
        log_file.write(f"line {number}")
    log_file.close()
    assert (tmp_path / "shop.log").read_text() == "line 6\nline 7\n"
    assert (tmp_path / "shop.log.1").read_text() == "line 4\nline 5\n"
    assert (tmp_path / "shop.log.2").read_text() == "line 2\nline 3\n"
    assert not (tmp_path / "shop.log.3").exists()


def test_none_kept_and_never_rotated(tmp_path: Path) -> None:
    """A count of 0 begins anew, a size of 0 never does."""
    fresh = LogFile(tmp_path / "fresh.log", 10, 0)
    endless = LogFile(tmp_path / "endless.log", 0, 5)
    for number in range(4):
        fresh.write(f"line {number}")
        endless.write(f"line {number}")
    assert (tmp_path / "fresh.log").read_text() == "line 3\n"
    assert len((tmp_path / "endless.log").read_text().splitlines()) == 4
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"fresh.log", "endless.log"}
    fresh.close()
    endless.close()


def test_several_processes_lose_no_line(tmp_path: Path) -> None:
    """They rotate one at a time, and each goes on in the new file."""
    path = tmp_path / "shop.log"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name, str(path)]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    files = [each for each in tmp_path.iterdir() if not each.name.endswith(".lock")]
    lines = [line for each in files for line in each.read_text().splitlines()]
    assert len(files) > 3
    assert max(each.stat().st_size for each in files) <= 10_000 + 3 * 60
    expected = [f"{name}-{number}{'.' * 40}" for name in "abc" for number in range(1_000)]
    assert sorted(lines) == sorted(expected)


def test_a_file_moved_by_others_is_made_anew(tmp_path: Path) -> None:
    """As logrotate does it."""
    log_file = LogFile(tmp_path / "shop.log", 0, 0)
    log_file.write("one")
    (tmp_path / "shop.log").rename(tmp_path / "moved.log")
    log_file.write("two")
    log_file.close()
    log_file.write("three")
    log_file.close()
    assert (tmp_path / "moved.log").read_text() == "one\n"
    assert (tmp_path / "shop.log").read_text() == "two\nthree\n"


def test_a_file_that_cannot_be_written_is_said_at_once(install: Install, tmp_path: Path) -> None:
    """With the setting's name, and nothing is left installed."""
    before = logging.Logger.callHandlers
    with pytest.raises(SettingsError, match=r"log_file: .* cannot be written: Is a directory"):
        install(log_file=tmp_path)
    assert logging.Logger.callHandlers is before
