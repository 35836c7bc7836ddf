"""`glasshouse insights`: what broke, where, since when and why."""

import re
from collections.abc import Iterator
from typing import Any, Final

import click

from glasshouse.client import Client
from glasshouse.commands.asking import as_json, asks, moment
from glasshouse.commands.insights_report import analysis_report, insights_report

_LOOKBACK: Final = re.compile(r"(\d{1,5})([mhd])")
_MINUTES: Final = {"m": 1, "h": 60, "d": 1440}
_LEAST: Final = 5
_MOST: Final = 1440


@click.command()
@click.option("--since", default=None, help="The last so many minutes or hours: 5m to 24h; without it, 1h.")
@click.option("--start", default=None, help="Of one window: from when, 2h (ago) or a time; with --end.")
@click.option("--end", default=None, help="To when; without it, now.")
@click.option("--baseline-start", default=None, help="When all was well; without it, times are chosen.")
@click.option("--baseline-end", default=None, help="To when all was well.")
@click.option("--service", multiple=True, help="Of a window: look for the cause among these alone.")
@click.option("--deep", is_flag=True, help="Let a language model, where one is set up, look closer.")
@click.option("--json", "json_", is_flag=True, help="The whole answer as JSON.")
@asks
def insights(client: Client, json_: bool, **asked: Any) -> None:
    """Say what broke, where, since when and why, with evidence.

    glasshouse insights --since 30m

    glasshouse insights --start 2026-11-21T12:00:00Z --end 2026-11-21T12:10:00Z
    """
    found, report = _ask(client, **asked)
    for line in [as_json(found)] if json_ else report:
        click.echo(line)


def _ask(  # noqa: PLR0913  (one an option)
    client: Client,
    *,
    since: str | None,
    start: str | None,
    end: str | None,
    baseline_start: str | None,
    baseline_end: str | None,
    service: tuple[str, ...],
    deep: bool,
) -> tuple[Any, Iterator[str]]:
    """Return the answer, and the lines that tell it."""
    if start is None:
        if end or baseline_start or baseline_end or service:
            raise click.UsageError("--end, --baseline-start, --baseline-end and --service go with --start.")
        found = client.insights(lookback_minutes=_minutes(since or "1h"), deep_analysis=deep or None)
        return found, insights_report(found)
    if since or deep:
        raise click.UsageError("--since and --deep ask about the last minutes, --start about a window.")
    analysis = client.analyze(
        start=moment(start),
        end=moment(end or "now"),
        baseline_start=moment(baseline_start) if baseline_start else None,
        baseline_end=moment(baseline_end) if baseline_end else None,
        services=list(service) or None,
    )
    return analysis, analysis_report(analysis)


def _minutes(written: str) -> int:
    match = _LOOKBACK.fullmatch(written)
    minutes = int(match[1]) * _MINUTES[match[2]] if match else 0
    if not _LEAST <= minutes <= _MOST:
        raise click.BadParameter(
            f"{written!r}: 5m to 24h are expected, such as 30m; --start and --end ask about other times",
            param_hint="--since",
        )
    return minutes
