"""What the collector's own metrics count of a batch, over its columns."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa


def rows_of_projects(records: pa.RecordBatch) -> Iterator[tuple[str, int]]:
    """Yield each project of the batch with how many of the rows are its own."""
    projects = records.column(records.schema.get_field_index("Project"))
    counts = np.bincount(np.asarray(projects.indices), minlength=len(projects.dictionary))
    for name, rows in zip(projects.dictionary.to_pylist(), counts.tolist(), strict=True):
        if rows:
            yield name, rows
