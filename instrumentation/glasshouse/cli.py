"""The program `glasshouse`: commands register by the entry point group `glasshouse.commands`."""

import gc
from importlib.metadata import EntryPoint, entry_points

import click

from glasshouse._version import __version__

COMMANDS_GROUP = "glasshouse.commands"
OURS = "glasshouse"
# What brings the dependencies of a command, by the package that it is in.
_SERVER = "collector"
_EXTRAS = {"glasshouse_shop": "demo"}


class _Commands(click.Group):
    """A group whose commands are entry points, imported only when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        registered = [entry_point.name for entry_point in entry_points(group=COMMANDS_GROUP)]
        return sorted({*super().list_commands(ctx), *registered})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry_point in entry_points(group=COMMANDS_GROUP, name=cmd_name):
            try:
                command = _loaded(entry_point)
            except ModuleNotFoundError as missing:
                return _missing(entry_point, missing)
            if isinstance(command, click.Command):
                return command
        return super().get_command(ctx, cmd_name)


def _loaded(entry_point: EntryPoint) -> object:
    """Import a command, in which nothing is garbage: looking for some is a seventh of the server's start."""
    looking = gc.isenabled()
    gc.disable()
    try:
        return entry_point.load()
    finally:
        if looking:
            gc.enable()


def _missing(entry_point: EntryPoint, missing: ModuleNotFoundError) -> click.Command:
    """Stand in for a command whose dependencies are not installed."""
    package = entry_point.module.partition(".")[0]
    if entry_point.dist is not None and entry_point.dist.name != OURS:
        remedy = f"the package {entry_point.dist.name} needs it"
    else:
        remedy = f'pip install "{OURS}[{_EXTRAS.get(package, _SERVER)}]"'

    @click.command(
        entry_point.name,
        short_help=f"(not installed: {remedy})",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def command() -> None:
        raise click.UsageError(
            f"{missing.name}, which {entry_point.name!r} needs, is not installed: {remedy}"
        )

    return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="glasshouse")
def main() -> None:
    """Glasshouse: OpenTelemetry in, kept exactly once, found again."""


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(f"glasshouse {__version__}")
