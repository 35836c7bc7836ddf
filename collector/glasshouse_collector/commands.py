"""The server's commands."""

import asyncio
import functools
import logging
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table

from glasshouse import __version__
from glasshouse_collector.config import Settings, effective, load, unknown_variables, without_password
from glasshouse_collector.control import Database, Keyring
from glasshouse_collector.core.errors import ConfigurationError, Retryable
from glasshouse_collector.journal import DeadLetters
from glasshouse_collector.process import allow_open_files, collect_garbage_seldom, keep_freed_memory
from glasshouse_collector.service import Collector, missing_protection
from glasshouse_collector.store import Store, StoreSettings

_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="YAML file of settings.")
_DATA_DIR = click.option("--data-dir", type=click.Path(path_type=Path), help="Where everything is kept.")
_CLICKHOUSE = click.option(
    "--clickhouse", metavar="DSN", help="A ClickHouse server instead of the embedded one."
)

_EVERY_ADDRESS = frozenset({"0.0.0.0", "[::]"})  # noqa: S104  (looked for, not listened on)


def _refuse(message: str) -> NoReturn:
    """End as a user's mistake does: one clear text, exit code 2."""
    for line in message.splitlines():
        click.echo(f"error: {line}", err=True)
    sys.exit(2)


def _plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ConfigurationError, Retryable) as error:
            _refuse(str(error))

    return wrapped


def _load(
    config: Path | None, data_dir: Path | None = None, clickhouse: str | None = None, **more: Any
) -> Settings:
    for name in unknown_variables(os.environ):
        click.echo(f"warning: {name} is no setting, and changes nothing", err=True)
    return load(config, {"data_dir": data_dir, "storage": {"dsn": clickhouse}, **more})


@click.command()
@_CONFIG
@_DATA_DIR
@_CLICKHOUSE
@click.option("--host", help="Address that everything listens on (127.0.0.1).")
@click.option("--grpc-port", type=int, help="OTLP/gRPC (4317).")
@click.option("--http-port", type=int, help="OTLP/HTTP (4318).")
@click.option("--port", type=int, help="API and metrics (8000).")
@click.option("--insecure", is_flag=True, default=None, help="Serve other machines without TLS.")
@_plain_errors
def serve(config: Path | None, data_dir: Path | None, clickhouse: str | None, **ports: Any) -> None:
    """Run the collector: OTLP in, ClickHouse, and an API to ask."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _say_once_that_the_store_is_away()
    settings = _load(config, data_dir, clickhouse, **ports)
    keep_freed_memory()
    allow_open_files()
    asyncio.run(_serve(settings))


def _say_once_that_the_store_is_away() -> None:
    """Leave it to us: urllib3 would warn of every attempt."""
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


async def _serve(settings: Settings) -> None:
    collector = Collector(settings)
    await collector.start()
    collect_garbage_seldom()
    click.echo(_banner(settings, collector))
    await collector.run()
    click.echo("Stopped; whatever was accepted is kept.")


def _banner(settings: Settings, collector: Collector) -> str:
    at = {name: _to_click(address) for name, address in collector.endpoints.items()}
    scheme = "https" if settings.tls else "http"
    lines = [
        f"Glasshouse {__version__} is ready."
        if collector.status.ready
        else f"Glasshouse {__version__} listens.",
        "",
        f"  OTLP/gRPC   {at.get('grpc', 'off')}",
        f"  OTLP/HTTP   {scheme + '://' + at['http'] if 'http' in at else 'off'}",
        f"  API         {scheme}://{at['api']}   (/docs, /health, /metrics)",
        f"  data        {settings.data_dir.resolve()}",
        f"  store       {without_password(settings.dsn)}",
        f"  decoder     {collector.codec.name}",
        f"  access      {_access(settings, collector)}",
    ]
    if at != collector.endpoints:
        lines.insert(5, f"  elsewhere   {socket.gethostname()} instead of localhost")
    if collector.codec.name == "python":
        lines += [
            "",
            "  The native decoder is not installed; the one in Python serves, about ten times slower;",
            "  with a Rust toolchain (cargo) on the path, `make setup` builds it.",
        ]
    if "http" in at:
        lines += [
            "",
            "  Send from any OpenTelemetry SDK:",
            f"    OTEL_EXPORTER_OTLP_ENDPOINT={scheme}://{at['http']}",
            "    OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            "  or replay a file:",
            f"    {_program()} send --protocol http --endpoint {scheme}://{at['http']} traces.jsonl",
        ]
    return "\n".join([*lines, ""])


def _to_click(address: str) -> str:
    """Return an address as this machine reaches it: one that stands for all of its addresses reaches none."""
    host, _, port = address.rpartition(":")
    return f"localhost:{port}" if host in _EVERY_ADDRESS else address


def _program() -> str:
    """Return how the user can call this program again."""
    return "glasshouse" if shutil.which("glasshouse") else sys.argv[0]


def _access(settings: Settings, collector: Collector) -> str:
    if collector.access.open:
        return f"open to all on this machine ({settings.host}), until the first key is made"
    keys = "by key, or the auth_token" if settings.auth_token else "by key"
    plain = any(not by_tls for _, by_tls in settings.reachable_hosts)
    return f"{keys}; without TLS, as it is insecure" if plain else keys


@click.command()
@_CONFIG
@_DATA_DIR
@_plain_errors
def check(config: Path | None, data_dir: Path | None) -> None:
    """Validate the settings and print those in force, secrets masked.

    Says what `glasshouse serve` would refuse to start with, too: other machines let in without keys or TLS.
    """
    settings = _load(config, data_dir)
    click.echo(effective(settings), nl=False)
    missing = missing_protection(settings, keys=_has_keys(settings))
    if missing:
        raise ConfigurationError("\n".join(missing))


def _has_keys(settings: Settings) -> bool:
    """Whether a key opens anything now; a database that is not there yet is not made."""
    if not settings.reachable_hosts:
        return False  # it does not matter
    if settings.control.url is None and not (settings.data_dir / "control.db").exists():
        return False
    database = Database.open(settings.control_url)
    try:
        keyring = Keyring(database)
        keyring.refresh()
        return keyring.usable
    finally:
        database.close()


def _store_settings(settings: Settings) -> StoreSettings:
    retention = {name: span for name, span in settings.storage.retention if span is not None}
    return StoreSettings(dsn=settings.dsn, cluster=settings.storage.cluster, retention=retention)


@click.command()
@_CONFIG
@_DATA_DIR
@_CLICKHOUSE
@_plain_errors
def migrate(config: Path | None, data_dir: Path | None, clickhouse: str | None) -> None:
    """Bring the store's tables up to date (serve does it too)."""
    _say_once_that_the_store_is_away()
    settings = _load(config, data_dir, clickhouse)
    store = Store.open(_store_settings(settings))
    try:
        applied = store.migrate()
    finally:
        store.close()
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"the store is up to date: {without_password(settings.dsn)}")


@click.group()
def store() -> None:
    """Offer or inspect the store itself."""


@store.command("serve")
@_CONFIG
@_DATA_DIR
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8123, show_default=True)
@click.option("--writable", is_flag=True, help="Let clients change the data.")
@_plain_errors
def store_serve(config: Path | None, data_dir: Path | None, host: str, port: int, writable: bool) -> None:
    """Offer the embedded store on ClickHouse's HTTP interface, read-only unless --writable."""
    from glasshouse_collector.store.http_interface import serve_store  # noqa: PLC0415  (a server of its own)

    dsn = _load(config, data_dir).dsn
    may = "clients may change it" if writable else "read-only"
    click.echo(f"offering {without_password(dsn)} on http://{host}:{port}, {may}")
    serve_store(dsn, host=host, port=port, writable=writable)


@click.group()
def dlq() -> None:
    """See and replay dead letters: batches that an exporter refused for good."""


def _letters(config: Path | None, data_dir: Path | None) -> DeadLetters:
    folder = _load(config, data_dir).data_dir
    if not folder.is_dir():
        raise ConfigurationError(f"--data-dir: there is no folder {folder}")
    return DeadLetters(folder / "dead-letters")


@dlq.command("list")
@_CONFIG
@_DATA_DIR
@_plain_errors
def dlq_list(config: Path | None, data_dir: Path | None) -> None:
    """List the dead letters, oldest first."""
    letters = _letters(config, data_dir).list()
    if not letters:
        click.echo("no dead letters")
        return
    table = Table("id", "exporter", "what", "records", "bytes", "reason")
    for letter in letters:
        table.add_row(
            letter.id, letter.exporter, letter.what, str(letter.records), str(letter.bytes), letter.reason
        )
    Console().print(table)


@dlq.command("show")
@click.argument("letter")
@_CONFIG
@_DATA_DIR
@_plain_errors
def dlq_show(letter: str, config: Path | None, data_dir: Path | None) -> None:
    """Show one dead letter: why it was refused, and what it holds."""
    click.echo(_letters(config, data_dir).describe(letter))


@dlq.command("replay")
@click.argument("letters", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every dead letter.")
@_CONFIG
@_DATA_DIR
@_plain_errors
def dlq_replay(
    letters: tuple[str, ...], everything: bool, config: Path | None, data_dir: Path | None
) -> None:
    """Have the collector, running or started next, deliver dead letters again."""
    if bool(letters) == everything:
        raise click.UsageError("name the dead letters to replay, or give --all")
    dead = _letters(config, data_dir)
    chosen = [letter.id for letter in dead.list()] if everything else list(letters)
    for letter in chosen:
        dead.request_replay(letter)
    click.echo(f"{len(chosen)} to be delivered again by the collector on this data folder")
