"""Projects, keys and other small state: SQLite in the data folder, or PostgreSQL."""

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.errors import NotFound, Taken, Wrong
from glasshouse_collector.control.keyring import Keyring
from glasshouse_collector.control.keys import Keys, KeySettings, NewKey, ShownKey
from glasshouse_collector.control.projects import Projects, ShownProject
from glasshouse_collector.control.quotas import KeyQuotas
from glasshouse_collector.control.receipts import Receipts
from glasshouse_collector.control.usage import DayUsage

__all__ = [
    "Database",
    "DayUsage",
    "KeyQuotas",
    "KeySettings",
    "Keyring",
    "Keys",
    "NewKey",
    "NotFound",
    "Projects",
    "Receipts",
    "ShownKey",
    "ShownProject",
    "Taken",
    "Wrong",
]
