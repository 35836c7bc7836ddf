"""Rows of an answer as columns: the same ones, in the same order, whatever rows there are."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import orjson
import pyarrow as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glasshouse_collector.api.times import MOMENT

Columns = dict[str, Callable[[list[Any]], pa.Array]]
"""What makes an Arrow array of a column's values, by its name."""


def columns_of(answer: type[BaseModel], rows: str, listed: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the columns of the answer's list `rows`: its model's fields, in their order.

    What senders name (attributes) has a column for each name in `listed`, by the alphabet, where the field
    stands. Nested fields are `field.name`.
    """
    row = _model_in(answer.model_fields[rows].annotation)
    assert row is not None, f"{rows} of {answer.__name__} is no list of models"  # noqa: S101  (a route's mistake)
    return dict(_columns(row, listed, ""))


def flattened(row: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    """Return a row's values by the names of their columns."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{before}{name}.")
        else:
            yield before + name, cell(value)


def cell(value: Any) -> Any:
    """Return a value as a cell holds it: lists and objects as JSON."""
    return orjson.dumps(value).decode() if isinstance(value, list | dict | tuple) else value


def _columns(
    model: type[BaseModel], rows: Sequence[Mapping[str, Any]], before: str
) -> Iterable[tuple[str, Callable[[list[Any]], pa.Array]]]:
    for name, field in model.model_fields.items():
        values = [row[name] for row in rows]
        objects = [value for value in values if isinstance(value, dict)]
        nested = None if _is_list(field) else _model_in(field.annotation)
        if nested is not None and not _is_mapping(field):
            yield from _columns(nested, objects, f"{before}{name}.")
        elif _is_mapping(field):
            named = {key for each in objects for key, _ in flattened(each, f"{before}{name}.")}
            yield from ((key, _array) for key in sorted(named))
        else:
            yield before + name, _moments if _is_moment(field) else _array


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a type is, or holds: a list of it, or it or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _is_list(field: FieldInfo) -> bool:
    return _has_origin(field.annotation, list)


def _is_mapping(field: FieldInfo) -> bool:
    return _has_origin(field.annotation, dict)


def _has_origin(annotation: Any, wanted: type) -> bool:
    origin = getattr(annotation, "__origin__", None)
    if origin is wanted or annotation is wanted:
        return True
    return origin is None and any(_has_origin(each, wanted) for each in get_args(annotation))


def _is_moment(field: FieldInfo) -> bool:
    """Whether it is marked as a time, or may be None beside one."""
    if MOMENT in field.metadata:
        return True
    return any(MOMENT in getattr(each, "__metadata__", ()) for each in get_args(field.annotation))


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # of several kinds
        return pa.array([None if value is None else str(value) for value in values])


def _moments(values: list[Any]) -> pa.Array:
    """Return times to the nanosecond, in UTC; they are written as `rfc3339` does, or are none."""
    moments = np.array([value[:-1] if value else "NaT" for value in values], dtype="datetime64[ns]")
    return pa.array(moments).cast(pa.timestamp("ns", "UTC"))
