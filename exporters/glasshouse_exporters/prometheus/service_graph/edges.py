"""The series of the service graph: requests, failures and durations of each edge.

Names and labels are those of the OpenTelemetry Collector's service graph connector as Prometheus shows them.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from glasshouse_exporters.prometheus.columns import Coded, Codes, group
from glasshouse_exporters.prometheus.histograms import buckets_of, histogram_rows
from glasshouse_exporters.prometheus.labels import label_set
from glasshouse_exporters.prometheus.series import Kind, Numbers, SeriesTable
from glasshouse_exporters.prometheus.service_graph.names import Names

PREFIX = "traces_service_graph"
USER = "user"
"""Who calls a service whose trace begins with it."""

EDGE = np.dtype(
    [
        ("project", "i4"),
        ("client", "i4"),
        ("server", "i4"),
        ("connection", "i1"),
        ("failed", "?"),
        ("client_seconds", "f8"),
        ("server_seconds", "f8"),
    ]
)
"""One request: names by their numbers, durations by the side that measured them, NaN where it did not."""

Edges = npt.NDArray[np.void]


class Connection(IntEnum):
    """What an edge is, in the order of `CONNECTION_TYPES`."""

    DIRECT = 0
    DATABASE = 1
    MESSAGING = 2
    VIRTUAL = 3


CONNECTION_TYPES = ("", "database", "messaging_system", "virtual_node")
"""The values of the label `connection_type`; an empty label is none."""


@dataclass(frozen=True, slots=True)
class EdgeSeries:
    """Where edges are counted; bounds in seconds."""

    table: SeriesTable
    buckets: tuple[float, ...]
    expire_seconds: float

    def add(self, edges: Edges, names: Names) -> None:
        """Count requests. Takes the table's lock."""
        if not len(edges):
            return
        columns = [
            Coded(edges[field].astype(np.int64), len(names), names.__getitem__)
            for field in ("project", "client", "server")
        ]
        connection = Coded(
            edges["connection"].astype(np.int64), len(CONNECTION_TYPES), CONNECTION_TYPES.__getitem__
        )
        groups = group([*columns, connection])
        ends = edges[groups.a_row]
        projects = [names[number] for number in ends["project"].tolist()]
        labels = [
            label_set(
                (
                    ("project", names[project]),
                    ("client", names[client]),
                    ("server", names[server]),
                    ("connection_type", CONNECTION_TYPES[kind]),
                )
            )
            for project, client, server, kind, *_numbers in ends.tolist()
        ]
        count = len(groups)
        requests = np.bincount(groups.of_row, minlength=count).astype(float)
        failed = np.bincount(groups.of_row, weights=edges["failed"], minlength=count).astype(float)
        sides = {
            side: self._durations(groups.of_row, count, edges[f"{side}_seconds"])
            for side in ("client", "server")
        }
        with self.table.lock:
            self._count("request_total", "Requests between two services", labels, projects, requests)
            self._count(
                "request_failed_total", "Requests that failed at either side", labels, projects, failed
            )
            for side, durations in sides.items():
                self._observe(side, labels, projects, durations)

    def count(self, name: str, text: str, projects: dict[str, int]) -> None:
        """Count something of projects. Takes the table's lock."""
        with self.table.lock:
            labels = [label_set((("project", project),)) for project in projects]
            self._count(name, text, labels, list(projects), np.array(list(projects.values()), dtype=float))

    def _count(self, name: str, text: str, labels: list[bytes], projects: list[str], counts: Numbers) -> None:
        family = self.table.family(f"{PREFIX}_{name}", Kind.COUNTER, text, self.expire_seconds)
        family.block().add(labels, projects, counts[:, None])

    def _durations(self, groups: Codes, count: int, seconds: Numbers) -> Numbers:
        measured = ~np.isnan(seconds)
        values = seconds[measured]
        return histogram_rows(
            groups[measured], count, values, buckets_of(values, self.buckets), len(self.buckets) + 1
        )

    def _observe(self, side: str, labels: list[bytes], projects: list[str], durations: Numbers) -> None:
        seen = np.flatnonzero(durations[:, :-1].any(axis=1)).tolist()
        text = f"Duration of requests in seconds, as the {side} measured it"
        family = self.table.family(
            f"{PREFIX}_request_{side}_seconds", Kind.HISTOGRAM, text, self.expire_seconds
        )
        block = family.block(self.buckets)
        block.add([labels[i] for i in seen], [projects[i] for i in seen], durations[seen])
