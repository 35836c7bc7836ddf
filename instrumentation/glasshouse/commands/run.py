"""`glasshouse run`: a program as it is, with telemetry."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from glasshouse.settings import Row, SettingsError, table

RUNS_WITH_TELEMETRY = "opentelemetry.instrumentation.auto_instrumentation"


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for row in reversed(table({}, {})):
        # A secret on the command line would stand in the list of processes.
        if not row.secret:
            option = click.option(
                _flag(row), row.name, metavar="VALUE", help=f"{row.doc} [{row.variables[0]}]"
            )
            command = option(command)
    return command


def _flag(row: Row) -> str:
    return f"--{row.name.replace('_', '-')}"


@click.command(context_settings={"allow_interspersed_args": False})
@_options
@click.argument("program", nargs=-1, type=click.UNPROCESSED, required=True)
def run(program: tuple[str, ...], **given: str | None) -> None:
    """Run PROGRAM with telemetry, as in `glasshouse run -- uvicorn app:app`.

    Nothing in the program changes. Options are settings, each of which can be a variable instead; the API
    key is a variable only (GLASSHOUSE_API_KEY). `glasshouse config` shows what is in force. A Python file
    is run by the Python that runs this.
    """
    environ = dict(os.environ)
    for row in table({}, {}):
        value = given.get(row.name)
        if value is not None:
            say(environ, row.variables[0], value)
    try:
        table({}, environ)
    except SettingsError as wrong:
        raise click.UsageError(str(wrong)) from None
    arguments = _executable(program)
    environ |= prepared(environ)
    sys.stdout.flush()
    os.execve(arguments[0], arguments, environ)  # noqa: S606 - running it is what was asked


def say(environ: MutableMapping[str, str], variable: str, value: str) -> None:
    """Set a variable, or the one attribute of OTEL_RESOURCE_ATTRIBUTES that it names."""
    name, bracket, attribute = variable.partition("[")
    if not bracket:
        environ[name] = value
        return
    pair = f"{attribute.rstrip(']')}={quote(value)}"
    # The last pair of a name counts.
    environ[name] = f"{environ[name]},{pair}" if environ.get(name) else pair


def prepared(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make a Python process, and those it starts, load this distribution."""
    folder = _auto_instrumentation_folder()
    paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != folder]
    return {
        "PYTHONPATH": os.pathsep.join([folder, *paths]),
        "OTEL_PYTHON_DISTRO": environ.get("OTEL_PYTHON_DISTRO") or "glasshouse",
        "OTEL_PYTHON_CONFIGURATOR": environ.get("OTEL_PYTHON_CONFIGURATOR") or "glasshouse",
    }


def _auto_instrumentation_folder() -> str:
    from importlib.util import find_spec  # noqa: PLC0415

    found = find_spec(RUNS_WITH_TELEMETRY)
    if found is None or found.origin is None:
        raise click.UsageError('opentelemetry-instrumentation is not installed: pip install "glasshouse"')
    return str(Path(found.origin).parent)


def _executable(program: tuple[str, ...]) -> list[str]:
    name, *arguments = program
    if name.endswith(".py") and Path(name).is_file():
        return [sys.executable, name, *arguments]
    # The programs of the environment that this is installed in come first: called by its path, while that
    # environment is not active, another Python would be found, which has no OpenTelemetry.
    own = None if os.sep in name else shutil.which(name, path=str(Path(sys.executable).parent))
    found = own or shutil.which(name)
    if found is None:
        raise click.UsageError(
            f"there is no program {name!r}; give one, as: glasshouse run -- uvicorn app:app"
        )
    return [found, *arguments]
