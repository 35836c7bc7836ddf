"""Any language can send: real SDKs send one set of telemetry, and every value of it is in the store."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from glasshouse_collector.core.batch import Signal
from glasshouse_collector.core.schema import DECODED, TIME

if TYPE_CHECKING:
    from tests.languages.conftest import Collector, Run

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))
ORDER = {"otel_traces": "Timestamp", "otel_logs": "Timestamp"}
METRICS_ORDER = "MetricName, toString(Attributes)"

others = pytest.mark.languages

RUNS = [
    pytest.param(("python", "grpc", "none", "cumulative"), id="python-grpc"),
    pytest.param(("python", "http/protobuf", "gzip", "delta"), id="python-http/protobuf"),
    pytest.param(("node", "grpc", "gzip", "cumulative"), id="node-grpc", marks=others),
    pytest.param(("node", "http/protobuf", "gzip", "delta"), id="node-http/protobuf", marks=others),
    pytest.param(("node", "http/json", "none", "cumulative"), id="node-http/json", marks=others),
    pytest.param(("go", "grpc", "none", "cumulative"), id="go-grpc", marks=others),
    pytest.param(("go", "http/protobuf", "gzip", "delta"), id="go-http/protobuf", marks=others),
    pytest.param(("java", "grpc", "none", "cumulative"), id="java-grpc", marks=others),
    pytest.param(("java", "http/protobuf", "gzip", "delta"), id="java-http/protobuf", marks=others),
]


def family(table: str) -> str:
    """Return the name under which the table's shared columns stand."""
    return "otel_metrics" if table.startswith("otel_metrics_") else table


def names_of(table: str) -> list[str]:
    """Return the columns to compare: all but those that say in which batch a row came."""
    return [*DECODED[Signal(table.removeprefix("otel_"))].names, "Project"]


def stored_rows(collector: "Collector", table: str, service: str, enough: int) -> list[dict[str, Any]]:
    """Return the sender's rows of a table, times as nanoseconds since the Unix epoch."""
    schema = DECODED[Signal(table.removeprefix("otel_"))]
    columns = []
    for name in names_of(table):
        kind = schema.field(name).type if name in schema.names else None
        if kind == TIME:
            columns.append(f"toUnixTimestamp64Nano(`{name}`)")
        elif kind is not None and getattr(kind, "value_type", None) == TIME:
            columns.append(f"arrayMap(time -> toUnixTimestamp64Nano(time), `{name}`)")
        else:
            columns.append(f"`{name}`")
    statement = (
        f"SELECT {', '.join(columns)} FROM {table} "
        f"WHERE ServiceName = '{service}' AND ScopeName = 'glasshouse.languages' "
        f"ORDER BY {ORDER.get(table, METRICS_ORDER)}"
    )
    rows = collector.query_until(statement, enough)
    return [dict(zip(names_of(table), row, strict=True)) for row in rows]


def expected_rows(language: str) -> dict[str, list[dict[str, Any]]]:
    """Return the table of expected values with the language's exceptions written in."""
    tables = json.loads(json.dumps(EXPECTED["rows"]))
    for table, rows in tables.items():
        shared = EXPECTED["columns"]["all"] | EXPECTED["columns"][family(table)]
        applicable = {name: value for name, value in shared.items() if name in names_of(table)}
        rows[:] = [json.loads(json.dumps(applicable | row)) for row in rows]
    for exception in EXPECTED["exceptions"]:
        if language in exception["senders"]:
            changed = [write(tables, at.split("/"), exception["value"]) for at in exception["at"]]
            assert any(changed), f"this exception changes nothing: {exception}"
    return tables  # type: ignore[no-any-return]


def write(tables: dict[str, list[dict[str, Any]]], at: list[str], value: Any) -> bool:
    """Write an exception's value in all places it names; return whether that changed anything."""
    changed = False
    for table, rows in tables.items():
        if at[0] not in {"*", table, family(table)}:
            continue
        for number, row in enumerate(rows):
            if at[1] not in {"*", str(number)}:
                continue
            place: Any = row
            for step in at[2:-1]:
                place = place[int(step) if isinstance(place, list) else step]
            changed |= place.get(at[-1]) != value
            place[at[-1]] = value
    return changed


def differences(expected: Any, found: Any, run: "Run", at: str) -> list[str]:
    """Return a line for each value that is not as expected."""
    if isinstance(expected, dict) and any(key.startswith("$") for key in expected):
        fits, wanted = fits_pattern(expected, found, run)
        return [] if fits else [f"{at}: {found!r} is not {wanted!r}"]
    if isinstance(expected, dict) and isinstance(found, dict):
        lines = [f"{at}/{key}: unexpected {found[key]!r}" for key in found if key not in expected]
        lines += [f"{at}/{key}: missing" for key in expected if key not in found]
        if list(found) != sorted(found) and all(isinstance(value, str) for value in found.values()):
            lines.append(f"{at}: keys are not sorted: {list(found)}")
        pairs = [(expected[key], found[key], key) for key in expected if key in found]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        lines = []
        pairs = [
            (one, other, str(place)) for place, (one, other) in enumerate(zip(expected, found, strict=True))
        ]
    else:
        same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
        return [] if same else [f"{at}: {found!r} is not {expected!r}"]
    for one, other, step in pairs:
        lines += differences(one, other, run, f"{at}/{step}")
    return lines


def fits_pattern(pattern: dict[str, Any], found: Any, run: "Run") -> tuple[bool, Any]:
    """Return whether a value that differs from run to run is right, and what it had to be."""
    ((kind, argument),) = pattern.items()
    sender = EXPECTED["senders"][run.language]
    match kind:
        case "$offset":
            wanted = run.base + argument
        case "$during":
            # Some SDKs keep time in milliseconds.
            return run.began - 10**6 <= int(found) <= run.ended, (run.began, run.ended)
        case "$span":
            wanted = run.span_ids[argument]
        case "$trace":
            wanted = run.trace_id
        case "$service":
            wanted = run.service
        case "$sender":
            wanted = sender[argument]
        case "$temporality":
            wanted = run.temporality
        case "$matches":
            regex = argument if isinstance(argument, str) else sender[argument["$sender"]]
            return re.search(regex, found) is not None, regex
        case _:
            pytest.fail(f"expected.json: {pattern} is no known pattern")
    return found == wanted, wanted


@pytest.mark.parametrize("run", RUNS, indirect=True)
def test_every_value_a_language_sends_is_stored(collector: "Collector", run: "Run") -> None:
    """Every column of every span, log record and data point is what the sender meant."""
    wrong = []
    for table, expected in expected_rows(run.language).items():
        found = stored_rows(collector, table, run.service, len(expected))
        assert len(found) == len(expected), f"{table}: {len(found)} rows, not {len(expected)}: {found}"
        for number, (wanted, row) in enumerate(zip(expected, found, strict=True)):
            assert set(wanted) == set(names_of(table)), f"{table}/{number}: expected.json leaves columns out"
            wrong += differences(wanted, row, run, f"{table}/{number}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("guarded_run", RUNS, indirect=True)
def test_the_key_goes_with_what_a_language_sends(guarded_collector: "Collector", guarded_run: "Run") -> None:
    """A collector that wants a key gets it from OTEL_EXPORTER_OTLP_HEADERS, with all three signals."""
    for table, rows in EXPECTED["rows"].items():
        assert len(stored_rows(guarded_collector, table, guarded_run.service, len(rows))) == len(rows)
