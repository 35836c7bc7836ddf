"""The program `glasshouse`: commands register by the entry point group `glasshouse.commands`."""

from importlib.metadata import entry_points

import click

from glasshouse._version import __version__

COMMANDS_GROUP = "glasshouse.commands"


class _Commands(click.Group):
    """A group whose commands are entry points, imported only when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        registered = [entry_point.name for entry_point in entry_points(group=COMMANDS_GROUP)]
        return sorted({*super().list_commands(ctx), *registered})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry_point in entry_points(group=COMMANDS_GROUP, name=cmd_name):
            try:
                command = entry_point.load()
            except ModuleNotFoundError as missing:
                return _missing(cmd_name, missing)
            if isinstance(command, click.Command):
                return command
        return super().get_command(ctx, cmd_name)


def _missing(name: str, missing: ModuleNotFoundError) -> click.Command:
    """Stand in for a server command whose dependencies are not installed."""

    @click.command(
        name,
        short_help='(not installed: pip install "glasshouse[collector]")',
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def command() -> None:
        message = (
            f'"{name}" belongs to the server, and {missing.name} is not installed. '
            'Install it with: pip install "glasshouse[collector]"'
        )
        raise click.UsageError(message)

    return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="glasshouse")
def main() -> None:
    """Glasshouse: OpenTelemetry in, kept exactly once, found again."""


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(f"glasshouse {__version__}")
