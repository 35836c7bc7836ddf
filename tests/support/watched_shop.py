"""Two hours of a shop's traffic, and a collector's job that looks at them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.core.batch import Frame
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Backpressure
from glasshouse_collector.core.incidents import Incident
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.insights.job import InsightsJob
from told_traffic import MINUTE, NOON

MINUTES: Final = 120
BEGINS, ENDS = 90, 98
"""The minutes in which the shop is in trouble."""
START: Final = NOON - MINUTES * MINUTE


class Frames:
    """What is behind the real door: the frames that it lets in, unless it is full."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.full = False

    async def append(self, frame: Frame) -> None:
        """Keep a frame."""
        if self.full:
            raise Backpressure(1, "the journal is full")
        self.frames.append(frame)

    def records(self) -> list[tuple[str, LogRecord]]:
        """Return the log records that were let in, each with its project."""
        found = []
        for frame in self.frames:
            request = ExportLogsServiceRequest.FromString(frame.payload)
            (record,) = request.resource_logs[0].scope_logs[0].log_records
            found.append((frame.project, record))
        return found


@dataclass
class Collector:
    """One collector's job, with a clock that a test sets."""

    job: InsightsJob
    services: Services
    metrics: Metrics
    clock: list[datetime]
    begins: int = START
    """When the traffic does, in nanoseconds."""

    def look(self, minute: int) -> None:
        """Let a round run when so many minutes of the traffic are over."""
        self.clock[0] = datetime.fromtimestamp(self.begins / 1e9, UTC) + timedelta(minutes=minute, seconds=30)
        asyncio.run(self.job.round())

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric; 0 where there is none."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def incidents(self, project: str = "shop") -> Sequence[Incident]:
        """Return the incidents of a project."""
        return self.services.get(Incidents).list(project)
