"""Projects and keys in a collector's database, as `glasshouse keys` makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glasshouse_collector.control import Database, Keys, KeySettings, Projects
from glasshouse_collector.core.access import Scope


@contextmanager
def control(data_dir: Path) -> Iterator[tuple[Projects, Keys]]:
    """Open the database in a data folder, which is made where it is not there."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database.open(f"sqlite:///{data_dir / 'control.db'}")
    try:
        yield Projects(database), Keys(database)
    finally:
        database.close()


def made_key(data_dir: Path, project: str = "default", *scopes: Scope) -> str:
    """Make a key, and its project where there is none, and return the secret."""
    settings = KeySettings(scopes=frozenset(scopes)) if scopes else KeySettings()
    with control(data_dir) as (projects, keys):
        if project not in {each.id for each in projects.list()}:
            projects.create(project, project_id=project)
        return keys.create(project, settings).secret
