"""Takes every batch and keeps none: for measuring what comes before an exporter."""

from typing import ClassVar

from glasshouse_collector.core.batch import Batch
from glasshouse_collector.core.components import ComponentConfig, Services


class DiscardConfig(ComponentConfig):
    """Nothing to set."""


class DiscardExporter:
    """Delivers to nowhere; every delivery succeeds."""

    Config: ClassVar[type[ComponentConfig]] = DiscardConfig

    def __init__(self, config: DiscardConfig, services: Services) -> None:
        del config, services

    async def start(self) -> None:
        """Nothing to get ready."""

    async def export(self, batch: Batch) -> None:
        """Forget the batch."""

    async def stop(self) -> None:
        """Nothing to finish."""
