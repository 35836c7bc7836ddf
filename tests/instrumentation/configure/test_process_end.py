"""However a process ends short of SIGKILL, what it has recorded arrives."""

import signal
import subprocess

import httpx
import pytest

from application_process import Collected, Programs
from collector_process import until

# The long delay leaves sending to the end of the process.
LATE = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}

SCRIPT = """
import sys, time
import glasshouse
glasshouse.configure("{service}", endpoint="{endpoint}", instrument=False)
from opentelemetry import trace

def work(name):
    trace.get_tracer("t").start_span(name).end()

if __name__ == "__main__":
    work("main")
{rest}
"""


def script(programs: Programs, collected: Collected, service: str, rest: str = "") -> str:
    """Write a program that makes a span and goes on with `rest`."""
    lines = "\n".join(f"    {line}" for line in rest.splitlines())
    source = SCRIPT.format(service=service, endpoint=collected.endpoint, rest=lines)
    return str(programs.write(f"{service}.py", source))


def is_ready(process: subprocess.Popen[str]) -> bool:
    """Wait for the line `ready`; False where the program ends without it."""
    assert process.stdout is not None
    return any(line.strip() == "ready" for line in process.stdout)


@pytest.mark.parametrize(
    ("service", "end", "code"),
    [
        ("returns", "", 0),
        ("exits", "sys.exit(3)", 3),
        ("raises", "raise ValueError('broken')", 1),
    ],
)
def test_spans_arrive_when_a_program_comes_to_its_end(
    service: str, end: str, code: int, programs: Programs, collected: Collected
) -> None:
    """By itself, by sys.exit, or by an exception: the exit code stays what it was."""
    returned, output = programs.run("python", script(programs, collected, service, end), **LATE)
    assert returned == code, output
    assert collected.spans(service) == ["main"]


def test_spans_arrive_after_sigterm_which_still_kills(programs: Programs, collected: Collected) -> None:
    """The process ends by the signal, as it would without telemetry."""
    process = programs.start(
        "python", script(programs, collected, "killed", "print('ready', flush=True)\ntime.sleep(600)"), **LATE
    )
    assert is_ready(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == -signal.SIGTERM
    assert collected.spans("killed") == ["main"]


def test_a_handler_of_the_application_stays_in_place(programs: Programs, collected: Collected) -> None:
    """Where SIGTERM is handled already, the application decides what happens."""
    rest = "print('ready', flush=True)\ntime.sleep(600)"
    path = programs.write(
        "handled.py",
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        + SCRIPT.format(
            service="handled",
            endpoint=collected.endpoint,
            rest="\n".join(f"    {line}" for line in rest.splitlines()),
        ),
    )
    process = programs.start("python", str(path), **LATE)
    assert is_ready(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 7
    assert collected.spans("handled") == ["main"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_send_theirs(
    method: str, programs: Programs, collected: Collected
) -> None:
    """A child has a queue of its own, and sends what is in it before it leaves; nothing comes twice."""
    rest = f"""\
import multiprocessing
context = multiprocessing.get_context("{method}")
child = context.Process(target=work, args=("child",))
child.start()
child.join()
sys.exit(child.exitcode)"""
    returned, output = programs.run("python", script(programs, collected, f"by-{method}", rest), **LATE)
    assert returned == 0, output
    assert sorted(collected.spans(f"by-{method}", at_least=2)) == ["child", "main"]


def test_a_forked_child_that_exits_sends_its_own(programs: Programs, collected: Collected) -> None:
    """What was queued before the fork is the parent's to send."""
    rest = """\
import os
child = os.fork()
if child == 0:
    work("child")
    sys.exit(0)
os.waitpid(child, 0)"""
    returned, output = programs.run("python", script(programs, collected, "forks", rest), **LATE)
    assert returned == 0, output
    assert sorted(collected.spans("forks", at_least=2)) == ["child", "main"]


def test_the_end_is_not_held_up_by_a_collector_that_hangs(programs: Programs) -> None:
    """The process is gone though nobody ever answers, and the exporters would wait for an hour."""
    source = """
import socket
hanging = socket.create_server(("127.0.0.1", 0))
import glasshouse
glasshouse.configure("hangs", endpoint=f"http://127.0.0.1:{hanging.getsockname()[1]}", shutdown_seconds=0.5)
from opentelemetry import trace
trace.get_tracer("t").start_span("main").end()
"""
    returned, output = programs.run(
        "python", str(programs.write("hangs.py", source)), OTEL_EXPORTER_OTLP_TIMEOUT="3600"
    )
    assert returned == 0, output


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_workers_of_a_server_send_theirs(server: str, programs: Programs, collected: Collected) -> None:
    """Forked workers of gunicorn, and those that uvicorn starts, each send what they have when they end."""
    programs.write(
        "app.py",
        """
import os
from opentelemetry import trace

def wsgi(environ, start_response):
    trace.get_tracer("t").start_span("request").end()
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]

async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    trace.get_tracer("t").start_span("request").end()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
""",
    )
    port = str(programs.free_port())
    commands = {
        "gunicorn": ["gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "app:wsgi"],
        "uvicorn": ["uvicorn", "--workers", "2", "--lifespan", "off", "--port", port, "app:asgi"],
    }
    process = programs.start(
        "glasshouse", "run", "--service-name", f"with-{server}", "--endpoint", collected.endpoint,
        "--", *commands[server], **LATE,
    )  # fmt: skip
    served: set[str] = set()
    count = 0

    def two_have_served() -> bool:
        nonlocal count
        try:
            served.add(httpx.get(f"http://127.0.0.1:{port}/").text)
        except httpx.TransportError:
            return False
        count += 1
        return len(served) == 2

    until(two_have_served, "two workers have served")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert len(collected.spans(f"with-{server}", at_least=count)) == count, output
