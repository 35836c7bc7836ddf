"""`glasshouse projects` and `glasshouse keys`: on the database itself, whether the collector runs or not."""

import functools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from glasshouse_collector.api.control.model import CreatedKey, KeyAnswer, ProjectAnswer
from glasshouse_collector.config import Settings, load, unknown_variables
from glasshouse_collector.control import Database, Keys, KeySettings, NewKey, Projects
from glasshouse_collector.control.keys import KEY
from glasshouse_collector.core.access import DEFAULT_PROJECT, SELF_PROJECT, Scope
from glasshouse_collector.core.errors import ConfigurationError, GlasshouseError

_DURATION: Final = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOST_RATE: Final = (1 << 31) - 1
_MOST_VOLUME: Final = (1 << 63) - 1
_LAST_YEAR: Final = 2199
_LONGEST: Final = timedelta(days=90)
_PIPED_WIDTH: Final = 250
_OF_A_COLLECTOR: Final = ("control.db", "journal")
"""What is in every collector's data folder."""


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        if value == "0":
            return timedelta()
        match = _DURATION.fullmatch(value)
        duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
        if duration is None or duration > _LONGEST:
            self.fail(f"{value!r} is no duration up to 90d; write one such as 30m, 24h or 7d", param, ctx)
        return duration


class _End(click.ParamType[datetime]):
    """A time to come: a duration from now, a date or a time; of UTC where it names no zone."""

    name = "duration or date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        match = _DURATION.fullmatch(value)
        try:
            if match is not None:
                end = datetime.now(UTC) + timedelta(**{_UNITS[match[2]]: int(match[1])})
            else:
                written = datetime.fromisoformat(value)
                end = written.astimezone(UTC) if written.tzinfo else written.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write one such as 90d or 2027-01-31", param, ctx)
        if end.year > _LAST_YEAR:
            self.fail(f"{value!r} is too far; leave it out for a key that does not end", param, ctx)
        return end


class _Bytes(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            size = int(TypeAdapter(ByteSize).validate_python(value))
        except ValidationError:
            size = 0
        if not 1 <= size <= _MOST_VOLUME:
            self.fail(f"{value!r} is no size; write one such as 500MB or 5GB", param, ctx)
        return size


class _Prefix(click.ParamType[str]):
    """What a key is recognised by; of a whole key, its beginning."""

    name = "prefix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        del param, ctx
        whole = KEY.fullmatch(value)
        return str(whole[1]) if whole else str(value)


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all have, and end it with one clear line for a user's mistake."""

    @functools.wraps(command)
    def wrapped(config: Path | None, data_dir: Path | None, **given: Any) -> None:
        try:
            with _database(config, data_dir) as database:
                command(database, **given)
        except GlasshouseError as mistake:
            _refuse(str(mistake))
        except UnicodeEncodeError:
            _refuse("names and descriptions: text in UTF-8 is expected")

    options = (
        click.option("--config", type=click.Path(path_type=Path), help="YAML file of settings."),
        click.option(
            "--data-dir", type=click.Path(path_type=Path), help="Where the collector keeps everything."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    return functools.reduce(lambda it, option: option(it), reversed(options), wrapped)


def _refuse(message: str) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"error: {line}", err=True)
    sys.exit(2)


@contextmanager
def _database(config: Path | None, data_dir: Path | None) -> Iterator[Database]:
    for name in unknown_variables(os.environ):
        click.echo(f"warning: {name} is no setting, and changes nothing", err=True)
    settings = load(config, {"data_dir": data_dir})
    _refuse_another_folder(settings)
    database = Database.open(settings.control_url)
    try:
        yield database
    finally:
        database.close()


def _refuse_another_folder(settings: Settings) -> None:
    """Refuse a folder that is no collector's: keys in a new database there would open nothing.

    A collector makes its folder with the first start, also with one that ends because there is no key.
    """
    folder = settings.data_dir
    if settings.control.url is None and not any((folder / name).exists() for name in _OF_A_COLLECTOR):
        raise ConfigurationError(
            f"data_dir: there is no collector's data in {folder.resolve()}; give its folder by --data-dir, "
            "or start the collector (glasshouse serve) there once"
        )


@click.group()
def projects() -> None:
    """Make, list and delete projects: each has records and keys of its own."""


@projects.command("create")
@click.argument("name")
@click.option("--id", "project_id", help="What stands with its records, for ever; made of NAME otherwise.")
@click.option("--description", default="")
@click.option("--quiet", is_flag=True, help="Print the project's id alone.")
@_shared
def projects_create(  # noqa: PLR0913  (an option each)
    database: Database, *, name: str, project_id: str | None, description: str, quiet: bool, as_json: bool
) -> None:
    """Make a project called NAME."""
    made = Projects(database).create(name, description, project_id)
    if as_json:
        _print_json(ProjectAnswer.of(made).model_dump(mode="json"))
    elif quiet:
        click.echo(made.id)
    else:
        click.echo(f"made the project {made.id}; make it a key: glasshouse keys create --project {made.id}")


@projects.command("list")
@_shared
def projects_list(database: Database, as_json: bool) -> None:
    """List the projects, the oldest first."""
    found = Projects(database).list()
    if as_json:
        _print_json({"projects": [ProjectAnswer.of(one).model_dump(mode="json") for one in found]})
        return
    rows = [(one.id, one.name, one.description, _moment(one.created_at)) for one in found]
    _print_table(("id", "name", "description", "made (UTC)"), rows)


@projects.command("delete")
@click.argument("project_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_shared
def projects_delete(database: Database, project_id: str, yes: bool, as_json: bool) -> None:
    """Close the project ID for ever: its keys open nothing any more, its records stay until retention."""
    found = Projects(database)
    name = found.get(project_id).name
    working = sum(key.opens_at(datetime.now(UTC)) for key in Keys(database).list(project_id))
    if not yes:
        question = f"Delete the project {project_id} ({name})? {working} of its keys work, and will not."
        click.confirm(question, abort=True, err=True)
    found.delete(project_id)
    if as_json:
        _print_json({"project_id": project_id, "revoked_keys": working})
    else:
        click.echo(f"deleted the project {project_id}; {working} keys revoked")


@click.group()
def keys() -> None:
    """Make, list, revoke and rotate the keys that open a project's doors."""


_QUIET = click.option("--quiet", is_flag=True, help="Print the key alone.")


@keys.command("create")
@click.option("--project", default=DEFAULT_PROJECT, show_default=True, help="Whose key it is.")
@click.option("--name", default="", help="Who uses it.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it opens: ingest to send, read to ask, admin for both and the project's keys; "
    "several times for several. ingest and read without it.",
)
@click.option("--expires", type=_End(), help="When it ends: 90d, 2027-01-31.")
@click.option("--records-per-second", type=click.IntRange(1, _MOST_RATE), help="The most it may send.")
@click.option("--bytes-per-day", type=_Bytes(), help="The most it may send on a day of UTC: 5GB.")
@_QUIET
@_shared
def keys_create(  # noqa: PLR0913  (an option each)
    database: Database,
    *,
    project: str,
    name: str,
    scopes: Sequence[str],
    expires: datetime | None,
    records_per_second: int | None,
    bytes_per_day: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make a key. It is shown this once; only its hash is kept.

    An admin key of the project _self is the operator's: it sees and manages every project.
    """
    found = Keys(database)
    first = not found.list()
    settings = KeySettings(
        name=name,
        scopes=frozenset(map(Scope, scopes)) or KeySettings().scopes,
        expires_at=expires,
        records_per_second=records_per_second,
        bytes_per_day=bytes_per_day,
    )
    made = found.create(project, settings)
    note = (
        "This is the first key there is: from now on every request to the collector needs one"
        if first
        else None
    )
    _print_new(made, note, quiet=quiet, as_json=as_json)


@keys.command("list")
@click.option("--project", help="Of this project alone.")
@_shared
def keys_list(database: Database, project: str | None, as_json: bool) -> None:
    """List the keys, ended ones too, the oldest first."""
    if project is not None:
        Projects(database).get(project)
    found = [KeyAnswer.of(key) for key in Keys(database).list(project)]
    if as_json:
        _print_json({"keys": [key.model_dump(mode="json") for key in found]})
        return
    rows = [
        (
            key.prefix,
            key.project_id,
            key.name,
            " ".join(key.scopes),
            key.state,
            _ends(key),
            _moment(key.last_used_at) or "never",
            _limits(key),
        )
        for key in found
    ]
    _print_table(
        ("key", "project", "name", "scopes", "state", "ends (UTC)", "last used (UTC)", "limits"), rows
    )


@keys.command("revoke")
@click.argument("prefix", type=_Prefix())
@click.option("--after", type=_Duration(), default="0", help="In how long it ends: 1h. At once without it.")
@_shared
def keys_revoke(database: Database, prefix: str, after: timedelta, as_json: bool) -> None:
    """Let the key that begins with PREFIX end. A running collector knows it within seconds."""
    ended = KeyAnswer.of(Keys(database).revoke(prefix, after))
    if as_json:
        _print_json(ended.model_dump(mode="json"))
    elif ended.state == "active":
        click.echo(f"{prefix} ends at {_ends(ended)} UTC")
    else:
        click.echo(f"{prefix} opens nothing any more")


@keys.command("rotate")
@click.argument("prefix", type=_Prefix())
@click.option("--overlap", type=_Duration(), default="24h", show_default=True, help="How long both work.")
@_QUIET
@_shared
def keys_rotate(database: Database, prefix: str, overlap: timedelta, quiet: bool, as_json: bool) -> None:
    """Make a key like the one that begins with PREFIX, which itself ends after the overlap."""
    found = Keys(database)
    made = found.rotate(prefix, overlap)
    note = f"{prefix} ends at {_ends(KeyAnswer.of(found.get(prefix)))} UTC"
    _print_new(made, note, quiet=quiet, as_json=as_json)


def _print_new(made: NewKey, note: str | None, *, quiet: bool, as_json: bool) -> None:
    """Print a key with its secret, alone on standard output where it is asked to be `quiet`."""
    if as_json:
        _print_json(CreatedKey.made(made.secret, made.shown, note).model_dump(mode="json"))
        return
    click.echo(made.secret)
    if quiet:
        return
    scopes = ", ".join(sorted(made.shown.settings.scopes))
    click.echo(f"\nKeep it: it is not shown again. Its name here is {made.shown.prefix},", err=True)
    click.echo(f"its project {made.shown.project_id}, and it opens: {scopes}.", err=True)
    if made.shown.project_id == SELF_PROJECT and Scope.ADMIN in made.shown.settings.scopes:
        click.echo("It is an operator's: it sees and manages every project.", err=True)
    if note is not None:
        click.echo(f"{note}.", err=True)


def _print_json(told: dict[str, Any]) -> None:
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table()
    for column in columns:
        table.add_column(column, no_wrap=column in {"key", "id"}, overflow="fold")
    for row in rows:
        table.add_row(*row)
    # Names are anyone's: they are no markup. What is piped on is not folded to a terminal's width.
    Console(markup=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(table)


def _ends(key: KeyAnswer) -> str:
    ends = [end for end in (key.revoked_at, key.expires_at) if end is not None]
    return _moment(min(ends)) if ends else "never"


def _limits(key: KeyAnswer) -> str:
    rate = f"{key.records_per_second:,} records/s" if key.records_per_second else ""
    volume = f"{ByteSize(key.bytes_per_day).human_readable(decimal=True)}/day" if key.bytes_per_day else ""
    return ", ".join(filter(None, (rate, volume))) or "none"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
