"""Processes of the demo: started apart from the terminal's Ctrl-C, ended in order, never left behind."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_LAST_LINES = 5
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """One running program, and the file that it prints to."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def check(self) -> None:
        """ChildProcessError, with the end of what it printed, where it has ended."""
        code = self.process.poll()
        if code is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            raise ChildProcessError("\n".join([f"{self.name} has ended ({code}); {self.log} says:", *lines]))


def start(  # noqa: PLR0913 - what a process is started with
    name: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    log: Path,
    *,
    cwd: Path | None = None,
    pass_fds: Iterable[int] = (),
) -> Child:
    """Start a program in a session of its own, so that a Ctrl-C meant for the demo does not reach it."""
    with log.open("ab") as printed:
        process = subprocess.Popen(  # noqa: S603 - the demo's own programs
            command,
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - the demo has no threads
        )
    return Child(name, process, log)


def stop(children: Sequence[Child], seconds: float, hurried: Callable[[], bool] = lambda: False) -> None:
    """End programs with SIGTERM, all at once; after `seconds`, or in a hurry, by force."""
    for child in children:
        if child.running:
            child.process.terminate()
    deadline = time.monotonic() + seconds
    for child in children:
        while child.running and time.monotonic() < deadline and not hurried():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(0.1)
        if child.running:
            child.process.kill()
            child.process.wait()


def listening_socket(port: int = 0) -> socket.socket:
    """Return a socket that a service is to serve; what connects before it is up waits.

    It outlives the service, so that a new release takes over without refusing anyone.
    """
    listening = socket.create_server(("127.0.0.1", port), backlog=512)
    # Inherited by what is accepted; the server cannot set it, it takes the socket for a local one.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def program() -> list[str]:
    """Return how to call `glasshouse` of this Python."""
    script = Path(sys.executable).parent / "glasshouse"
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", "from glasshouse.cli import main; main()"]


def _die_with_parent() -> None:
    # Should the demo be killed with no chance to stop them.
    if _LIBC is not None:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() == 1:
            os.kill(os.getpid(), signal.SIGTERM)
