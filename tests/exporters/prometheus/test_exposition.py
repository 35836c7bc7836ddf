"""The page's text: read back by prometheus_client's parsers, and by promtool."""

import math
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from glasshouse_exporters.prometheus.labels import LONGEST_VALUE, label_name, label_pairs, label_set
from glasshouse_exporters.prometheus.series import EXEMPLAR, Kind, SeriesTable
from shown_series import page, samples, table_of

_HOSTILE = (
    'quote " backslash \\ both \\" end\\',
    "line\nbreak\r\n and \\n written",
    "nul \0 in it",
    '"} 1\nforged_total{x="',
    "{}=,#\t \u2028\u0085 日本 🙂 \x7f\x1b",
    " # EOF",
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
_NUMBERS = (0.0, -0.0, 1.5, -2.5e-9, 1e300, 5e-324, math.inf, -math.inf, math.nan, 2.0**53)


def _table_of_hostile_labels() -> SeriesTable:
    table = table_of()
    labels = [label_set((("project", "default"), ("text", text))) for text in _HOSTILE]
    with table.lock:
        for kind, name in ((Kind.COUNTER, "events_total"), (Kind.GAUGE, "level"), (Kind.INFO, "build_info")):
            block = table.family(name, kind, 'Help "with" \\ and\nline', 60).block()
            block.values[block.rows(labels, table.now()), 0] = 1
        histogram = table.family("seconds", Kind.HISTOGRAM, "Time", 60).block((0.5, 1.0))
        histogram.values[histogram.rows(labels, table.now())] = [1, 2, 3, 4.5]
        summary = table.family("size_bytes", Kind.SUMMARY, "", 60).block((0.5, 0.99))
        summary.values[summary.rows(labels, table.now())] = [1, math.nan, 3, 4]
    return table


@pytest.mark.parametrize("openmetrics", [False, True])
def test_hostile_labels_come_back_as_they_were(openmetrics: bool) -> None:
    """In every kind of line; only NUL, which Prometheus's reader does not take, is replaced."""
    shown = samples(_table_of_hostile_labels(), openmetrics=openmetrics)
    wanted = {text.replace("\0", "\N{SYMBOL FOR NULL}") for text in _HOSTILE}
    for name in ("events_total", "level", "build_info", "seconds_bucket", "seconds_sum", "size_bytes_count"):
        assert {sample.labels["text"] for sample in shown if sample.name == name} == wanted
    assert not [sample for sample in shown if "forged" in sample.name]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed: make servers")
def test_promtool_takes_the_page() -> None:
    """Its linter reads the whole text and finds no mistake."""
    text = page(_table_of_hostile_labels()).replace("Help", "What it is")
    told = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout, told.stderr) in (
        (0, "", ""),
        (3, "", "size_bytes no help text\n"),
    )


@given(st.lists(st.tuples(st.sampled_from("abcde"), _TEXTS), unique_by=lambda pair: pair[0]))
def test_any_label_set_comes_back(pairs: list[tuple[str, str]]) -> None:
    """By our own reader, and by prometheus_client's."""
    pairs = [("project", "default"), *pairs]
    wanted = [(name, text.replace("\0", "\N{SYMBOL FOR NULL}")) for name, text in pairs if text]
    labels = label_set(pairs)
    assert label_pairs(labels) == wanted
    (family,) = text_string_to_metric_families(f"x{{{labels.decode()}}} 1\n")
    assert family.samples[0].labels == dict(wanted)


def test_a_huge_value_is_cut() -> None:
    """The page stays bounded in bytes."""
    ((_name, value),) = label_pairs(label_set((("text", "é" * 100_000),)))
    assert value == "é" * (LONGEST_VALUE - 1) + "…"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("http.route", "http_route"),
        ("a..b--c", "a_b_c"),
        ("1st", "key_1st"),
        ("日本", "_"),
        ("", "_"),
        ("le", "le"),
        ("Has:Colon", "Has_Colon"),
    ],
)
def test_a_key_becomes_a_label_name(key: str, name: str) -> None:
    """By the compatibility specification."""
    assert label_name(key) == name


@pytest.mark.parametrize("openmetrics", [False, True])
def test_numbers_come_back_exactly(openmetrics: bool) -> None:
    """Those that are none too."""
    table = table_of()
    labels = [
        label_set((("project", "default"), ("n", str(number)))) for number in range(1, len(_NUMBERS) + 1)
    ]
    with table.lock:
        block = table.family("level", Kind.GAUGE, "Level", 60).block()
        block.values[block.rows(labels, table.now()), 0] = _NUMBERS
    shown = [sample.value for sample in samples(table, openmetrics=openmetrics)]
    assert [repr(value) for value in shown] == [repr(value) for value in _NUMBERS]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_histograms_buckets_are_summed_up(openmetrics: bool) -> None:
    """A bound's bucket holds all below it, +Inf and count hold all; both formats write bounds alike."""
    table = table_of()
    with table.lock:
        block = table.family("seconds", Kind.HISTOGRAM, "Time", 60).block((0.5, 1.0, 1e-05 + 1))
        block.add([label_set((("project", "default"),))], ["default"], np.array([[1, 2, 0, 4, 9.25]]))
    shown = {
        (sample.name, sample.labels.get("le")): sample.value
        for sample in samples(table, openmetrics=openmetrics)
    }
    assert shown == {
        ("seconds_bucket", "0.5"): 1,
        ("seconds_bucket", "1.0"): 3,
        ("seconds_bucket", "1.00001"): 3,
        ("seconds_bucket", "+Inf"): 7,
        ("seconds_sum", None): 9.25,
        ("seconds_count", None): 7,
    }


def test_exemplars_stand_behind_their_bucket_in_openmetrics_alone() -> None:
    """With ids, value and time in seconds; a series without one has none."""
    table = table_of()
    labels = [label_set((("project", "default"), ("n", n))) for n in "ab"]
    exemplar = np.zeros(1, dtype=EXEMPLAR)
    exemplar[0] = (1_700_000_000_250_000_000, 0.75, b"ab" * 16, b"cd" * 8)
    with table.lock:
        block = table.family("seconds", Kind.HISTOGRAM, "Time", 60).block((0.5, 1.0))
        rows = block.rows(labels, table.now())
        block.exemplify(rows[:1], np.array([1]), exemplar)
    found = [
        (sample.labels["n"], sample.labels["le"], sample.exemplar)
        for sample in samples(table, openmetrics=True)
        if sample.exemplar
    ]
    ((n, bound, shown),) = found
    assert (n, bound) == ("a", "1.0")
    assert shown.labels == {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    assert (shown.value, float(str(shown.timestamp))) == (0.75, 1_700_000_000.25)
    assert "trace_id" not in page(table)
