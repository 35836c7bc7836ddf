"""The contracts a component keeps, and how it is given what it needs.

A component is a class registered under one of the entry point groups `glasshouse.receivers`,
`.processors`, `.exporters`, `.extensions`. It names the pydantic model of its configuration as
`Config` and is constructed with an instance of it and the collector's services:

    class MyExporter:
        Config = MyConfig
        def __init__(self, config: MyConfig, services: Services) -> None: ...
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from glasshouse_collector.core.batch import Batch, RequestKind

T = TypeVar("T")


class ComponentConfig(BaseModel):
    """What a user writes for one component; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Services:
    """What the collector lends its components, found by type."""

    def __init__(self) -> None:
        self._provided: dict[type, Any] = {}

    def provide(self, contract: type[T], service: T) -> None:
        """Offer `service` to whoever asks for `contract`."""
        self._provided[contract] = service

    def get(self, contract: type[T]) -> T:
        """Return the service offered for `contract`; LookupError where there is none."""
        try:
            service: T = self._provided[contract]
        except KeyError:
            raise LookupError(f"the collector offers no {contract.__name__}") from None
        return service


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a request that is now on disk.

    `rejected` records were refused for good (reason in `message`), the others are kept.
    """

    records: int
    rejected: int = 0
    message: str = ""


class Door(Protocol):
    """Where receivers hand over what came in."""

    async def accept(
        self, kind: RequestKind, payload: bytes, project: str, *, transport: str, key: str = ""
    ) -> Accepted:
        """Check `payload` (an uncompressed protobuf request) and put it on disk; return once it is kept.

        `transport` names the receiver in the metrics; `key` is `Caller.key`, by which the sender's quota
        is found. Raises `Undecodable`, `LimitReached`, `Backpressure`.
        """


@runtime_checkable
class Component(Protocol):
    """Anything found by entry point."""

    Config: ClassVar[type[ComponentConfig]]


@runtime_checkable
class Receiver(Component, Protocol):
    """Lets telemetry in. Holds no queue: what it answered with success, the door has kept."""

    async def start(self, door: Door) -> None:
        """Listen. Raises `ConfigurationError` where the address cannot be had."""

    async def stop(self) -> None:
        """Accept no more, finish what was accepted. Safe without `start`, and repeatedly."""


@runtime_checkable
class Processor(Component, Protocol):
    """Changes a batch: a pure function of the batch and its configuration, over columns, not rows."""

    def process(self, batch: Batch) -> Batch:
        """Return the batch changed, or the same one. Never reads a clock, dice, or state of its own."""


@runtime_checkable
class Exporter(Component, Protocol):
    """Delivers batches, one at a time, in the journal's order.

    A batch is delivered at least once; `batch.origin.in_doubt` and `batch_id` let an exporter
    make that exactly once.
    """

    async def start(self) -> None:
        """Get ready to deliver. Raises `ConfigurationError` for what the user has to change."""

    async def export(self, batch: Batch) -> None:
        """Deliver the batch; return once it is kept. Raises `Retryable` or `Permanent`."""

    async def stop(self) -> None:
        """Finish. Safe without `start`, and repeatedly."""


@runtime_checkable
class Extension(Component, Protocol):
    """Lives beside the data path: jobs, routes."""

    routes: APIRouter | None

    async def start(self, services: Services) -> None:
        """Begin. Raises `ConfigurationError` for what the user has to change."""

    async def stop(self) -> None:
        """Finish. Safe without `start`, and repeatedly."""
