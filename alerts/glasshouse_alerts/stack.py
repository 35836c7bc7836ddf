"""`python -m glasshouse_alerts.stack`: collector, Prometheus and Alertmanager without containers."""

import shutil
import sys
from pathlib import Path

import click

from glasshouse_alerts.stack_programs import ALERTMANAGER, COLLECTOR, DEMO, PROMETHEUS, Stack, StackSettings
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_shop.ending import Ended, Ending

_TICK_SECONDS = 0.5


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("glasshouse-data"),
    show_default=True,
    help="Where everything is kept.",
)
@click.option("--config", type=click.Path(path_type=Path), help="The collector's YAML file of settings.")
@click.option("--any-port", is_flag=True, help="Let the system choose all ports.")
@click.option("--demo", is_flag=True, help="Open the demo shop as well, with visitors.")
@click.option(
    "--speed",
    type=click.FloatRange(min=1, max=60),
    default=1.0,
    show_default=True,
    help="Divide the durations of rules and routes, to see in seconds what takes minutes.",
)
def stack(*, data_dir: Path, config: Path | None, any_port: bool, demo: bool, speed: float) -> None:
    """Run the collector, Prometheus and Alertmanager with the files of alerts/; Ctrl-C stops all of it."""
    settings = StackSettings(data_dir, config=config, any_port=any_port, demo=demo, speed=speed)
    try:
        with Ending() as ending:
            _run(settings, ending)
    except ConfigurationError as wrong:
        for line in str(wrong).splitlines():
            click.echo(f"error: {line}", err=True)
        sys.exit(2)
    except (ChildProcessError, TimeoutError, OSError) as failed:
        raise click.ClickException(f"{failed}\nThe rest is stopped.") from None
    click.echo("Stopped; nothing is left running.")


def _run(settings: StackSettings, ending: Ending) -> None:
    programs = Stack(settings, ending)
    click.echo(f"Starting {', '.join(programs.names)} …")
    try:
        with programs:
            click.echo(_banner(settings, programs))
            while True:
                ending.wait(_TICK_SECONDS)
                programs.check()
    except Ended:
        click.echo()


def _banner(settings: StackSettings, programs: Stack) -> str:
    at, folder = programs.endpoints, settings.folder
    http = f"http://{at['http']}" if "http" in at else "off"
    lines = [
        "",
        f"  API           {programs.url(COLLECTOR)}   (/docs, /health, /metrics, /api/v1/alerts)",
        f"  Prometheus    {programs.url(PROMETHEUS)}   (/alerts, /graph; first figures within half a minute)",
        f"  Alertmanager  {programs.url(ALERTMANAGER)}",
        f"  OTLP          {at.get('grpc', 'off')} (gRPC), {http}",
        f"  data          {folder.resolve()}",
        f"  logs          {folder / 'logs'}",
    ]
    if settings.demo:
        where = folder / DEMO
        lines += ["", "  Break something in the shop:"]
        lines += [f"    {_program()} demo --data-dir {where} fault payment:exception --duration 15m"]
    if programs.warnings:
        lines += ["", *(f"  {warning}" for warning in programs.warnings)]
    return "\n".join([*lines, "", "Ctrl-C stops everything.", ""])


def _program() -> str:
    """Return how the user can call the program that stands beside this Python."""
    return "glasshouse" if shutil.which("glasshouse") else str(Path(sys.executable).parent / "glasshouse")


if __name__ == "__main__":
    stack()
