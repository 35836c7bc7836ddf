"""What the service lends a pipeline."""

from dataclasses import dataclass
from typing import Protocol

from glasshouse_collector.core.clock import Clock
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.journal import Consumer, DeadLetters
from glasshouse_collector.pipeline.formed import FormedRuns


class ReadinessReport(Protocol):
    """Where a pipeline says whether its destination takes what it delivers."""

    def set(self, component: str, ready: bool, detail: str = "") -> None:
        """Report."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How much one run holds: until `max_records` or `max_bytes`, or `linger` seconds have gone by."""

    max_records: int
    max_bytes: int
    linger: float


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What the service lends a pipeline; `name` is the exporter's."""

    name: str
    runs: FormedRuns
    consumer: Consumer
    dead_letters: DeadLetters
    batching: Batching
    metrics: Metrics
    status: ReadinessReport
    clock: Clock
