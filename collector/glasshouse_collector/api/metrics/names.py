"""Lists metrics, from the table of names alone."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.logs.place import fingerprint
from glasshouse_collector.api.metrics.facts import days
from glasshouse_collector.api.metrics.model import Kind, MetricName, MetricNames, Temporality
from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits

_MOST_SERVICES: Final = 100
_TEMPORALITIES: Final = {1: Temporality.DELTA, 2: Temporality.CUMULATIVE}

FACTS: Final = (
    "MetricName AS name, argMax(Kind, LastSeen) AS kind, argMax(Unit, LastSeen) AS unit, "
    "argMax(Description, LastSeen) AS description, argMax(Temporality, LastSeen) AS temporality, "
    "argMax(IsMonotonic, LastSeen) AS monotonic, "
    f"arraySlice(arraySort(groupUniqArray(toString(ServiceName))), 1, {_MOST_SERVICES}) AS services, "
    "uniqCombinedMerge(12)(Series) AS series, sum(Points) AS points, "
    "min(FirstSeen) AS first_seen, max(names.LastSeen) AS last_seen, "
    "arraySort(groupUniqArray(10)(toString(Kind))) AS kinds, "
    "arraySort(groupUniqArray(10)(toString(Unit))) AS units, "
    "arraySort(groupUniqArrayIf(2)(toString(IsMonotonic), Kind = 'sum')) AS monotonics"
)
"""Columns of a query of `glasshouse_metric_names AS names` by `name`."""


@dataclass(frozen=True, slots=True)
class NamesQuestion:
    """Which metrics are asked for."""

    text: str
    service_names: Sequence[str]
    kind: Kind | None
    within: TimeRange
    limit: int
    cursor: str


def read_names(store: ProjectStore, asked: NamesQuestion, limits: QueryLimits) -> MetricNames:
    """Return a page of metrics in the order of their names. Raises `Problem`, `EngineFailure`."""
    conditions = Conditions()
    conditions.one_of("ServiceName", asked.service_names)
    if asked.text:
        conditions.add(
            f"positionCaseInsensitiveUTF8(MetricName, {conditions.value(asked.text, 'String')}) > 0"
        )
    if asked.kind:
        conditions.one_of("Kind", [asked.kind])
    if asked.cursor:
        conditions.add(f"MetricName > {conditions.value(_name(asked), 'String')}")
    conditions.add(days(asked.within, conditions.values))
    sql = (
        f"SELECT {FACTS} FROM glasshouse_metric_names AS names WHERE {conditions.sql} "  # noqa: S608
        f"GROUP BY name ORDER BY name LIMIT {asked.limit + 1}"
    )
    rows: list[dict[str, Any]] = store.query_arrow(sql, conditions.values, limits=limits).to_pylist()
    page = rows[: asked.limit]
    return MetricNames(
        metrics=[MetricName(**facts_of(row)) for row in page],
        next_cursor=_cursor(asked, page[-1]["name"]) if len(rows) > asked.limit else None,
        start_time=rfc3339(asked.within.start),
        end_time=rfc3339(asked.within.end),
    )


def facts_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `MetricName` from a row of `FACTS`."""
    kind = Kind(row["kind"])
    of_time = kind not in {Kind.GAUGE, Kind.SUMMARY}
    differing = {"kind": row["kinds"], "unit": row["units"], "monotonic": row["monotonics"]}
    return {
        **{name: row[name] for name in ("name", "unit", "description", "services", "series", "points")},
        "kind": kind,
        "temporality": _TEMPORALITIES.get(row["temporality"], Temporality.UNSPECIFIED) if of_time else None,
        "monotonic": row["monotonic"],
        "first_seen": rfc3339(row["first_seen"].value),
        "last_seen": rfc3339(row["last_seen"].value),
        "conflicts": [
            f"{what}: {', '.join(one or 'none' for one in ways)}"
            for what, ways in differing.items()
            if len(ways) > 1
        ],
    }


def _cursor(asked: NamesQuestion, name: str) -> str:
    return urlsafe_b64encode(f"{_question(asked)} {name}".encode()).decode().rstrip("=")


def _name(asked: NamesQuestion) -> str:
    """Return after which name the page begins; a `Problem` where the cursor is no page's of this question."""
    try:
        written = b64decode(asked.cursor + "=" * (-len(asked.cursor) % 4), b"-_", validate=True).decode()
    except ValueError:
        written = ""
    question, _, name = written.partition(" ")
    if question != _question(asked):
        raise Problem(
            HTTPStatus.BAD_REQUEST, "cursor: the next_cursor of this question's page before is expected"
        )
    return name


def _question(asked: NamesQuestion) -> str:
    return fingerprint(asked.text, sorted(asked.service_names), asked.kind)
