"""The only place that knows ClickHouse."""

from glasshouse_collector.store.limits import QueryLimits
from glasshouse_collector.store.log_times import log_times
from glasshouse_collector.store.project_store import EVERY_PROJECT, ProjectStore
from glasshouse_collector.store.readonly import QueryAnswer, QueryRefused, QueryTimedOut, QueryTooBig
from glasshouse_collector.store.settings import StoreSettings, locate
from glasshouse_collector.store.store import Store

__all__ = [
    "EVERY_PROJECT",
    "ProjectStore",
    "QueryAnswer",
    "QueryLimits",
    "QueryRefused",
    "QueryTimedOut",
    "QueryTooBig",
    "Store",
    "StoreSettings",
    "locate",
    "log_times",
]
