"""Finds what changed before or in an incident: versions, images, configuration, instances."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeVar

from glasshouse_collector.insights.explaining.explanation import Change
from glasshouse_collector.insights.windows import SECOND, Question, Window
from glasshouse_collector.store import ProjectStore, QueryLimits

_Key = TypeVar("_Key")

MOST_CHANGES: Final = 20
LOOK_BACK: Final = 3600 * SECOND
"""How long before an incident a change still counts as recent."""
_SETTLES: Final = 60 * SECOND
_GAPS: Final = 5
"""What is not seen for a minute, and for five times as long as it usually takes, was not there."""
_MOST_ROWS: Final = 2_000_000
"""Of more records not each one's resource is looked at, but the rollup of instances."""
_MOST_RESOURCES: Final = 20_000
_MOST_VALUE: Final = 200
_MOST_VALUES: Final = 8
"""A key with more values than these tells what differs from instance to instance, not a configuration."""

_INSTANCE_KEYS: Final = ("service.instance.id", "k8s.pod.name", "container.id", "host.name")
"""What names an instance: the first of these that a resource has."""
_OF_AN_INSTANCE: Final = re.compile(
    r"service\.instance\.id|host\.|os\.|process\.(?!runtime\.version|command)|container\.(id|name)"
    r"|k8s\.(pod|node|replicaset|job|container\.restart_count)|cloud\.(availability_zone|resource_id)"
    r"|faas\.instance|telemetry\.|service\.name$|.*\.(uid|pid|ip|start_time)$"
)
_RESOURCES: Final = f"""
    SELECT Service, any(Resource) AS Resource, sum(Rows) AS Count,
        toUnixTimestamp64Nano(min(Earliest)) AS First, toUnixTimestamp64Nano(max(Newest)) AS Last
    FROM ({{parts}})
    GROUP BY Service, Hash ORDER BY First, Service, Hash LIMIT {_MOST_RESOURCES}
"""  # noqa: S608  (constants; values are parameters)
_PART: Final = """
    SELECT toString(ServiceName) AS Service, cityHash64(ResourceAttributes) AS Hash,
        any(ResourceAttributes) AS Resource, count() AS Rows,
        min(Timestamp) AS Earliest, max(Timestamp) AS Newest
    FROM {table}
    WHERE Timestamp >= fromUnixTimestamp64Nano({{start:Int64}})
        AND Timestamp < fromUnixTimestamp64Nano({{end:Int64}})
    GROUP BY Service, Hash
"""


_COUNT: Final = """
    SELECT count() AS Rows FROM {table}
    WHERE Timestamp >= fromUnixTimestamp64Nano({{start:Int64}})
        AND Timestamp < fromUnixTimestamp64Nano({{end:Int64}})
"""
_TABLES: Final = ("otel_traces", "otel_logs")
_ROLLUP: Final = f"""
    SELECT toString(ServiceName) AS Service, Instance, toString(Version) AS Version,
        toString(Environment) AS Environment,
        toUnixTimestamp64Nano(min(FirstSeen)) AS First, toUnixTimestamp64Nano(max(LastSeen)) AS Last
    FROM glasshouse_instances
    WHERE Hour >= toStartOfHour(fromUnixTimestamp64Nano({{start:Int64}}), 'UTC')
        AND Hour <= fromUnixTimestamp64Nano({{end:Int64}})
    GROUP BY Service, Instance, Version, Environment
    HAVING First < {{end:Int64}} AND Last >= {{start:Int64}}
    ORDER BY First, Service, Instance, Version, Environment LIMIT {_MOST_RESOURCES}
"""  # noqa: S608  (constants; values are parameters)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Something of a service: how many records had it, and when the first and the last."""

    count: int
    first: int
    last: int

    def joined(self, other: "_Seen") -> "_Seen":
        """Return both as one."""
        return _Seen(self.count + other.count, min(self.first, other.first), max(self.last, other.last))

    @property
    def patience(self) -> int:
        """Nanoseconds without a record that say it is not there; endless where one record says nothing."""
        gap = (self.last - self.first) // (self.count - 1) if self.count > 1 else 1 << 62
        return max(_SETTLES, _GAPS * gap)


@dataclass(frozen=True, slots=True)
class _Resource:
    attributes: dict[str, str]
    seen: _Seen


def read_changes(store: ProjectStore, question: Question, limits: QueryLimits) -> tuple[Change, ...]:
    """Return what changed in the hour before the incident and in it, the latest first.

    Told by the resources of spans and log records; where these are very many, by the rollup of
    instances, which has versions and environments alone. Raises `EngineFailure`.
    """
    look_at = Window(max(0, question.incident.start - LOOK_BACK), question.incident.end)
    changes = [
        change
        for service, resources in _read(store, look_at, limits).items()
        for change in [*_values(service, resources), *_instances(service, resources)]
    ]
    changes.sort(key=lambda change: (-change.time, change.service, change.attribute))
    return tuple(changes[:MOST_CHANGES])


def _read(store: ProjectStore, window: Window, limits: QueryLimits) -> dict[str, list[_Resource]]:
    within = {"start": window.start, "end": window.end}
    counted = " UNION ALL ".join(_COUNT.format(table=table) for table in _TABLES)
    rows = sum(store.query_arrow(counted, within, limits=limits)["Rows"].to_pylist())
    by_service: dict[str, list[_Resource]] = defaultdict(list)
    if rows > _MOST_ROWS:
        for row in store.query_arrow(_ROLLUP, within, limits=limits).to_pylist():
            by_service[row["Service"]].append(_of_rollup(row))
        return by_service
    sql = _RESOURCES.format(parts=" UNION ALL ".join(_PART.format(table=table) for table in _TABLES))
    for row in store.query_arrow(sql, within, limits=limits).to_pylist():
        attributes = {str(key): str(value)[:_MOST_VALUE] for key, value in _items(row["Resource"])}
        seen = _Seen(row["Count"], row["First"], row["Last"])
        by_service[row["Service"]].append(_Resource(attributes, seen))
    return by_service


def _of_rollup(row: Mapping[str, Any]) -> _Resource:
    """Return what the rollup tells; where there are so many records, each instance has some every second."""
    attributes = {
        "service.version": row["Version"],
        "deployment.environment.name": row["Environment"],
        "service.instance.id": row["Instance"],
    }
    told = {key: value[:_MOST_VALUE] for key, value in attributes.items() if value}
    return _Resource(told, _Seen(1 + (row["Last"] - row["First"]) // SECOND, row["First"], row["Last"]))


def _items(attributes: Any) -> Iterable[tuple[Any, Any]]:
    return attributes.items() if isinstance(attributes, dict) else attributes or ()


def _values(service: str, resources: list[_Resource]) -> Iterator[Change]:
    """Yield each value that a key of the service took after it had had another one."""
    keys = sorted({key for each in resources for key in each.attributes if not _OF_AN_INSTANCE.match(key)})
    for key in keys:
        values = _joined((each.attributes[key], each.seen) for each in resources if key in each.attributes)
        if not 1 < len(values) <= _MOST_VALUES:
            continue
        earliest = min(seen.first for seen in values.values())
        came = sorted(values.items(), key=lambda value: value[1].first)
        for (before, _), (after, seen) in pairwise(came):
            if seen.first - earliest > seen.patience:
                yield Change(seen.first, service, key, before, after)


def _instances(service: str, resources: list[_Resource]) -> Iterator[Change]:
    """Yield the instances that came while others were there, or went while others stayed."""
    named = (
        (next((key for key in _INSTANCE_KEYS if key in each.attributes), ""), each) for each in resources
    )
    instances = _joined(((key, each.attributes[key]), each.seen) for key, each in named if key)
    if len(instances) < 2:  # noqa: PLR2004  (none to compare it with)
        return
    earliest = min(seen.first for seen in instances.values())
    newest = max(seen.last for seen in instances.values())
    for (key, name), seen in instances.items():
        if seen.first - earliest > seen.patience:
            yield Change(seen.first, service, key, "", name)
        if newest - seen.last > seen.patience:
            yield Change(seen.last, service, key, name, "")


def _joined(found: Iterable[tuple[_Key, _Seen]]) -> dict[_Key, _Seen]:
    joined: dict[_Key, _Seen] = {}
    for key, seen in found:
        joined[key] = joined[key].joined(seen) if key in joined else seen
    return joined
