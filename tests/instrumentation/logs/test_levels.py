"""Which level counts, and that the application's own handlers go on as they were."""

import logging
from collections.abc import Callable

import pytest

from memory_telemetry import MemoryTelemetry

Install = Callable[..., Callable[[], None]]


class _Kept(logging.Handler):
    """A handler of the application."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def own_handler() -> _Kept:
    """Return a handler that the application has on its root logger."""
    handler = _Kept()
    logging.getLogger().addHandler(handler)
    return handler


def test_the_level_is_the_lowest_exported(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """Even where a logger of the application lets more through."""
    install(log_level="warning")
    application.setLevel(logging.DEBUG)
    application.info("below")
    application.warning("at")
    assert telemetry.record().body == "at"


def test_levels_by_logger_are_more_precise(install: Install, telemetry: MemoryTelemetry) -> None:
    """Up or down, for a logger and those below it."""
    undo = install(log_levels={"noisy": "ERROR", "shop.sql": "DEBUG"})
    logging.getLogger("noisy.pool").warning("quiet now")
    logging.getLogger("shop.sql.engine").debug("SELECT 1")
    logging.getLogger("shop.sqlite").debug("not below it")
    assert telemetry.record().body == "SELECT 1"
    undo()
    assert logging.getLogger("noisy").level == logging.NOTSET


def test_the_applications_handlers_get_what_they_got(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger, own_handler: _Kept
) -> None:
    """That INFO is exported does not put it into a file that only had warnings."""
    install()
    application.info("new")
    application.warning("as ever")
    assert own_handler.messages == ["as ever"]
    assert [record.body for record in telemetry.records()] == ["new", "as ever"]
    application.setLevel(logging.INFO)
    application.info("the application wants it")
    assert own_handler.messages == ["as ever", "the application wants it"]


def test_an_application_that_sets_the_level_itself_gets_it(
    install: Install, application: logging.Logger, own_handler: _Kept
) -> None:
    """Even the very level that was set here."""
    undo = install()
    logging.getLogger().setLevel(logging.INFO)
    application.info("now wanted")
    assert own_handler.messages == ["now wanted"]
    undo()
    assert logging.getLogger().level == logging.INFO


def test_undo_takes_the_level_back(install: Install) -> None:
    """To what the application had."""
    root = logging.getLogger()
    undo = install(log_level="DEBUG")
    assert root.level == logging.DEBUG
    undo()
    assert root.level == logging.WARNING
