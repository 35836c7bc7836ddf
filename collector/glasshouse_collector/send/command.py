"""The command: reads what the user wrote, sends, shows how far it is, and counts at the end."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.send.delivery import Deliveries, Tally
from glasshouse_collector.send.endpoint import Endpoint, parse_headers
from glasshouse_collector.send.files import requests_in
from glasshouse_collector.send.mistakes import UserMistake
from glasshouse_collector.send.shifting import newest, shift
from glasshouse_collector.send.splitting import split
from glasshouse_collector.send.transports import connect

NOUNS = {
    RequestKind.TRACES: "spans",
    RequestKind.LOGS: "log records",
    RequestKind.METRICS: "data points",
}

_INTERRUPTED = 130

_File = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@dataclass(frozen=True, slots=True)
class Replay:
    """What to replay, and how."""

    files: tuple[Path, ...]
    shift_to_now: bool
    rate: float | None
    batch: int

    @property
    def bytes(self) -> int:
        """The size of all files, once for each time they are read."""
        return sum(path.stat().st_size for path in self.files) * (2 if self.shift_to_now else 1)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_File)
@click.option("--endpoint", metavar="URL", help="Default: port 4317 (grpc) or 4318 (http) of this machine.")
@click.option("--protocol", type=click.Choice(["grpc", "http"]), default="grpc", show_default=True)
@click.option("--header", "headers", metavar="NAME=VALUE", multiple=True, help="May be given repeatedly.")
@click.option("--shift-to-now", is_flag=True, help="Move all times by one offset: the newest becomes now.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Records a second.")
@click.option("--compression", type=click.Choice(["gzip", "none"]), default="gzip", show_default=True)
@click.option("--batch", type=click.IntRange(1), default=2000, show_default=True, help="Records a request.")
@click.option(
    "--in-flight", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at once."
)
@click.option(
    "--retry-seconds",
    type=click.FloatRange(0),
    default=120,
    show_default=True,
    help="How long one request is tried.",
)
def send(  # noqa: PLR0913  (one each option)
    files: tuple[Path, ...],
    *,
    endpoint: str | None,
    protocol: Literal["grpc", "http"],
    headers: tuple[str, ...],
    shift_to_now: bool,
    rate: float | None,
    compression: str,
    batch: int,
    in_flight: int,
    retry_seconds: float,
) -> None:
    """Replay OTLP JSON Lines files (.jsonl, .jsonl.gz) to an OTLP endpoint.

    Each line is one Export…ServiceRequest in OTLP/JSON; its kind is told by its key: resourceSpans,
    resourceLogs or resourceMetrics.
    """
    started = time.monotonic()
    replay = Replay(files, shift_to_now, rate, batch)
    mistake: UserMistake | None = None
    tally = Tally()
    try:
        to = Endpoint.parse(endpoint, protocol)
        parsed = parse_headers(headers, protocol)
        to.reach()
        transport = connect(to, parsed, compress=compression == "gzip", in_flight=in_flight)
        deliveries = Deliveries(transport, in_flight=in_flight, retry_seconds=retry_seconds)
        tally = deliveries.tally
        try:
            with _progress(replay.bytes, tally) as advance, deliveries:
                _replay(replay, deliveries, advance)
            deliveries.check()
        finally:
            transport.close()
    except UserMistake as caught:
        mistake = caught
    except KeyboardInterrupt:
        _report(tally, time.monotonic() - started)
        sys.exit(_INTERRUPTED)
    if mistake is None or tally.sent or tally.failed:
        _report(tally, time.monotonic() - started)
    if mistake is not None:
        click.echo(f"glasshouse send: {mistake}", err=True)
    sys.exit(2 if mistake else int(bool(tally.rejected.total() or tally.failed.total())))


def _replay(replay: Replay, deliveries: Deliveries, advance: Callable[[int], None]) -> None:
    offset = _offset(replay, advance) if replay.shift_to_now else 0
    most = min(replay.batch, max(1, int(replay.rate))) if replay.rate else replay.batch
    started, handed_over = time.monotonic(), 0
    for path in replay.files:
        for kind, request in requests_in(path, _steps(advance), deliveries.note_unset_times):
            if offset:
                shift(kind, request, offset)
            for part, records in split(kind, request, most):
                if replay.rate:
                    due = started + handed_over / replay.rate
                    deliveries.wait(max(0.0, due - time.monotonic()))
                deliveries.put(kind, part.SerializeToString(), records)
                handed_over += records


def _offset(replay: Replay, advance: Callable[[int], None]) -> int:
    """Return the nanoseconds from the newest time of all files until now; 0 where they have no times."""
    for path in replay.files:
        if not path.is_file():
            raise UserMistake(f"--shift-to-now: {path} can be read only once; give a regular file")
    latest = max(
        (
            newest(kind, request)
            for path in replay.files
            for kind, request in requests_in(path, _steps(advance))
        ),
        default=0,
    )
    return time.time_ns() - latest if latest else 0


def _steps(advance: Callable[[int], None]) -> Callable[[int], None]:
    """Turn positions in one file into steps."""
    before = 0

    def at(position: int) -> None:
        nonlocal before
        advance(position - before)
        before = position

    return at


@contextmanager
def _progress(total: int, tally: Tally) -> Iterator[Callable[[int], None]]:
    """Show a bar while someone watches; yields what tells it of bytes read."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (BarColumn(), DownloadColumn(), TextColumn("{task.fields[records]:,} records"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("send", total=total or None, records=0)
        yield lambda step: progress.update(task, advance=step, records=tally.sent.total())


def _report(tally: Tally, seconds: float) -> None:
    sent = ", ".join(f"{tally.sent[kind]:,} {noun}" for kind, noun in NOUNS.items())
    rejected, failed = tally.rejected.total(), tally.failed.total()
    retried = f", {tally.retries:,} sent again" if tally.retries else ""
    click.echo(f"sent {sent} in {seconds:.1f} s; rejected {rejected:,}, failed {failed:,}{retried}")
    if tally.unset_times:
        click.echo(
            f"  {tally.unset_times:,} negative times, which OTLP does not have, were left unset", err=True
        )
    for reason, records in tally.reasons.most_common():
        click.echo(f"  {records:,} {reason}", err=True)
