"""Attribute maps as columns: what processors need to change keys and values without a loop over rows."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from glasshouse_collector.core.schema import ATTRIBUTES

ValuesChange = Callable[[Any, Any], Any]
"""(keys, values), both flat and of one length, to new values of that length."""


def change_values(records: pa.RecordBatch, change: ValuesChange) -> pa.RecordBatch:
    """Return `records` with the values of every attribute map, nested ones too, put through `change`.

    `change` returns the very `values` it was given where it has nothing to do.
    """
    columns = [_changed(column, change) for column in records.columns]
    if all(new is old for new, old in zip(columns, records.columns, strict=True)):
        return records
    return pa.RecordBatch.from_arrays(columns, schema=records.schema)


def _changed(column: Any, change: ValuesChange) -> Any:
    if pa.types.is_map(column.type):
        keys, values = column.keys, column.items
        changed = change(keys, values)
        if changed is values:
            return column
        return pa.MapArray.from_arrays(column.offsets, keys, changed.cast(values.type), type=column.type)
    if pa.types.is_list(column.type) and column.type.value_type == ATTRIBUTES:
        items = column.values
        changed = _changed(items, change)
        return column if changed is items else pa.ListArray.from_arrays(column.offsets, changed, column.type)
    return column


def change_texts(
    records: pa.RecordBatch, names: tuple[str, ...], change: Callable[[str, Any], Any]
) -> pa.RecordBatch:
    """Return `records` with the text columns among `names` put through `change(name, column)`."""
    for index, name in _present(records, names):
        column = records.column(index)
        changed = change(name, column)
        if changed is not column:
            records = records.set_column(index, records.schema.field(index), changed)
    return records


def _present(records: pa.RecordBatch, names: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    for name in names:
        index = records.schema.get_field_index(name)
        if index >= 0:
            yield index, name


def on_distinct(values: Any, change: Callable[[Any], Any]) -> Any:
    """Apply `change` to a text array, or to the dictionary alone where it is dictionary-encoded."""
    if not pa.types.is_dictionary(values.type):
        return change(values)
    changed = change(values.dictionary)
    if changed is values.dictionary:
        return values
    return pa.DictionaryArray.from_arrays(values.indices, changed)
