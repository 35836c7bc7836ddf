"""`glasshouse slo`: rules for Prometheus, made of objectives."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from glasshouse_alerts.slo_objectives import Objectives, read
from glasshouse_alerts.slo_rules import render
from glasshouse_collector.core.errors import ConfigurationError

_INPUT = click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    default=Path("alerts/slo.yaml"),
    show_default=True,
    help="File of objectives.",
)


@click.group()
def slo() -> None:
    """Service level objectives, as recording rules and burn-rate alerts."""


@slo.command()
@_INPUT
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("alerts/prometheus/rules/slo.yml"),
    show_default=True,
    help="File of rules that Prometheus reads; - for standard output.",
)
def generate(source: Path, output: Path) -> None:
    """Make the rules of the objectives."""
    text = render(_read(source))
    if output == Path("-"):
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as failed:
        _refuse(f"--output: {output} cannot be written: {failed.strerror}")
    click.echo(f"{output} is written; Prometheus takes it at SIGHUP, or when it starts.")


@slo.command("list")
@_INPUT
def list_objectives(source: Path) -> None:
    """Print each objective, and what its error budget is in time of failing altogether."""
    for each in _read(source).slos:
        minutes = each.budget * each.window.total_seconds() / 60
        where = f"{each.service} in {each.project}" if each.project else each.service
        click.echo(
            f"{each.name}: {each.objective:g} % of {where} over {each.days} days: {minutes:.0f} minutes"
        )


def _read(source: Path) -> Objectives:
    try:
        return read(source)
    except ConfigurationError as wrong:
        _refuse(str(wrong))


def _refuse(message: str) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"error: {line}", err=True)
    sys.exit(2)
