"""The Native format as newer clients want it: with block info and a serialization mark per column.

The embedded engine writes Native as for the oldest clients. A client that names a
`client_protocol_version` (clickhouse-go, and so Grafana's plugin) expects, from revision 54454 on,
eight bytes of block info before each block and one byte after each column's type. Where a column ends
cannot be told without decoding it, so the engine is asked to write each by itself.
Source: ClickHouse, src/Formats/NativeWriter.cpp.
"""

from typing import Any

from glasshouse_collector.store.engine import Options, quoted, settings_clause

WITH_CUSTOM_SERIALIZATION = 54454
"""The first revision with that byte; clients that ask for an older one are answered as the oldest."""

_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow, no bucket
_DEFAULT_SERIALIZATION = b"\x00"
_ANSWER = "glasshouse_answer"
_WHOLE: Options = {
    "max_block_size": 2**31,
    "max_threads": 1,
    "max_insert_block_size": 2**31,
    "min_insert_block_size_rows": 2**31,
    "min_insert_block_size_bytes": 2**40,
}


def with_block_info(connection: Any, native: bytes, columns: list[tuple[str, str]]) -> bytes:
    """Return the answer in `native` (oldest revision) as one block for revision 54454 or later.

    `connection` is a chDB handle of its own that may make a temporary table; `columns` are the
    answer's names and types.
    """
    if not native:
        return _block(0, [(name, kind, b"") for name, kind in columns])
    made = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns)
    connection.query(f"CREATE TEMPORARY TABLE {_ANSWER} ({made}) ENGINE = Memory", "Null")
    with connection.send_insert(f"INSERT INTO {_ANSWER}{settings_clause(_WHOLE)}", "Native") as inserter:
        inserter.append(native)
        inserter.finish()
    rows, written = 0, []
    for name, _ in columns:
        sql = f"SELECT {quoted(name)} FROM {_ANSWER}{settings_clause(_WHOLE)}"  # noqa: S608  (quoted)
        rows, column = _single_column(connection.query(sql, "Native").bytes())
        written.append(column)
    return _block(rows, written)


def _single_column(native: bytes) -> tuple[int, tuple[str, str, bytes]]:
    _, at = _varint(native, 0)
    rows, at = _varint(native, at)
    name, at = _text(native, at)
    kind, at = _text(native, at)
    return rows, (name, kind, native[at:])


def _block(rows: int, columns: list[tuple[str, str, bytes]]) -> bytes:
    pieces = [_BLOCK_INFO, _as_varint(len(columns)), _as_varint(rows)]
    for name, kind, cells in columns:
        for text in (name.encode(), kind.encode()):
            pieces += [_as_varint(len(text)), text]
        pieces += [_DEFAULT_SERIALIZATION, cells]
    return b"".join(pieces)


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:  # noqa: PLR2004  (the last byte of a varint)
            return value, at
        shift += 7


def _as_varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:  # noqa: PLR2004
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _text(buffer: bytes, at: int) -> tuple[str, int]:
    length, at = _varint(buffer, at)
    return buffer[at : at + length].decode(), at + length
