"""`glasshouse logs`: log records, as they were and as they come."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from glasshouse.client import Client, Unreachable, models
from glasshouse.commands.asking import as_json, asks, moment, nothing, printable, within

_LEVELS: Final = {1: "TRACE", 5: "DEBUG", 9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}
_COLOURS: Final = {"WARN": "yellow", "ERROR": "red", "FATAL": "magenta", "DEBUG": "blue", "TRACE": "blue"}
_SHOWN_BEFORE: Final = 20
_AGAIN_SECONDS: Final = 1.0
_STACK: Final = "exception.stacktrace"


@click.command()
@click.argument("text", default="")
@click.option("--service", multiple=True, help="Of one of these services.")
@click.option("--level", multiple=True, help="trace, debug, info, warn, error, fatal; one: and all above it.")
@click.option("--attribute", multiple=True, help="key=value, key!=value, key>5, key, !key; resource.key=….")
@click.option("--trace", "trace_id", default="", help="Of this trace.")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--stack", is_flag=True, help="With the stack traces of exceptions.")
@click.option("--json", "json_", is_flag=True, help="A JSON object a line.")
@within
@asks
def logs(  # noqa: PLR0913, PLR0917  (one an option)
    client: Client,
    text: str,
    service: tuple[str, ...],
    level: tuple[str, ...],
    attribute: tuple[str, ...],
    trace_id: str,
    limit: int,
    since: str,
    until: str,
    follow: bool,
    stack: bool,
    json_: bool,
) -> None:
    """Show log records, the newest last. TEXT: words and "phrases" of the body, or /a regex/.

    glasshouse logs --service checkout --level error --since 1h --follow
    """
    asked: dict[str, Any] = {
        "service_name": list(service),
        "level": list(level),
        "attribute": list(attribute),
        "text": text,
        "trace_id": trace_id,
    }
    if follow:
        _show(_coming(client, asked, min(limit, _SHOWN_BEFORE)), json_, stack)
        return
    page = client.logs(**asked, start_time=moment(since), end_time=moment(until), limit=limit)
    _show(reversed(page["logs"]), json_, stack)
    if not page["logs"]:
        nothing("such log records", since, until)
    if page["next_cursor"] is not None:
        click.echo(f"There are more; these are the newest {limit} (--limit).", err=True)


def _coming(client: Client, asked: Mapping[str, Any], before: int) -> Iterable[models.LogRecord]:
    """Return the records of before and those that come, also after the connection was lost."""
    going_on: dict[str, Any] = {"last": before}
    while True:
        try:
            for event in client.tail_logs(**asked, **going_on):
                going_on = {"cursor": event.id} if event.id else going_on
                if event.name == "log":
                    yield event.data
                elif event.name == "gap":
                    left_out = event.data["left_out"]
                    click.echo(f"… {left_out} records were left out: they came too fast", err=True)
        except Unreachable as lost:
            if "cursor" not in going_on:
                raise
            click.echo(f"… the connection is lost, trying again: {lost}", err=True)
        time.sleep(_AGAIN_SECONDS)


def _show(records: Iterable[models.LogRecord], json_: bool, stack: bool) -> None:
    for record in records:
        click.echo(as_json(record) if json_ else line(record, stack=stack))


def line(record: models.LogRecord, *, stack: bool = False) -> str:
    """Return a log record as a line to read, and below it, if asked for, an exception's stack trace."""
    level = record["severity_text"].upper() or _level(record["severity_number"])
    told = {name: value for name, value in record["attributes"].items() if name != _STACK or stack}
    attributes = " ".join(f"{name}={value}" for name, value in told.items())
    shown = [
        click.style(record["time"][:23].replace("T", " "), dim=True),
        click.style(printable(level)[:5].ljust(5), fg=_COLOURS.get(_level(record["severity_number"]))),
        click.style(printable(record["service_name"]), fg="cyan"),
        printable(record["body"]),
        click.style(printable(attributes), dim=True),
    ]
    return " ".join(shown).rstrip()


def _level(number: int) -> str:
    return next((name for least, name in reversed(_LEVELS.items()) if number >= least), "-")
