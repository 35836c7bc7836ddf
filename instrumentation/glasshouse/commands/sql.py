"""`glasshouse sql`: a question in ClickHouse's SQL."""

import sys
from typing import Any

import click

from glasshouse.client import Client
from glasshouse.commands.asking import as_json, asks, columns

_FORMATS = ("table", "json", "csv", "ndjson", "parquet")


@click.command()
@click.argument("query")
@click.option("--format", "format_", type=click.Choice(_FORMATS), default="table", show_default=True)
@click.option("--parameter", "-p", multiple=True, metavar="NAME=VALUE", help="For {name:Type} in the query.")
@asks
def sql(client: Client, query: str, format_: str, parameter: tuple[str, ...]) -> None:
    """Ask in SQL, which can read and do nothing else. QUERY `-` is read from the input.

    glasshouse sql "SELECT ServiceName, count() FROM otel_traces GROUP BY ServiceName"
    """
    text = sys.stdin.read() if query == "-" else query
    values = dict(_pair(each) for each in parameter)
    if format_ not in {"table", "json"}:
        rows = client.export("sql", format_, query=text, parameters=values)
        sys.stdout.buffer.write(rows)
        return
    answer = client.sql(query=text, parameters=values)
    if format_ == "json":
        click.echo(as_json(answer))
    else:
        names = [column["name"] for column in answer["columns"]]
        click.echo(columns(names, [[_cell(cell) for cell in row] for row in answer["rows"]]))


def _pair(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals:
        raise click.BadParameter("NAME=VALUE is expected", param_hint="--parameter")
    return name, value


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
