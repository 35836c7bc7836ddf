"""Groups log records by their shape, in the store: a body's first line, without digits and hex."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from glasshouse_collector.store import ProjectStore, QueryLimits, log_times
from glasshouse_collector.store.engine import Scalar

MOST_SHAPES: Final = 20_000
MOST_RECORDS: Final = 2_000_000
"""Of more, one in so many is looked at."""
LEVELS: Final = ("unset", "trace", "debug", "info", "warn", "error", "fatal")
MOST_LINE: Final = 400
"""Characters of a line that are looked at."""
_MOST_SERVICES: Final = 20

LINE: Final = f"substringUTF8(substringIndex(trimLeft(Body), '\\n', 1), 1, {MOST_LINE})"
_HEX: Final = r"'\\b[0-9a-fA-F-]{{8,}}\\b'"
SHAPE: Final = f"replaceRegexpAll(replaceRegexpAll({LINE}, {_HEX}, 'h'), '[0-9]+', '0')"
_COUNT: Final = "SELECT count() AS Records FROM otel_logs WHERE {where}"
_SHAPES: Final = f"""
SELECT count() AS Records,
    countResample(0, {{steps}}, 1)(intDiv(toUnixTimestamp64Nano(Timestamp), {{step}}) - {{first}}) AS Steps,
    countIf(Timestamp < fromUnixTimestamp64Nano({{middle}})) AS FirstHalf,
    countResample(0, {len(LEVELS)}, 1)(least(intDiv(SeverityNumber + 3, 4), {len(LEVELS) - 1})) AS Levels,
    groupUniqArray({_MOST_SERVICES})(ServiceName) AS Services,
    toUnixTimestamp64Nano(min(Timestamp)) AS FirstTime,
    argMin(tuple(toString(BatchId), BatchRow, {LINE}), Timestamp) AS First,
    toUnixTimestamp64Nano(max(Timestamp)) AS LastTime,
    argMax(tuple(toString(BatchId), BatchRow, {LINE}), Timestamp) AS Last
FROM otel_logs WHERE {{where}}
GROUP BY {SHAPE} ORDER BY Records DESC, FirstTime LIMIT {MOST_SHAPES}
SETTINGS max_rows_to_group_by = {10 * MOST_SHAPES}, group_by_overflow_mode = 'any'
"""  # noqa: S608  (constants; values are parameters)


@dataclass(frozen=True, slots=True)
class PatternQuestion:
    """Which log records: a condition in SQL with its parameters, and between which times (nanoseconds).

    `step` (nanoseconds) is how long one step of the trend is; steps begin at its multiples.
    """

    where: str
    values: Mapping[str, Scalar]
    start: int
    end: int
    step: int

    @property
    def first_step(self) -> int:
        """The number of the first step since the Unix epoch."""
        return self.start // self.step

    @property
    def steps(self) -> int:
        """How many steps cover the range."""
        return (self.end - 1) // self.step - self.first_step + 1


@dataclass(frozen=True, slots=True)
class Example:
    """One log record: where it is, and what its line says."""

    time: int
    batch: str
    row: int
    line: str


@dataclass(frozen=True, slots=True)
class Shape:
    """Log records of one shape: how many in all, in the first half of the range, by step and by level."""

    count: int
    first_half: int
    steps: Sequence[int]
    levels: Sequence[int]
    services: Sequence[str]
    first: Example
    last: Example


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of a question's records, the frequent ones first; counts are of those looked at."""

    found: list[Shape]
    total: int
    """Records in all."""
    one_in: int
    """Of so many records one was looked at."""


def read_shapes(store: ProjectStore, asked: PatternQuestion, limits: QueryLimits) -> Shapes:
    """Return the shapes, at most `MOST_SHAPES`; raises `EngineFailure`."""
    values = {**asked.values, "start": asked.start, "end": asked.end}
    where = f"({asked.where}) AND {log_times('{start:Int64}', '{end:Int64}')}"
    counted = store.query_arrow(_COUNT.format(where=where), values, limits=limits).to_pylist()
    total = counted[0]["Records"] if counted else 0
    one_in = max(1, -(-total // MOST_RECORDS))
    if one_in > 1:
        where += f" AND cityHash64(BatchId, BatchRow) % {one_in} = 0"
    sql = _SHAPES.format(
        steps=asked.steps,
        step=asked.step,
        first=asked.first_step,
        middle=(asked.start + asked.end) // 2,
        where=where,
    )
    rows = store.query_arrow(sql, values, limits=limits).to_pylist() if total else []
    return Shapes([_shape(row) for row in rows], total, one_in)


def _shape(row: Mapping[str, Any]) -> Shape:
    return Shape(
        count=row["Records"],
        first_half=row["FirstHalf"],
        steps=row["Steps"],
        levels=row["Levels"],
        services=row["Services"],
        first=_example(row["FirstTime"], row["First"]),
        last=_example(row["LastTime"], row["Last"]),
    )


def _example(time: int, found: Mapping[str, Any] | Sequence[Any]) -> Example:
    batch, row, line = found.values() if isinstance(found, Mapping) else found
    return Example(time, batch, row, line)
