"""`glasshouse config`: every setting, its value, and where that came from."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from glasshouse.settings import MASK, Row, SettingsError, table

_SECRET_VARIABLE = re.compile(r"HEADERS|KEY|TOKEN|SECRET|PASSWORD|DSN|CREDENTIAL")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def config(as_json: bool) -> None:
    """Show every setting, its value and where it came from; secrets are masked."""
    try:
        rows = table({})
    except SettingsError as wrong:
        raise click.UsageError(str(wrong)) from None
    others = _others(rows, os.environ)
    if as_json:
        settings = {row.name: {"value": _plain(row), "source": row.source} for row in rows}
        click.echo(json.dumps({"settings": settings, "variables": others}, indent=2))
        return
    for row in rows:
        click.echo(f"{row.name} = {shown(row)}")
        click.echo(f"    {row.doc}")
        click.echo(f"    from {row.source}; variables: {', '.join(row.variables)}")
    if others:
        click.echo("\nOpenTelemetry variables that are set beside them:")
        for name, value in others.items():
            click.echo(f"    {name}={value}")


def _plain(row: Row) -> Any:
    value = row.value
    if value is None:
        return None
    if row.secret:
        return MASK
    if isinstance(value, str):
        return _CREDENTIALS.sub(MASK, value)
    return str(value) if isinstance(value, Path) else value


def shown(row: Row) -> str:
    """Return a setting's value as text, a secret as a mask."""
    value = _plain(row)
    if isinstance(value, Mapping):
        return ",".join(f"{name}={each}" for name, each in value.items()) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)


def _others(rows: list[Row], environ: Mapping[str, str]) -> dict[str, str]:
    known = {variable for row in rows for variable in row.variables}
    return {
        name: MASK if _SECRET_VARIABLE.search(name) else _CREDENTIALS.sub(MASK, value)
        for name, value in sorted(environ.items())
        if name.startswith("OTEL_") and name not in known and value
    }
