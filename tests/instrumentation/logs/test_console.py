"""What is shown on the console, and by whom."""

import io
import json
import logging
import logging.config
import sys
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace

from application_process import Programs
from glasshouse import bind
from glasshouse.logs import get_logger
from memory_telemetry import MemoryTelemetry

Install = Callable[..., Callable[[], None]]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return the lines on standard error since the last time; pytest's own handlers are out of the way."""
    logging.getLogger().handlers = []

    def lines() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return lines


def _alone() -> None:
    # pytest puts its handlers back between a test's fixtures and the test.
    logging.getLogger().handlers = []


def test_json_lines(install: Install, printed: Callable[[], list[str]]) -> None:
    """With time, service, environment, version, what is bound, the ids of the span, and the fields."""
    install(log_format="json", service_name="shop", environment="test", release="1.2")
    with (
        trace.get_tracer(__name__).start_as_current_span("checkout") as span,
        bind(request_id="r1", user_id="u1", workspace_id="w1"),
    ):
        get_logger("shop.cart").info("order\nplaced", order_id=42, operation="checkout", status="success")
    (line,) = printed()
    shown = json.loads(line)
    here = span.get_span_context()
    time = shown.pop("time")
    assert time.endswith("Z")
    assert shown == {
        "level": "info",
        "logger": "shop.cart",
        "message": "order\nplaced",
        "service": "shop",
        "environment": "test",
        "version": "1.2",
        "trace_id": trace.format_trace_id(here.trace_id),
        "span_id": trace.format_span_id(here.span_id),
        "request.id": "r1",
        "user.id": "u1",
        "workspace.id": "w1",
        "order.id": 42,
        "operation": "checkout",
        "status": "success",
    }


def test_json_is_always_json(install: Install, printed: Callable[[], list[str]]) -> None:
    """A field never takes the place of the line's own names, and numbers that JSON lacks are text."""
    install(log_format="json")
    logging.getLogger("plain").warning(
        "\udc80", extra={"time": "t", "level": "l", "x": float("inf"), "y": "é"}
    )
    (line,) = printed()
    shown = json.loads(line, parse_constant=pytest.fail)
    assert (shown["level"], shown["level_"], shown["time_"]) == ("warning", "l", "t")
    assert (shown["x"], shown["y"]) == ("inf", "é")


def test_pretty_lines(install: Install, printed: Callable[[], list[str]]) -> None:
    """For people: the same, the exception below it, and nothing that a terminal would obey."""
    install(log_format="pretty", service_name="shop")
    log = get_logger("shop.cart")
    try:
        raise KeyError("sku")  # noqa: TRY301 - one line says it
    except KeyError:
        log.exception("bad \x1b]0;title\x07", order_id=42)
    first, *below = printed()
    assert "[error    ] bad \\x1b]0;title\\x07" in first
    assert "[shop.cart]" in first
    assert "order.id=42" in first
    assert "service=shop" in first
    assert below[0] == "Traceback (most recent call last):"
    assert "KeyError: 'sku'" in below


def test_off_prints_nothing(install: Install, printed: Callable[[], list[str]]) -> None:
    """The console is the application's alone then."""
    install(log_format="off")
    _alone()
    logging.getLogger("plain").info("not shown")
    assert printed() == []
    logging.getLogger("plain").warning("by Python itself")
    assert printed() == ["by Python itself"]


def test_auto_takes_over_what_nobody_gave_a_format(
    install: Install, printed: Callable[[], list[str]]
) -> None:
    """An application that does nothing, or calls `basicConfig`, gets our lines, once."""
    install(log_format="auto")
    _alone()
    logging.getLogger("plain").warning("one")
    assert [json.loads(line)["message"] for line in printed()] == ["one"]
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("plain").info("two")
    assert [json.loads(line)["message"] for line in printed()] == ["two"]


def test_auto_leaves_a_format_of_the_applications(install: Install, printed: Callable[[], list[str]]) -> None:
    """Its console is as it was, and nothing is there twice; json and pretty are for all."""
    undo = install(log_format="auto")
    _alone()
    logging.basicConfig(level=logging.INFO, format="MINE %(message)s", force=True)
    logging.getLogger("plain").info("one")
    assert printed() == ["MINE one"]
    undo()
    undo = install(log_format="json")
    logging.getLogger("plain").info("two")
    assert [json.loads(line)["message"] for line in printed()] == ["two"]
    undo()
    logging.getLogger("plain").info("three")
    assert printed() == ["MINE three"]


def test_auto_prints_nothing_for_an_application_that_logs_to_files(
    install: Install, printed: Callable[[], list[str]], tmp_path: Any
) -> None:
    """Whoever keeps a terminal clean means it."""
    install(log_format="auto")
    _alone()
    handler = logging.FileHandler(tmp_path / "own.log")
    logging.getLogger().addHandler(handler)
    logging.getLogger("plain").warning("to the file")
    logging.getLogger().removeHandler(handler)
    handler.close()
    assert printed() == []
    assert (tmp_path / "own.log").read_text() == "to the file\n"


def test_a_logging_configuration_after_ours_prints_nothing_twice(
    install: Install, printed: Callable[[], list[str]]
) -> None:
    """It closes every handler there is, as Django's does; what `logging` shows at last stays silent."""
    install(log_format="json")
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    _alone()
    logging.getLogger("plain").warning("once")
    assert [json.loads(line)["message"] for line in printed()] == ["once"]


def test_colors_in_a_message_are_left_out(
    install: Install, telemetry: MemoryTelemetry, printed: Callable[[], list[str]]
) -> None:
    """Werkzeug writes them into its message; they mean nothing in a store."""
    install(log_format="json")
    logging.getLogger("werkzeug").warning("\x1b[31m\x1b[1mWARNING\x1b[0m: %s", "x")
    assert [json.loads(line)["message"] for line in printed()] == ["WARNING: x"]
    assert [record.body for record in telemetry.records()] == ["WARNING: x"]


def test_a_console_that_is_gone_harms_nothing(
    install: Install,
    telemetry: MemoryTelemetry,
    printed: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closed, missing, or of an encoding that lacks the characters: the record is exported all the same."""
    install(log_format="json")
    closed = io.StringIO()
    closed.close()
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    for stream in (closed, None, narrow):
        monkeypatch.setattr(sys, "stderr", stream)
        logging.getLogger("plain").info("étage")
    assert [record.body for record in telemetry.records()] == ["étage"] * 3
    narrow.seek(0)
    assert json.loads(narrow.read())["message"] == "étage"


def test_a_program_shows_its_logs(programs: Programs) -> None:
    """End to end, by `configure` alone: what a process prints is JSON lines where there is no terminal."""
    source = (
        "import logging, glasshouse\n"
        "glasshouse.configure('shop', environment='test', instrument=False, endpoint='http://127.0.0.1:9')\n"
        "logging.getLogger('plain').info('one')\n"
        "glasshouse.get_logger('shop').warning('two', order_id=1)\n"
    )
    returned, output = programs.run("python", str(programs.write("program.py", source)))
    assert returned == 0
    shown = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [(line["message"], line["service"]) for line in shown if line["logger"] in {"plain", "shop"}] == [
        ("one", "shop"),
        ("two", "shop"),
    ]


def test_the_last_word_of_delivery_is_shown_as_all_else(programs: Programs) -> None:
    """What cannot be sent at the end is told in the format of the console, not after it has ended."""
    source = (
        "import logging, glasshouse\n"
        "glasshouse.configure('shop', instrument=False, endpoint='http://127.0.0.1:9')\n"
        "logging.warning('one')\n"
    )
    returned, output = programs.run("python", str(programs.write("program.py", source)))
    assert returned == 0
    shown = [json.loads(line) for line in output.splitlines()]
    assert shown[0]["message"] == "one"
    assert {line["service"] for line in shown} == {"shop"}
    assert any("what cannot be sent waits" in line["message"] for line in shown[1:])
