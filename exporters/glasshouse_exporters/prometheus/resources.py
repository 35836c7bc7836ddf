"""Resources of a batch: each is looked at once, however many rows have it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from glasshouse_exporters.prometheus.columns import Coded, Codes, column, map_groups, maps_at
from glasshouse_exporters.prometheus.labels import label_name, label_set

OWN_PROJECT = "_self"
"""The project of the collector's own telemetry, which the page shows as the collector's already."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The distinct resources of a batch: a row's is `attributes[codes[row]]`."""

    codes: Codes
    attributes: Sequence[dict[str, str]]

    def coded(self, key: str) -> Coded:
        """Return one attribute of each row."""
        return Coded(self.codes, len(self.attributes), lambda code: self.attributes[code].get(key, ""))


def resources_of(records: pa.RecordBatch) -> Resources:
    """Return the resources of a batch of any signal."""
    maps = column(records, "ResourceAttributes")
    groups = map_groups(maps)
    return Resources(groups.of_row, maps_at(maps, groups.a_row))


def resource_labels(keys: Sequence[str], attributes: dict[str, str]) -> bytes:
    """Return the labels that series carry from their resource; what it lacks is left out."""
    return label_set((label_name(key), attributes.get(key, "")) for key in keys)
