"""`glasshouse traces`: traces, by what happened in them."""

from typing import Any

import click

from glasshouse.client import Client, models
from glasshouse.commands.asking import as_json, asks, columns, duration, moment, nothing, within

_HEAD = ["START", "DURATION", "SPANS", "ERRORS", "TRACE", "ROOT"]


@click.command()
@click.option("--service", multiple=True, help="With a span of one of these services.")
@click.option("--operation", multiple=True, help="With a span of one of these names.")
@click.option("--status", type=click.Choice(["error", "ok", "unset"]), help="How it ended.")
@click.option("--min-duration", default="", help="At least as long: 250ms, 1.5s, 3m.")
@click.option("--max-duration", default="", help="At most as long.")
@click.option("--attribute", multiple=True, help="Of any of its spans: key=value, key>5, …")
@click.option("--sort", default="newest", show_default=True, help="newest, oldest, longest, most_errors, …")
@click.option("--limit", default=20, show_default=True, help="At most so many.")
@click.option("--json", "json_", is_flag=True, help="A JSON object a line.")
@within
@asks
def traces(  # noqa: PLR0913, PLR0917  (one an option)
    client: Client,
    service: tuple[str, ...],
    operation: tuple[str, ...],
    status: str | None,
    min_duration: str,
    max_duration: str,
    attribute: tuple[str, ...],
    sort: str,
    limit: int,
    since: str,
    until: str,
    json_: bool,
) -> None:
    """List traces; `glasshouse trace ID` shows one."""
    asked: dict[str, Any] = {
        "service_name": list(service),
        "operation": list(operation),
        "status": status,
        "min_duration": min_duration or None,
        "max_duration": max_duration or None,
        "attribute": list(attribute),
        "sort": sort,
        "limit": limit,
    }
    page = client.traces(**asked, start_time=moment(since), end_time=moment(until))
    if not page["traces"]:
        nothing("such traces", since, until)
    elif json_:
        for trace in page["traces"]:
            click.echo(as_json(trace))
    else:
        click.echo(columns(_HEAD, [_row(trace) for trace in page["traces"]], frozenset({1, 2, 3})))


def _row(trace: models.TraceSummary) -> list[str]:
    root = trace["root"]
    return [
        trace["start_time"][:23].replace("T", " "),
        duration(trace["duration_ns"]),
        str(trace["spans"]),
        str(trace["errors"] or ""),
        trace["trace_id"],
        f"{root['service_name']} {root['operation']}",
    ]
