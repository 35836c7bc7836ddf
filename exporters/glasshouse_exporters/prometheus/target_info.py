"""`target_info`: what a resource says beside the names that all its series carry.

Join it to other series by `project`, `job` and `instance`.
Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", "Resource Attributes".
"""

import numpy as np
import pyarrow as pa

from glasshouse_exporters.prometheus.columns import column, group_numbers
from glasshouse_exporters.prometheus.labels import label_set
from glasshouse_exporters.prometheus.otlp.naming import attribute_labels, describing, instance, job
from glasshouse_exporters.prometheus.resources import OWN_PROJECT, Resources
from glasshouse_exporters.prometheus.series import Kind, SeriesTable

TARGET_INFO = "target_info"

Target = tuple[str, str, str]
"""Project, job and instance."""


class TargetInfo:
    """Shows one series for each project, job and instance: the resource that was heard of last."""

    def __init__(self, table: SeriesTable, expire_seconds: float) -> None:
        self._table, self._expire_seconds = table, expire_seconds
        self._shown: dict[Target, bytes] = {}

    def take(self, records: pa.RecordBatch, resources: Resources) -> None:
        """Show the resources of a batch of any signal; one without a service's name is left out."""
        projects = column(records, "Project")
        codes = resources.codes * max(len(projects.dictionary), 1) + np.asarray(projects.indices)
        rows = np.sort(group_numbers(codes).a_row).tolist()
        targets: dict[Target, bytes] = {}
        for row in rows:
            attributes = resources.attributes[resources.codes[row]]
            target = (projects[row].as_py(), job(attributes), instance(attributes))
            if target[1] and target[0] != OWN_PROJECT:
                targets[target] = _labels(target, attributes)
        if targets:
            self._show(targets)

    def _show(self, targets: dict[Target, bytes]) -> None:
        with self._table.lock:
            family = self._table.family(TARGET_INFO, Kind.INFO, "Target metadata", self._expire_seconds)
            block = family.block()
            for target, labels in targets.items():
                before = self._shown.get(target)
                if before is not None and before != labels:
                    family.end(before)
            found = block.rows(list(targets.values()), self._table.now())
            block.values[found[found >= 0], 0] = 1
            self._shown |= targets
            if len(self._shown) > 2 * len(block.index) + len(targets):
                self._shown = {
                    target: labels for target, labels in self._shown.items() if labels in block.index
                }


def _labels(target: Target, attributes: dict[str, str]) -> bytes:
    identity = list(zip(("project", "job", "instance"), target, strict=True))
    taken = {name for name, _ in identity}
    return label_set(identity + attribute_labels(describing(attributes), taken))
