"""Hours of traffic of a small shop, minute by minute, as spans in a store; by chance, but the same each time.

gateway ──▶ checkout ──▶ payment          search, beside them
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.schema import TABLE_COLUMNS
from glasshouse_collector.store import Store

MINUTE: Final = 60 * 10**9
DAY: Final = 1440 * MINUTE
NOON: Final = 1_900_000_800 // 86_400 * DAY + 12 * 60 * MINUTE
"""2030-03-17 12:00:00 UTC."""

Rate = Callable[[int], float]
"""Tells of each minute of the traffic how much there is."""


def steadily(much: float) -> Rate:
    """Return the rate of every minute."""
    return lambda _: much


_NEVER, _ALWAYS, _TWENTY, _THIRTY = (steadily(much) for much in (0.0, 1.0, 20.0, 30.0))


def between(first: int, last: int, much: float, else_: float = 0.0) -> Rate:
    """Return a rate that is another from a minute to before another one."""
    return lambda minute: much if first <= minute < last else else_


@dataclass
class Operation:
    """What a service does: spans that take so long and fail so often, by minute, for its parent's spans.

    `parent` is the name of an operation of the shop; without one it is asked from outside.
    """

    service: str
    name: str
    parent: str = ""
    kind: str = "Server"
    milliseconds: Rate = _TWENTY
    failing: Rate = _NEVER
    serving: Rate = _ALWAYS


@dataclass
class Shop:
    """The shop's operations, as a test changes them."""

    requests: Rate = _THIRTY
    gateway: Operation = field(default_factory=lambda: Operation("gateway", "POST /orders"))
    checkout: Operation = field(default_factory=lambda: Operation("checkout", "POST /checkout", "gateway"))
    orders: Operation = field(
        default_factory=lambda: Operation("checkout", "SELECT orders", "checkout", "Client")
    )
    payment: Operation = field(default_factory=lambda: Operation("payment", "POST /charge", "checkout"))
    search: Operation = field(default_factory=lambda: Operation("search", "GET /search"))

    def keep(self, store: Store, start: int, minutes: int, seed: int = 1, project: str = "default") -> None:
        """Write the traffic of so many minutes from `start` (nanoseconds) on."""
        chance = np.random.default_rng(seed)
        often = chance.poisson([self.requests(each) for each in range(minutes)])
        minute = np.repeat(np.arange(minutes), often)
        count = len(minute)
        begun = start + minute * MINUTE + chance.integers(0, MINUTE, count)
        traces = [f"{seed:08x}{int(start % 2**48):012x}{number:012x}" for number in range(count)]
        reached: dict[str, npt.NDArray[np.bool_]] = {"": np.ones(count, np.bool_)}
        for number, key in enumerate(_KEYS):
            operation: Operation = getattr(self, key)
            there = reached[operation.parent] & (chance.random(count) < _by(operation.serving, minute))
            reached[key] = there
            rows = np.flatnonzero(there)
            took = _by(operation.milliseconds, minute[rows]) * chance.lognormal(0, 0.3, len(rows))
            failed = chance.random(len(rows)) < _by(operation.failing, minute[rows])
            parent = _KEYS.index(operation.parent) if operation.parent else None
            columns = {
                "Timestamp": begun[rows],
                "TraceId": [traces[row] for row in rows],
                "SpanId": [f"{number:02x}{row:014x}" for row in rows],
                "ParentSpanId": ["" if parent is None else f"{parent:02x}{row:014x}" for row in rows],
                "SpanName": [operation.name] * len(rows),
                "SpanKind": [operation.kind] * len(rows),
                "ServiceName": [operation.service] * len(rows),
                "Duration": (took * 1e6).astype(np.uint64),
                "StatusCode": np.where(failed, "Error", "Unset"),
            }
            keep_rows(store, Signal.TRACES, columns, f"{project}-{seed}-{start}-{key}", project)


_KEYS: Final = ("gateway", "checkout", "orders", "payment", "search")


def _by(rate: Rate, minutes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return a rate at minutes."""
    known = np.array([rate(minute) for minute in range(int(minutes.max(initial=-1)) + 1)], np.float64)
    return known[minutes]


def spread(chance: np.random.Generator, start: int, minutes: int, rate: Rate) -> npt.NDArray[np.int64]:
    """Return times of what comes by chance, so often a minute."""
    often = chance.poisson([rate(minute) for minute in range(minutes)])
    minute = np.repeat(np.arange(minutes), often)
    return np.asarray(start + minute * MINUTE + chance.integers(0, MINUTE, len(minute)), np.int64)


def keep_rows(
    store: Store, signal: Signal, columns: dict[str, Any], token: str, project: str = "default"
) -> None:
    """Insert rows of which some columns are given; the others are empty. A day's at a time."""
    (time,) = (name for name in ("Timestamp", "TimeUnix") if name in columns)
    times = np.asarray(columns[time], np.int64)
    for day in np.unique(times // DAY):
        chosen = np.flatnonzero(times // DAY == day)
        count = len(chosen)
        ours: dict[str, list[Any]] = {"Project": [project] * count, "BatchRow": list(range(count))}
        ours["BatchId"] = [f"{token}-{day}"] * count
        arrays = []
        for each in TABLE_COLUMNS[signal]:
            if each.name in columns:
                values: Any = [columns[each.name][row] for row in chosen]
            else:
                values = ours.get(each.name, [_empty(each.type)] * count)
            arrays.append(_array(values, each.type))
        batch = pa.RecordBatch.from_arrays(arrays, schema=TABLE_COLUMNS[signal])
        store.insert(signal, batch, token=f"{token}-{day}")


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array([int(value) for value in values], pa.int64()).cast(kind)
    return pa.array(values, kind)


def _empty(kind: pa.DataType) -> Any:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_map(kind) or pa.types.is_list(kind):
        return []
    if pa.types.is_boolean(kind):
        return False
    return 0 if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_timestamp(kind) else ""
