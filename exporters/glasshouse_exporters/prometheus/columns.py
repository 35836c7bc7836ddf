"""Work on whole Arrow columns: codes instead of texts, one number instead of a row's many, groups of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_LARGEST_KEY = 2**62
_FINALIZER = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
"""The odd multipliers of MurmurHash3's finalizer, which spread each bit of a number over all."""
_HALF = np.uint64(32)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""Added first, as the finalizer leaves 0 as it is, and a sum would not tell whether it was there."""


@dataclass(frozen=True, slots=True)
class Coded:
    """One text a row, as a code below `size`; `text(code)` tells it, empty where the row has none."""

    codes: Codes
    size: int
    text: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows that are alike: the group of each row, and one row of each group."""

    of_row: Codes
    a_row: Codes

    def __len__(self) -> int:
        return len(self.a_row)


def column(records: pa.RecordBatch, name: str) -> Any:
    """Return a column by its name. Raises `KeyError`."""
    return records.column(name)


def coded(records: pa.RecordBatch, name: str) -> Coded:
    """Return the codes of a dictionary-encoded column."""
    names = column(records, name)
    return Coded(
        np.asarray(names.indices).astype(np.int64), len(names.dictionary), texts_of(names.dictionary)
    )


def texts_of(dictionary: Any) -> Callable[[int], str]:
    """Return what tells the text of an index of a string array."""
    texts: list[str] = dictionary.to_pylist()
    return texts.__getitem__


def group(columns: Sequence[Coded]) -> Groups:
    """Group the rows that have the same code in every column."""
    key, size = columns[0].codes, max(columns[0].size, 1)
    for other in columns[1:]:
        if size * max(other.size, 1) >= _LARGEST_KEY:
            dense = pa.array(key).dictionary_encode()
            key, size = np.asarray(dense.indices).astype(np.int64), len(dense.dictionary)
        key = key * other.size + other.codes
        size *= max(other.size, 1)
    return group_numbers(key)


def group_numbers(numbers: npt.NDArray[Any]) -> Groups:
    """Group the rows that have the same number."""
    dense = pa.array(numbers).dictionary_encode()
    of_row = np.asarray(dense.indices).astype(np.int64)
    a_row = np.empty(len(dense.dictionary), dtype=np.int64)
    # Of many assignments to one place, the last stays.
    a_row[of_row] = np.arange(len(of_row))
    return Groups(of_row, a_row)


def mixed(hashes: Hashes) -> Hashes:
    """Spread each number's bits over all of it, so that sums of such tell what was summed."""
    hashes = hashes + _GOLDEN
    for multiplier in _FINALIZER:
        hashes = (hashes ^ (hashes >> _HALF)) * multiplier
    return hashes ^ (hashes >> _HALF)


def map_groups(maps: Any) -> Groups:
    """Group the rows whose maps (keys and values dictionary-encoded) are the same."""
    offsets = np.asarray(maps.offsets).astype(np.int64)
    keys = np.asarray(maps.keys.indices)[offsets[0] : offsets[-1]].astype(np.int64)
    values = np.asarray(maps.items.indices)[offsets[0] : offsets[-1]].astype(np.int64)
    entries = _entry_hashes(keys, len(maps.keys.dictionary), values, len(maps.items.dictionary))
    # A sum up to each entry, and then differences: unlike `reduceat` it is right for empty maps.
    sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(entries, dtype=np.uint64)))
    return group_numbers(sums[offsets[1:] - offsets[0]] - sums[offsets[:-1] - offsets[0]])


def _entry_hashes(keys: Codes, of_keys: int, values: Codes, of_values: int) -> Hashes:
    """Return a number for each pair of codes."""
    if of_keys * of_values > len(keys):
        return mixed((keys.astype(np.uint64) << _HALF) | values.astype(np.uint64))
    # Fewer pairs than entries: each pair is hashed once.
    pairs = np.arange(of_keys * of_values, dtype=np.uint64)
    hashes = mixed((pairs // np.uint64(of_values) << _HALF) | pairs % np.uint64(of_values))
    of_entries: Hashes = hashes[keys * of_values + values]
    return of_entries


def maps_at(maps: Any, rows: Codes) -> list[dict[str, str]]:
    """Return the maps (keys and values dictionary-encoded) of some rows."""
    keys, values = maps.keys.dictionary.to_pylist(), maps.items.dictionary.to_pylist()
    key_codes, value_codes = np.asarray(maps.keys.indices), np.asarray(maps.items.indices)
    offsets = np.asarray(maps.offsets)
    found = []
    for start, end in zip(offsets[rows].tolist(), offsets[rows + 1].tolist(), strict=True):
        pairs = zip(key_codes[start:end].tolist(), value_codes[start:end].tolist(), strict=True)
        found.append({keys[key]: values[value] for key, value in pairs})
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """Attributes found in maps: ascending rows, which of `keys` it is, where the value stands."""

    keys: tuple[str, ...]
    rows: Codes
    which: npt.NDArray[np.int8]
    places: Codes

    def of_each(self, chosen: Mask) -> dict[str, Codes]:
        """Return where in `rows` and `places` the chosen entries of each key are."""
        entries = np.flatnonzero(chosen)
        which = self.which[entries]
        counts = np.bincount(which, minlength=len(self.keys)).tolist()
        return {
            key: entries[which == number] if counts[number] else entries[:0]
            for number, key in enumerate(self.keys)
        }


def find_keys(maps: Any, keys: tuple[str, ...]) -> Found:
    """Find the entries that have one of `keys`, in all rows."""
    offsets = np.asarray(maps.offsets).astype(np.int64)
    codes = np.asarray(maps.keys.indices)[offsets[0] : offsets[-1]]
    which = np.asarray(
        pc.fill_null(pc.index_in(maps.keys.dictionary, pa.array(keys, pa.string())), -1)
    ).astype(np.int8)
    if not len(which) or which.max() < 0:
        nothing = np.empty(0, dtype=np.int64)
        return Found(keys, nothing, which[:0], nothing)
    asked = np.take(which, codes)
    places = np.flatnonzero(asked >= 0)
    # A row for every entry, though few are asked for, takes less than searching the offsets for those few.
    rows = np.repeat(np.arange(len(maps), dtype=np.int32), np.diff(offsets))[places].astype(np.int64)
    return Found(keys, rows, asked[places], places + offsets[0])
