"""Projects, keys and other small state: SQLite in the data folder, or PostgreSQL."""

from glasshouse_collector.control.database import Database
from glasshouse_collector.control.errors import NotFound, Taken, Wrong
from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.control.keyring import Keyring
from glasshouse_collector.control.keys import Keys, KeySettings, NewKey, ShownKey
from glasshouse_collector.control.leases import Leases
from glasshouse_collector.control.projects import Projects, ShownProject
from glasshouse_collector.control.quotas import KeyQuotas
from glasshouse_collector.control.receipts import Receipts
from glasshouse_collector.control.usage import DayUsage

__all__ = [
    "Database",
    "DayUsage",
    "Feedback",
    "Incidents",
    "KeyQuotas",
    "KeySettings",
    "Keyring",
    "Keys",
    "Leases",
    "NewKey",
    "NotFound",
    "Projects",
    "Receipts",
    "ShownKey",
    "ShownProject",
    "Taken",
    "Wrong",
]
