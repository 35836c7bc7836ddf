"""`glasshouse dlq`: what a user sees of dead letters."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from glasshouse.cli import main
from glasshouse_collector.core.batch import Frame, RequestKind
from glasshouse_collector.journal import DeadLetters

FRAME = Frame(RequestKind.LOGS, "shop", 3, 1_700_000_000_000_000_000, b"no OTLP")


@pytest.fixture
def letter(tmp_path: Path) -> str:
    """Return the id of a dead letter in the data folder."""
    letters = DeadLetters(tmp_path / "dead-letters")
    return letters.write_frame(FRAME, exporter="clickhouse", reason="its wire format is broken")


def _dlq(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["dlq", *arguments, "--data-dir", str(folder)], env={"COLUMNS": "200"})


def test_a_letter_is_listed_and_shown_with_its_reason(tmp_path: Path, letter: str) -> None:
    """Enough to tell what was refused, by whom, and why."""
    listed, shown = _dlq(tmp_path, "list"), _dlq(tmp_path, "show", letter)
    for answer in (listed, shown):
        assert answer.exit_code == 0, answer.output
        assert "clickhouse" in answer.output
        assert "wire format is broken" in answer.output


def test_a_replay_is_asked_for(tmp_path: Path, letter: str) -> None:
    """The collector on that folder finds the request."""
    assert _dlq(tmp_path, "replay", letter).exit_code == 0
    pending = DeadLetters(tmp_path / "dead-letters").pending_replays("clickhouse")
    assert [each.id for each in pending] == [letter]


@pytest.mark.parametrize("arguments", [("show", "none-such"), ("replay", "none-such"), ("replay",)])
def test_what_is_not_there_is_said(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A mistyped id is named; exit code 2."""
    (tmp_path / "dead-letters").mkdir()
    answer = _dlq(tmp_path, *arguments)
    assert answer.exit_code == 2, answer.output
    assert arguments[-1] in answer.output


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A mistyped folder does not look like one without dead letters."""
    answer = _dlq(tmp_path / "typo", "list")
    assert answer.exit_code == 2
    assert "typo" in answer.output
