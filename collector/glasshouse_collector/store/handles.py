"""Connections to the engine inside this process, lent for one statement at a time.

A handle's settings stay with it until it is closed. Making one and setting it costs a millisecond of CPU,
so our own questions, which come with few different settings, find one from before (docs/store.md).
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from glasshouse_collector.store.engine import EngineFailure, Options, Parameters, literal

_MOST_KEPT: Final = 32
"""Of some 85 kB each."""
_COMMENT: Final = "log_comment"
_CODE: Final = re.compile(r"Code: (\d+)\.")
_TRAILER: Final = re.compile(r"\s*\(version [^)]*(?:\([^)]*\)[^)]*)*\)")


@dataclass(slots=True)
class _Kept:
    connection: Any
    settings: Options
    comment: str | int


class Handles:
    """Lends chDB's connections to one folder; every method may be called from any thread."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._first = connect()
        self._kept: list[_Kept] = []
        self._lent = 0
        self._closing = False
        self._changed = threading.Condition()

    @contextmanager
    def new(self) -> Iterator[Any]:
        """Lend a connection that nobody had before, nor will after; `EngineFailure` once this is closing."""
        with self._lending():
            connection = self._connect()
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def with_settings(self, options: Options) -> Iterator[Any]:
        """Lend a connection with these settings and no other.

        It is kept for the next one who wants the same, whatever the comment, unless its statement fails:
        never run on it what sets anything. Raises `EngineFailure` as `new` does.
        """
        settings = {name: value for name, value in options.items() if name != _COMMENT}
        comment = options.get(_COMMENT, "")
        with self._lending():
            kept = self._taken(settings) or self._made(settings)
            try:
                if kept.comment != comment:
                    set_options(kept.connection, {_COMMENT: comment})
                    kept.comment = comment
                yield kept.connection
            except BaseException:
                kept.connection.close()
                raise
            self._keep(kept)

    def close(self) -> None:
        """Wait for what is lent, then let go of the engine. Safe repeatedly, and at once."""
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: self._lent == 0)
            kept, self._kept = self._kept, []
            for it in kept:
                it.connection.close()
            self._first.close()

    @contextmanager
    def _lending(self) -> Iterator[None]:
        with self._changed:
            if self._closing:
                raise EngineFailure("the store is closed", code=None)
            self._lent += 1
        try:
            yield
        finally:
            with self._changed:
                self._lent -= 1
                self._changed.notify_all()

    def _taken(self, settings: Options) -> _Kept | None:
        with self._changed:
            for number in reversed(range(len(self._kept))):
                if self._kept[number].settings == settings:
                    return self._kept.pop(number)
        return None

    def _made(self, settings: Options) -> _Kept:
        connection = self._connect()
        try:
            set_options(connection, settings)
        except BaseException:
            connection.close()
            raise
        return _Kept(connection, settings, "")

    def _keep(self, kept: _Kept) -> None:
        with self._changed:
            self._kept.append(kept)
            oldest = self._kept.pop(0) if len(self._kept) > _MOST_KEPT else None
        if oldest:
            oldest.connection.close()


def set_options(connection: Any, options: Options) -> None:
    """Set them for the statements that follow on this connection; raises `EngineFailure`."""
    if options:
        run(connection, "SET " + ", ".join(f"{k} = {literal(v)}" for k, v in options.items()), "Null")


def run(connection: Any, sql: str, output: str, parameters: Parameters | None = None) -> Any:
    """Run a statement, with parameters escaped as in tab-separated text; raises `EngineFailure`."""
    try:
        return connection.query(sql, output, params=dict(parameters or {}))
    except Exception as failure:  # noqa: BLE001  (chDB raises bare ones)
        raise engine_failure(failure) from None


def engine_failure(failure: Exception) -> EngineFailure:
    """Read what chDB raised: ClickHouse's text with its code."""
    code = _CODE.search(str(failure))
    return EngineFailure(engine_message(failure), code=int(code.group(1)) if code else None)


def engine_message(failure: Exception) -> str:
    """Return ClickHouse's text, from its code on and without its version."""
    text = str(failure)
    return _TRAILER.sub("", text[max(text.find("Code: "), 0) :]).strip()
