"""Projects, keys and other small state: SQLite in the data folder, or PostgreSQL."""

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.errors import NotFound, Taken, Wrong
from glasshouse_collector.control.keyring import Keyring
from glasshouse_collector.control.keys import Keys, KeySettings, NewKey, ShownKey
from glasshouse_collector.control.projects import Projects, ShownProject

__all__ = [
    "Database",
    "KeySettings",
    "Keyring",
    "Keys",
    "NewKey",
    "NotFound",
    "Projects",
    "ShownKey",
    "ShownProject",
    "Taken",
    "Wrong",
]
