"""The durable queue between the receivers and the exporters, and the dead letters beside it."""

from glasshouse_collector.journal.consumer import Consumer
from glasshouse_collector.journal.dead_letters import DeadLetters
from glasshouse_collector.journal.journal import Journal
from glasshouse_collector.journal.letter_file import DeadLetter
from glasshouse_collector.journal.settings import JournalSettings

__all__ = ["Consumer", "DeadLetter", "DeadLetters", "Journal", "JournalSettings"]
