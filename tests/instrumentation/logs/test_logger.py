"""The structured logger."""

import asyncio
import logging
from collections.abc import Callable

import pytest

import glasshouse
from glasshouse.logs import Logger, get_logger
from memory_telemetry import MemoryTelemetry, attributes

Install = Callable[..., Callable[[], None]]


def test_it_is_the_public_name() -> None:
    """`glasshouse.get_logger` is this one."""
    assert glasshouse.get_logger is get_logger


@pytest.mark.parametrize(
    ("method", "severity"),
    [
        ("debug", "DEBUG"),
        ("info", "INFO"),
        ("warn", "WARN"),
        ("warning", "WARN"),
        ("error", "ERROR"),
        ("critical", "FATAL"),
        ("fatal", "FATAL"),
    ],
)
def test_every_level_has_its_method(
    method: str, severity: str, install: Install, telemetry: MemoryTelemetry
) -> None:
    """By the names that other systems have for them, too."""
    install(log_level="DEBUG")
    getattr(get_logger("shop.cart"), method)("said")
    assert telemetry.record().severity_text == severity


def test_a_level_may_be_a_number(install: Install, telemetry: MemoryTelemetry) -> None:
    """Those between the named ones as well."""
    install()
    get_logger("shop.cart").log(25, "between")
    assert telemetry.record().severity_number.name == "INFO4"


def test_fields_may_be_called_as_a_records_own(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """`logging` would raise for `name` or `module` in `extra`."""
    install()
    get_logger("shop.cart").info(
        "said", name="n", module="m", args=(1, 2), message="text", level="l", event_="e"
    )
    found = attributes(telemetry.record())
    assert found == {
        "name": "n",
        "module": "m",
        "args": [1, 2],
        "message": "text",
        "level": "l",
        "event_": "e",
    }
    assert telemetry.record().body == "said"


def test_the_spellings_of_other_systems_are_understood(install: Install, telemetry: MemoryTelemetry) -> None:
    """`extra` and `metadata` spread their fields; `error_type` and its like are of the exception."""
    install()
    log = get_logger("shop.cart")
    log.error("declined", error_type="PaymentError", extra={"order_id": 1}, metadata={"attempt": 2})
    assert attributes(telemetry.record()) == {
        "exception.type": "PaymentError",
        "order.id": 1,
        "attempt": 2,
    }


def test_bound_fields_go_with_all_it_logs(install: Install, telemetry: MemoryTelemetry) -> None:
    """A bound logger is another logger; those of a call beat them."""
    install()
    log = get_logger("shop.cart", region="eu")
    bound = log.bind(order_id=1)
    bound.info("one", region="us")
    log.info("two")
    bound.unbind("region").info("three")
    assert [attributes(record) for record in telemetry.records()] == [
        {"region": "us", "order.id": 1},
        {"region": "eu"},
        {"order.id": 1},
    ]


def test_an_exception_may_be_given(install: Install, telemetry: MemoryTelemetry) -> None:
    """As `exc_info`, as `exception`, or as the one being handled."""
    install()
    log = get_logger("shop.cart")
    log.error("a", exc_info=KeyError("k"))
    log.error("b", exception=ValueError("v"))
    try:
        raise IndexError("i")  # noqa: TRY301 - one line says it
    except IndexError:
        log.exception("c")
    found = [attributes(record)["exception.type"] for record in telemetry.records()]
    assert found == ["KeyError", "ValueError", "IndexError"]


def test_without_an_exception_the_callers_stack_is_taken(
    install: Install, telemetry: MemoryTelemetry
) -> None:
    """And it ends where the logger was called."""
    install()
    get_logger("shop.cart").error("negative balance", exc_info=True)
    found = attributes(telemetry.record())
    assert "exception.type" not in found
    assert 'get_logger("shop.cart").error("negative balance", exc_info=True)' in found["code.stacktrace"]
    assert "glasshouse/logs" not in found["code.stacktrace"]


def test_records_name_the_caller(install: Install, application: logging.Logger) -> None:
    """Handlers of the application see the line that logs, not ours."""
    install()
    seen: list[logging.LogRecord] = []

    def see(record: logging.LogRecord) -> bool:
        seen.append(record)
        return True

    application.addFilter(see)
    log = get_logger("shop.cart")
    log.warning("direct")
    log.log(logging.WARNING, "by number")

    def wrapped() -> None:
        log.warning("one further out", stacklevel=2)

    wrapped()
    application.removeFilter(see)
    assert {record.pathname for record in seen} == {__file__}
    assert [record.funcName for record in seen] == ["test_records_name_the_caller"] * 3


def test_it_logs_in_coroutines(install: Install, telemetry: MemoryTelemetry) -> None:
    """By structlog's methods that are awaited, with the context of the task."""
    install()

    async def run() -> None:
        glasshouse.bind(user_id="u1")
        await get_logger("shop.cart").ainfo("awaited", order_id=1)

    asyncio.run(run())
    assert attributes(telemetry.record()) == {"order.id": 1, "user.id": "u1"}


def test_levels_and_filters_of_logging_apply(
    install: Install, telemetry: MemoryTelemetry, application: logging.Logger
) -> None:
    """It is the `logging` logger of its name, with more to say."""
    install()
    application.setLevel(logging.ERROR)
    log = get_logger("shop.cart")
    log.warning("too low")
    application.setLevel(logging.NOTSET)
    application.disabled = True
    log.error("disabled")
    assert telemetry.records() == []


def test_it_works_without_configure(application: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """A library may use it in an application that does not use Glasshouse."""
    log = get_logger("shop.cart")
    assert isinstance(log, Logger)
    with caplog.at_level(logging.INFO):
        log.info("said", order_id=42)
    (record,) = caplog.records
    assert record.message == "said"
    assert record.__dict__["order_id"] == 42


def test_a_message_may_have_arguments(install: Install, telemetry: MemoryTelemetry) -> None:
    """As in `logging`; and it need not be text."""
    install()
    get_logger("shop.cart").info("%s of %d", "one", 2)
    get_logger("shop.cart").info(None, order_id=1)
    assert [record.body for record in telemetry.records()] == ["one of 2", ""]
