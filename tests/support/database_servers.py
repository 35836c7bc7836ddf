"""Real PostgreSQL and Redis servers, for one test; skipped where they are not installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from collector_process import until
from scripted_endpoint import free_port

_DEBIAN = "/usr/lib/postgresql"
_NOBODY = "postgres"
"""PostgreSQL refuses to run as root: this user, which Debian's package makes, runs it then."""


@contextmanager
def postgresql() -> Iterator[str]:
    """Run PostgreSQL without a password, and give its address."""
    programs = _postgresql_programs()
    user = _user()
    # Not below pytest's own folder, into which another user cannot look.
    with tempfile.TemporaryDirectory(prefix="glasshouse-postgresql-") as folder:
        if user:
            shutil.chown(folder, user)
        cluster, port = Path(folder) / "cluster", free_port()
        subprocess.run(
            [programs / "initdb", "--no-sync", "--auth=trust", "--username=shop", cluster],
            check=True, capture_output=True, user=user, cwd="/",
        )  # fmt: skip
        command: list[str | Path] = [programs / "postgres", "-D", cluster, "-F"]
        command += ["-h", "127.0.0.1", "-p", str(port), "-k", folder]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd="/"
        ) as server:
            address = f"postgresql://shop@127.0.0.1:{port}/postgres"
            try:
                until(lambda: _connects(address), "PostgreSQL answers")
                yield address
            finally:
                server.terminate()


@contextmanager
def redis_server() -> Iterator[str]:
    """Run Redis, and give its address."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed; on Debian: apt-get install redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="glasshouse-redis-") as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                until(lambda: _pings(port), "Redis answers")
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                server.terminate()


def _postgresql_programs() -> Path:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path(_DEBIAN).glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_NOBODY).pw_name
    except KeyError:
        pytest.skip(f"PostgreSQL does not run as root, and there is no user {_NOBODY}")


def _connects(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _pings(port: int) -> bool:
    try:
        with redis.Redis(port=port) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False
