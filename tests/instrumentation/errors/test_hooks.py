"""What no code catches, in processes that really end, and next to the hooks of others."""

import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from application_process import Programs
from glasshouse.hooks import install_excepthook
from memory_telemetry import MemoryTelemetry, attributes
from otlp_listener import Listener, listen

PROGRAM = """
import asyncio, gc, os, sys, threading
import glasshouse

sys.excepthook = lambda *_: print("previous hook")
glasshouse.configure("{name}", endpoint="{endpoint}", instrument=False, log_format="off")
{rest}
"""

IN_A_THREAD = """
def fail(): raise ValueError("in a thread")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
"""
IN_A_TASK = """
async def fail(): raise ValueError("in a task")
async def main():
    await asyncio.wait([asyncio.create_task(fail())])
    gc.collect()
asyncio.run(main())
"""
IN_A_FINALIZER = """
class Finalized:
    def __del__(self): raise ValueError("in a finalizer")
Finalized()
"""


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Listen for OTLP/HTTP on a port of the system's choice."""
    with listen() as listening:
        yield listening


@pytest.fixture
def hooks() -> Iterator[None]:
    """Put back the hooks of the process after the test."""
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook = before


def run(programs: Programs, listener: Listener, rest: str) -> tuple[int, str, bytes]:
    """Run a program to its end; its exit code, its output, and all log records that arrived."""
    path = programs.write("program.py", PROGRAM.format(name="hooked", endpoint=listener.url, rest=rest))
    code, output = programs.run("python", str(path))
    return code, output, b"".join(request.payload for request in listener.by_path("/v1/logs"))


def test_what_ends_the_process_is_sent_before_it_ends(programs: Programs, listener: Listener) -> None:
    """Even where the hook that was there before leaves without any clean-up; the exit code stays."""
    code, output, sent = run(
        programs,
        listener,
        "previous = sys.excepthook\nraise ValueError('the end')",
    )
    assert (code, output) == (1, "previous hook\n")
    assert b"ValueError: the end" in sent
    assert b"critical" in sent


def test_a_previous_hook_that_kills_the_process_comes_last(programs: Programs, listener: Listener) -> None:
    """What is waiting is sent before it is called."""
    rest = (
        "glasshouse.shutdown()\n"
        "sys.excepthook = lambda *_: os._exit(7)\n"
        f"glasshouse.configure('hooked', endpoint='{listener.url}', instrument=False, log_format='off')\n"
        "raise ValueError('the end')"
    )
    code, _, sent = run(programs, listener, rest)
    assert code == 7
    assert b"ValueError: the end" in sent


@pytest.mark.parametrize(
    ("rest", "message"),
    [(IN_A_THREAD, b"in a thread"), (IN_A_TASK, b"in a task"), (IN_A_FINALIZER, b"in a finalizer")],
)
def test_threads_tasks_and_finalizers_are_captured(
    rest: str, message: bytes, programs: Programs, listener: Listener
) -> None:
    """And Python's own report is still there."""
    code, output, sent = run(programs, listener, rest)
    assert code == 0, output
    assert message.decode() in output
    assert b"ValueError: " + message in sent


def test_what_asyncio_says_of_a_captured_error_is_not_exported_beside_it(
    programs: Programs, listener: Listener
) -> None:
    """Asyncio's own record is shown, and one log record goes out."""
    rest = "import logging\nlogging.getLogger('asyncio').error('another')\n" + IN_A_TASK
    code, output, _ = run(programs, listener, rest)
    assert code == 0, output
    bodies = []
    for request in listener.by_path("/v1/logs"):
        sent = ExportLogsServiceRequest.FromString(request.payload)
        for resource in sent.resource_logs:
            bodies += [each.body.string_value for scope in resource.scope_logs for each in scope.log_records]
    assert sorted(bodies) == ["ValueError: in a task", "another"]
    assert "Task exception was never retrieved" in output


@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "raise SystemExit(0)", "sys.exit(0)"])
def test_ends_that_are_wanted_are_no_errors(end: str, programs: Programs, listener: Listener) -> None:
    """Ctrl-C is none."""
    _, _, sent = run(programs, listener, end)
    assert sent == b""


def test_hooks_are_chained_and_taken_back(telemetry: MemoryTelemetry, hooks: None) -> None:
    """A hook put over ours stays where it is, and ours only passes on from then."""
    told: list[str] = []
    sys.excepthook = lambda *_: told.append("before")
    original = sys.excepthook
    undo = install_excepthook(0.1)
    ours = sys.excepthook
    assert undo is not None

    def over(*args: Any) -> None:
        told.append("after")
        ours(*args)

    sys.excepthook = over
    sys.excepthook(ValueError, ValueError("x"), None)
    assert told == ["after", "before"]
    assert len(telemetry.records()) == 1
    undo()
    assert sys.excepthook is over
    sys.excepthook(ValueError, ValueError("y"), None)
    assert told == ["after", "before"] * 2
    assert len(telemetry.records()) == 1
    sys.excepthook = original


def test_installing_twice_captures_once(telemetry: MemoryTelemetry, hooks: None) -> None:
    """The second call replaces the hooks of the first, and its undoing leaves nothing."""
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    told: list[object] = []
    threading.excepthook = lambda _: told.append("before")
    quiet = threading.excepthook
    install_excepthook(0.1)
    undo = install_excepthook(0.1)
    assert undo is not None

    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail, name="worker-3")
    thread.start()
    thread.join()
    assert told == ["before"]
    assert attributes(telemetry.record())["thread.name"] == "worker-3"
    undo()
    assert threading.excepthook is quiet
    threading.excepthook = before[1]
    assert (sys.excepthook, sys.unraisablehook) == (before[0], before[2])
    assert logging.getLogger("asyncio").filters == []
