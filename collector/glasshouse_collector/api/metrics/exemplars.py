"""Measurements that were kept beside the points of a metric, with the spans they were made in."""

from collections import defaultdict
from typing import Any, Final

from glasshouse_collector.api.metrics.model import Exemplar, Kind
from glasshouse_collector.api.metrics.points import TABLE_OF, Asked, Points
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

_EACH: Final = 5
_MOST: Final = 10_000


def read_exemplars(
    store: ProjectStore, asked: Asked, limits: QueryLimits
) -> dict[tuple[str, ...], list[Exemplar]]:
    """Return the largest of each group of series, by the texts of its labels. Raises `EngineFailure`.

    Those alone that tell a trace, and each once: a cumulative point may tell again what one before told.
    """
    found: dict[tuple[str, ...], list[Exemplar]] = defaultdict(list)
    if asked.kind is Kind.SUMMARY:
        return found
    source = Points(asked)
    parameters = source.conditions.values
    start, end = (f"fromUnixTimestamp64Nano({{exemplars_{edge}:Int64}})" for edge in ("start", "end"))
    sql = (
        f"SELECT {source.labels()} AS labels, at, value, trace, span, any(beside) AS attributes "  # noqa: S608
        f"FROM {TABLE_OF[asked.kind]} ARRAY JOIN `Exemplars.TimeUnix` AS at, `Exemplars.Value` AS value, "
        "`Exemplars.TraceId` AS trace, `Exemplars.SpanId` AS span, `Exemplars.FilteredAttributes` AS beside "
        f"WHERE {source.conditions.sql} AND trace != '' AND at >= {start} AND at < {end} AND isFinite(value) "
        "GROUP BY labels, at, value, trace, span "
        f"ORDER BY value DESC, at DESC, trace LIMIT {_EACH} BY labels LIMIT {_MOST}"
    )
    parameters["exemplars_start"], parameters["exemplars_end"] = asked.steps.start, asked.steps.end
    rows: list[dict[str, Any]] = store.query_arrow(sql, parameters, limits=limits).to_pylist()
    for row in rows:
        found[tuple(row["labels"])].append(
            Exemplar(
                time=rfc3339(row["at"].value),
                value=row["value"],
                trace_id=row["trace"],
                span_id=row["span"],
                attributes=dict(row["attributes"]),
            )
        )
    return found
