"""The only place that knows ClickHouse."""

from glasshouse_collector.store.settings import StoreSettings
from glasshouse_collector.store.store import QueryLimits, Store

__all__ = ["QueryLimits", "Store", "StoreSettings"]
