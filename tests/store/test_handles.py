"""Connections to the embedded engine: whose settings they have, who gets one again, and when none is left."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import chdb
import pytest

from collector_process import until
from glasshouse_collector.store.engine import EngineFailure, Options
from glasshouse_collector.store.handles import Handles, run

MANY: Options = {"max_block_size": 1234, "log_comment": "one"}
OTHERS: Options = {"max_block_size": 4321}


class Connection:
    """A connection of chDB's that says whether it was closed."""

    def __init__(self, path: Path) -> None:
        self._of_engine = chdb.connect(str(path))  # type: ignore[no-untyped-call]
        self.query = self._of_engine.query
        self.closed = False

    def close(self) -> None:
        """Close it."""
        self.closed = True
        self._of_engine.close()


@pytest.fixture
def made() -> list[Connection]:
    """Return the connections that were made, in turn."""
    return []


@pytest.fixture
def handles(tmp_path: Path, made: list[Connection]) -> Iterator[Handles]:
    """Lend handles to a folder."""

    def connect() -> Connection:
        made.append(Connection(tmp_path))
        return made[-1]

    handles = Handles(connect)
    yield handles
    handles.close()


def told(handles: Handles, options: Options, setting: str) -> str:
    """Return a setting as a statement with these options finds it."""
    with handles.with_settings(options) as connection:
        return str(
            run(connection, f"SELECT toString(getSetting('{setting}'))", "TSV").bytes().decode()
        ).strip()


def test_settings_are_those_asked_for(handles: Handles) -> None:
    """Nobody gets what another one set, in whatever order they come."""
    without = told(handles, {}, "max_block_size")
    for _ in range(2):
        assert told(handles, MANY, "max_block_size") == "1234"
        assert told(handles, OTHERS, "max_block_size") == "4321"
        assert told(handles, {}, "max_block_size") == without


def test_one_is_lent_again_to_who_wants_the_same(handles: Handles, made: list[Connection]) -> None:
    """The comment, by which a question is cancelled, is each statement's own."""
    before = len(made)
    assert told(handles, MANY, "log_comment") == "one"
    assert told(handles, {**MANY, "log_comment": "two"}, "log_comment") == "two"
    assert told(handles, {"max_block_size": 1234}, "log_comment") == ""
    assert len(made) == before + 1
    told(handles, OTHERS, "log_comment")
    assert len(made) == before + 2


def test_one_is_lent_to_one_at_a_time(handles: Handles) -> None:
    """Who asks while another one asks the same gets a connection of his own."""
    with handles.with_settings(MANY) as one, handles.with_settings(MANY) as other:
        assert one is not other


def test_one_whose_statement_failed_is_not_kept(handles: Handles, made: list[Connection]) -> None:
    """Nobody gets a connection in a state that is not known."""
    with pytest.raises(EngineFailure, match="UNKNOWN_TABLE"), handles.with_settings(MANY) as failed:
        run(failed, "SELECT * FROM nothing_of_this_name", "TSV")
    with handles.with_settings(MANY) as another:
        assert another is not failed
    assert made[-1] is another


def test_a_setting_that_is_none_is_refused_each_time(handles: Handles) -> None:
    """A connection that could not be set is not kept as one that was."""
    for _ in range(2):
        with pytest.raises(EngineFailure, match="no_setting_of_this_name"):
            told(handles, {"no_setting_of_this_name": 1}, "max_block_size")


def test_no_more_are_kept_than_a_few(handles: Handles, made: list[Connection]) -> None:
    """The one that nobody wanted for longest goes."""
    for size in range(100, 140):
        told(handles, {"max_block_size": size}, "max_block_size")
    before = len(made)
    told(handles, {"max_block_size": 139}, "max_block_size")
    assert len(made) == before
    told(handles, {"max_block_size": 100}, "max_block_size")
    assert len(made) == before + 1
    assert made[1].closed
    assert not made[-2].closed


def test_closing_waits_for_what_is_lent(handles: Handles) -> None:
    """From then on nobody gets one, and the connection that runs is left to its statement."""
    with ExitStack() as lent:
        connection = lent.enter_context(handles.with_settings(MANY))
        closing = threading.Thread(target=handles.close)
        closing.start()
        until(lambda: refused(handles), "nobody gets one any more")
        assert closing.is_alive()
        assert run(connection, "SELECT 7", "TSV").bytes() == b"7\n"
    closing.join(60)
    assert not closing.is_alive()


def refused(handles: Handles) -> bool:
    """Tell whether no handle is lent any more."""
    try:
        with handles.new():
            return False
    except EngineFailure:
        return True
