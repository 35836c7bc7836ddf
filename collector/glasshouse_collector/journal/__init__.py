"""The durable queue between the receivers and the exporters."""

from glasshouse_collector.journal.consumer import Consumer
from glasshouse_collector.journal.journal import Journal
from glasshouse_collector.journal.settings import JournalSettings

__all__ = ["Consumer", "Journal", "JournalSettings"]
