"""Bounds what one record may hold; what is cut is counted."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from glasshouse_collector.core.batch import Batch
from glasshouse_collector.core.components import ComponentConfig, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.pipeline.columns import change_texts, change_values, on_distinct

_TEXTS = ("Body", "StatusMessage", "SpanName", "TraceState", "EventName", "SeverityText",
          "MetricName", "MetricDescription", "MetricUnit")  # fmt: skip


class LimitConfig(ComponentConfig):
    """How much one record may hold."""

    max_attributes: int = Field(128, ge=1, description="attributes of one map; those first by key are kept")
    max_value_length: int = Field(16_384, ge=16, description="characters of one attribute value")
    max_text_length: int = Field(262_144, ge=16, description="characters of a log body, message or name")


class LimitProcessor:
    """Cuts values and attribute maps that are over the limits.

    A pure function of the batch; counts `glasshouse_truncated_values_total`.
    """

    Config: ClassVar[type[ComponentConfig]] = LimitConfig

    def __init__(self, config: LimitConfig, services: Services) -> None:
        self._config = config
        self._truncated = services.get(Metrics).truncated_values

    def process(self, batch: Batch) -> Batch:
        """Return the batch within the limits."""
        records = self._limit_counts(batch.signal, batch.records)
        records = change_values(records, lambda _keys, values: self._cut_values(batch.signal, values))
        return batch.with_records(
            change_texts(records, _TEXTS, lambda _name, column: self._cut_texts(batch.signal, column))
        )

    def _cut_values(self, signal: str, values: Any) -> Any:
        return on_distinct(
            values, lambda texts: self._cut(signal, "value", texts, self._config.max_value_length)
        )

    def _cut_texts(self, signal: str, column: Any) -> Any:
        return on_distinct(
            column, lambda texts: self._cut(signal, "text", texts, self._config.max_text_length)
        )

    def _cut(self, signal: str, what: str, texts: Any, longest: int) -> Any:
        # Bytes bound characters from above, and their lengths cost no look at the text itself.
        if not len(texts) or (pc.max(pc.binary_length(texts)).as_py() or 0) <= longest:
            return texts
        over = pc.sum(pc.greater(pc.utf8_length(texts), longest)).as_py()
        if not over:
            return texts
        self._truncated.labels(signal, what).inc(over)
        return pc.utf8_slice_codeunits(texts, 0, longest)

    def _limit_counts(self, signal: str, records: pa.RecordBatch) -> pa.RecordBatch:
        for index, field in enumerate(records.schema):
            if pa.types.is_map(field.type):
                column = self._limit_count(signal, records.column(index))
                if column is not records.column(index):
                    records = records.set_column(index, field, column)
        return records

    def _limit_count(self, signal: str, column: Any) -> Any:
        offsets = np.asarray(column.offsets)
        counts = np.diff(offsets)
        most = self._config.max_attributes
        if not len(counts) or counts.max() <= most:
            return column
        self._truncated.labels(signal, "attributes").inc(int((counts - most).clip(min=0).sum()))
        place = np.arange(offsets[0], offsets[-1]) - np.repeat(offsets[:-1], counts)
        kept = pa.array(np.flatnonzero(place < most) + offsets[0])
        new_offsets = np.concatenate(([0], np.cumsum(np.minimum(counts, most)))).astype(np.int32)
        return pa.MapArray.from_arrays(
            pa.array(new_offsets), column.keys.take(kept), column.items.take(kept), type=column.type
        )
