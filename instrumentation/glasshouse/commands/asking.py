"""What the commands that ask a collector have in common: where it is, how to get in, how to print."""

import functools
import json
import re
import sys
from collections.abc import Callable
from typing import Any, Final

import click

from glasshouse.client import ApiError, Client, Unreachable
from glasshouse.client.calls import KEY_VARIABLE, URL_VARIABLE

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_RELATIVE: Final = re.compile(r"\d{1,9}[smhdw]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NO_KEY: Final = 401
_DIGITS: Final = 1000
_UNITS: Final = (("s", 1e9), ("ms", 1e6), ("µs", 1e3))


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for the collector's address, and a `Client` as its first argument."""

    @click.option("--url", envvar=URL_VARIABLE, help=f"The collector's API ({URL_VARIABLE}).")
    @click.option("--key", envvar=KEY_VARIABLE, help=f"A key to read with; better set {KEY_VARIABLE}.")
    @click.option("--project", help="Another project than the key's, for those who may see every one.")
    @functools.wraps(command)
    def asking(url: str | None, key: str | None, project: str | None, **options: Any) -> None:
        with _client(url, key, project) as client:
            try:
                command(client, **options)
            except ApiError as refused:
                hint = f" (here: --key, or {KEY_VARIABLE})" if refused.status == _NO_KEY else ""
                raise click.ClickException(printable(refused.detail) + hint) from None
            except Unreachable as away:
                raise click.ClickException(
                    f"no collector answers at {away}; start one with `glasshouse serve`, or say where it is "
                    f"with --url or {URL_VARIABLE}"
                ) from None
            except BrokenPipeError:
                sys.stderr.close()  # whoever read has enough
            except KeyboardInterrupt:
                click.echo(err=True)

    return asking


def _client(url: str | None, key: str | None, project: str | None) -> Client:
    try:
        return Client(url, key, project)
    except OSError as unreadable:
        raise click.ClickException(
            f"OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE or _CLIENT_KEY cannot be used: {unreadable}"
        ) from None


def within(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the range of time that it asks about."""
    since = click.option("--since", default="1h", show_default=True, help="From when: 15m, 1h, 7d, a time.")
    until = click.option("--until", default="now", help="Up to when; without it, now.")
    return since(until(command))


def moment(written: str) -> str:
    """Return a time as the API reads it: `1h` means an hour ago."""
    return f"now-{written}" if _RELATIVE.fullmatch(written) else written


def seconds_back(written: str) -> int | None:
    """Return how long ago `1h` is; None where it is no such length."""
    return int(written[:-1]) * _SECONDS[written[-1]] if _RELATIVE.fullmatch(written) else None


def nothing(what: str, since: str, until: str) -> None:
    """Say on the error stream that nothing was found, and in which time it was looked for."""
    click.echo(f"No {what} from {moment(since)} to {moment(until)}; --since and --until say when.", err=True)


def printable(text: str) -> str:
    """Return the text so that it cannot steer the terminal: what senders wrote is nobody's to trust."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def as_json(value: Any) -> str:
    """Return the value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def duration(nanoseconds: float) -> str:
    """Return it in the unit that leaves a few digits, as `12.3 ms`."""
    for unit, size in _UNITS:
        if nanoseconds >= size:
            amount = nanoseconds / size
            return f"{amount:.3g} {unit}" if amount < _DIGITS else f"{amount:,.0f} {unit}"
    return f"{nanoseconds:.0f} ns"


def columns(head: list[str], rows: list[list[str]], right: frozenset[int] = frozenset()) -> str:
    """Return rows under their heads, each column as wide as its widest; those in `right` end on one line."""
    table = [head, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    lines = []
    for row in table:
        cells = [
            cell.rjust(widths[place]) if place in right else cell.ljust(widths[place])
            for place, cell in enumerate(row)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
