"""`glasshouse services`: who is there, and how they do."""

import click

from glasshouse.client import Client, models
from glasshouse.commands.asking import as_json, asks, columns, duration, seconds_back

_HEAD = ["SERVICE", "STATUS", "RATE", "ERRORS", "P50", "P95", "P99", "LOGS", "VERSION", "LAST SEEN"]
_COLOURS = {"healthy": "green", "degraded": "yellow", "critical": "red"}
_MOST_MINUTES = 10_080


@click.command()
@click.option("--since", default="1h", show_default=True, help="How far back: 15m, 1h, 7d; a week at most.")
@click.option("--json", "json_", is_flag=True, help="A JSON object a line.")
@asks
def services(client: Client, since: str, json_: bool) -> None:
    """List the services that were seen, with their errors, latency, and rate over the whole time."""
    minutes, rest = divmod(seconds_back(since) or 0, 60)
    if rest or not 1 <= minutes <= _MOST_MINUTES:
        raise click.BadParameter(
            "whole minutes up to 7d are expected, such as 15m, 1h or 7d", None, None, "--since"
        )
    found = client.services(lookback_minutes=minutes)["services"]
    if json_:
        for service in found:
            click.echo(as_json(service))
    elif found:
        head, *lines = columns(_HEAD, [_row(it) for it in found], frozenset({2, 3, 4, 5, 6, 7})).split("\n")
        click.echo(head)
        for service, shown in zip(found, lines, strict=True):
            status = service["status"]
            click.echo(shown.replace(status, click.style(status, fg=_COLOURS.get(status)), 1))
    else:
        click.echo(f"No service was seen in the last {since}; --since says how far to look back.", err=True)


def _row(service: models.Service) -> list[str]:
    return [
        service["service_name"],
        service["status"],
        f"{service['rate']:.3g}/s",
        "" if (ratio := service["error_ratio"]) is None else f"{ratio:.1%}",
        *(duration(each) if each is not None else "" for each in _quantiles(service)),
        f"{service['total_logs']:,}",
        ", ".join(service["versions"][:3]),
        (service["last_seen"] or "")[:19].replace("T", " "),
    ]


def _quantiles(service: models.Service) -> list[float | None]:
    return [service["p50_ns"], service["p95_ns"], service["p99_ns"]]
