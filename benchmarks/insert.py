"""What a row costs the embedded store: inserted, then merged once, by kind of index, codec and layout.

    .venv/bin/python benchmarks/insert.py [--kind traces|logs] [--rows 20000] [--rounds 16] [variant …]

Each variant is a table of its own in one store, as the migrations leave it, with one thing changed. Every
batch goes into all of them, in turns, with merges stopped; the figure is the least CPU time of
the process over the rounds, which other work on the machine disturbs least. Then each table is merged
into one part, once.
"""

import argparse
import re
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa

from glasshouse_collector.codec import best_codec
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.schema import TABLE_COLUMNS
from glasshouse_collector.store import Store, StoreSettings
from glasshouse_collector.store.migrate import TABLE_OF
from glasshouse_collector.store.store import ONE_BLOCK
from workload import SPANS_A_TRACE, Kind, encode

_REQUEST = 512
_FIRST = 1_900_000_800 * 10**9  # 2030-03-17: no retention drops it
_INDEXES = re.compile(r",\n    INDEX.*?(?=\n\)\nENGINE)", re.DOTALL)
Change = Callable[[str], str]


def _indexes(*wanted: str) -> Change:
    lines = "".join(f",\n    INDEX idx_{number} {index}" for number, index in enumerate(wanted))
    return lambda ddl: _INDEXES.sub(lambda _: lines, ddl)


def _setting(name: str, value: str) -> Change:
    return lambda ddl: re.sub(rf"{name} = \S+?(?=[,\n]|$)", f"{name} = {value}", ddl)


def _plain(ddl: str) -> str:
    """Write out the texts of resource and scope in each row, as before they were told apart by number."""
    ddl = ddl.replace("LowCardinality(String), LowCardinality(String))", "LowCardinality(String), String)")
    return re.sub(r"(`Scope(?:Name|Version)`) LowCardinality\(String\)", r"\1 String", ddl)


def _bloom(expression: str, share: str = "0.01") -> str:
    return f"{expression} TYPE bloom_filter({share}) GRANULARITY 1"


def _text(expression: str, tokenizer: str = "array") -> str:
    return f"{expression} TYPE text(tokenizer = '{tokenizer}')"


_ID = _bloom("TraceId", "0.001")
_MAPS = {
    Kind.TRACES: ("mapKeys(SpanAttributes)", "mapValues(SpanAttributes)"),
    Kind.LOGS: ("mapKeys(LogAttributes)", "mapValues(LogAttributes)"),
}
_RESOURCE = ("mapKeys(ResourceAttributes)", "mapValues(ResourceAttributes)")


def _variants(kind: Kind) -> dict[str, Change]:
    maps = _MAPS[kind]
    changes: dict[str, Change] = {
        "as it is": lambda ddl: ddl,
        "no index": _indexes(),
        "bloom: id": _indexes(_ID),
        "bloom: id, own attributes": _indexes(_ID, *map(_bloom, maps)),
        "bloom: id, all attributes": _indexes(_ID, *map(_bloom, maps + _RESOURCE)),
        "text: id": _indexes(_text("TraceId")),
        "text: all attributes": _indexes(_ID, *map(_text, maps + _RESOURCE)),
        "plain resource and scope": _plain,
        "LZ4": lambda ddl: ddl.replace("ZSTD(1)", "LZ4"),
        "wide parts": _setting("min_level_for_wide_part", "0"),
        "granules of 1024": _setting("index_granularity", "1024"),
        "lengths apart": _setting("string_serialization_version", "'with_size_stream'"),
        "no sort key": lambda ddl: re.sub(r"ORDER BY \(.*\)\n", "ORDER BY tuple()\n", ddl),
        "fsync": lambda ddl: re.sub(r"(fsync_\w+) = 0", r"\1 = 1", ddl),
    }
    if kind is Kind.LOGS:
        changes["text: words"] = _indexes(_text("lower(Body)", "splitByNonAlpha"))
        changes["bloom: words"] = _indexes("lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1")
    return changes


class _Batches:
    """Decoded requests, with new ids and times in each batch."""

    def __init__(self, kind: Kind, rows: int) -> None:
        self.signal = Signal.LOGS if kind is Kind.LOGS else Signal.TRACES
        random, codec = Random(1), best_codec()
        requests = max(rows // _REQUEST, 1)
        self._decoded = [
            codec.decode(
                RequestKind(kind), [encode(kind, _REQUEST, random).payload for _ in range(requests)]
            )[self.signal].records
            for _ in range(4)
        ]
        self._random = np.random.default_rng(1)
        self._made = 0

    def make(self) -> pa.RecordBatch:
        """Return the next batch, a second later than the last."""
        decoded = self._decoded[self._made % len(self._decoded)]
        self._made += 1
        count = decoded.num_rows
        times = np.sort(self._random.integers(0, 10**9, count)) + _FIRST + self._made * 10**9
        columns = dict(zip(decoded.schema.names, decoded.columns, strict=True))
        columns["Timestamp"] = pa.array(times).cast(decoded.schema.field("Timestamp").type)
        traces = self._ids(count // SPANS_A_TRACE + 1, 16)
        columns["TraceId"] = traces.take(pa.array(np.arange(count) // SPANS_A_TRACE))
        columns["SpanId"] = self._ids(count, 8)
        if self.signal is Signal.TRACES:
            columns["ParentSpanId"] = self._ids(count, 8)
            columns["Duration"] = pa.array(self._random.integers(10**5, 10**9, count).astype(np.uint64))
        same = pa.array(np.zeros(count, np.int32))
        columns["Project"] = pa.DictionaryArray.from_arrays(same, ["default"])
        columns["BatchId"] = pa.DictionaryArray.from_arrays(same, [f"0123456789ab-0-{self._made:x}"])
        columns["BatchRow"] = pa.array(np.arange(count, dtype=np.uint32))
        schema = TABLE_COLUMNS[self.signal]
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)

    def _ids(self, count: int, width: int) -> pa.Array:
        digits = self._random.bytes(count * width).hex().encode()
        offsets = np.arange(count + 1, dtype=np.int32) * width * 2
        return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(digits))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the CPU and wall seconds of the process."""
    cpu, wall = _cpu(), time.perf_counter()
    work()
    return _cpu() - cpu, time.perf_counter() - wall


def _make_tables(store: Store, kind: Kind, variants: dict[str, Change]) -> None:
    store.migrate()
    name = TABLE_OF[Signal.LOGS if kind is Kind.LOGS else Signal.TRACES]
    [made] = store.query_arrow(f"SHOW CREATE TABLE {name}")["statement"].to_pylist()
    for number, change in enumerate(variants.values()):
        store.engine.command(change(made).replace(f".{name}", f".variant{number}"))


def _measure(store: Store, kind: Kind, variants: dict[str, Change], rows: int, rounds: int) -> None:
    batches = _Batches(kind, rows)
    inserts: dict[int, list[tuple[float, float]]] = {number: [] for number in range(len(variants))}
    store.engine.command("SYSTEM STOP MERGES")
    for turn in range(rounds):
        records = batches.make()
        for place in range(len(variants)):
            number = (turn + place) % len(variants)
            options = {**ONE_BLOCK, "insert_deduplication_token": str(turn)}
            inserts[number].append(_timed(partial(store.engine.insert, f"variant{number}", records, options)))
    print(f"{'µs of CPU a row':30}  insert  wall  merge  bytes/row  of them indexes")
    for number, name in enumerate(variants):
        store.engine.command(f"SYSTEM START MERGES variant{number}")
        merge, _ = _timed(partial(store.engine.command, f"OPTIMIZE TABLE variant{number} FINAL"))
        [size] = store.query_arrow(
            "SELECT sum(rows) AS rows, sum(bytes_on_disk) / rows AS bytes, "
            "sum(secondary_indices_compressed_bytes) / rows AS indexes FROM system.parts "
            "WHERE active AND table = {name:String}",
            {"name": f"variant{number}"},
        ).to_pylist()
        cpu, wall = (min(taken[i] for taken in inserts[number]) / records.num_rows * 1e6 for i in (0, 1))
        merged = merge / size["rows"] * 1e6
        print(
            f"{name:30}  {cpu:6.2f} {wall:5.2f} {merged:6.2f} {size['bytes']:10.1f} {size['indexes']:16.1f}"
        )


def main() -> None:
    """Measure the variants named, all if none is."""
    parser = argparse.ArgumentParser(description="What a row costs the embedded store.")
    parser.add_argument("variants", nargs="*", metavar="variant")
    parser.add_argument("--kind", type=Kind, choices=[Kind.TRACES, Kind.LOGS], default=Kind.TRACES)
    parser.add_argument("--rows", type=int, default=20_000, help="in a batch")
    parser.add_argument("--rounds", type=int, default=16)
    options = parser.parse_args()
    variants = _variants(options.kind)
    unknown = set(options.variants) - set(variants)
    if unknown:
        parser.error(f"no such variant: {', '.join(sorted(unknown))}; there are: {', '.join(variants)}")
    chosen = {name: variants[name] for name in options.variants or variants}
    with tempfile.TemporaryDirectory(prefix="glasshouse-insert-") as folder:
        store = Store.open(StoreSettings(dsn=f"chdb://{Path(folder) / 'store'}", fsync=False))
        try:
            _make_tables(store, options.kind, chosen)
            _measure(store, options.kind, chosen, options.rows, options.rounds)
        finally:
            store.close()


if __name__ == "__main__":
    main()
