"""Calls and durations of spans, held against one span after the other."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from glasshouse_exporters.prometheus.config import MILLISECONDS
from glasshouse_exporters.prometheus.labels import label_name
from glasshouse_exporters.prometheus.resources import resources_of
from glasshouse_exporters.prometheus.series import SeriesTable
from glasshouse_exporters.prometheus.spans.metrics import CALLS, DURATION, SpanMetrics, SpanMetricsSettings
from shown_series import Labels, Overflows, label_key, samples, table_of, values
from span_batches import START, SentSpan, batch_of

_RESOURCE_LABELS = ("service.name", "deployment.environment.name")
_DIMENSIONS = ("http.route", "tenant")
_SETTINGS = SpanMetricsSettings(MILLISECONDS, _DIMENSIONS, _RESOURCE_LABELS, 60)

_WORDS = st.sampled_from(["a", "b", 'q"uote', "日本\n", ""])
_SPANS = st.builds(
    SentSpan,
    service=st.sampled_from(["shop", "cart", ""]),
    name=st.sampled_from(["GET /", "POST /", "x\0y", ""]),
    kind=st.sampled_from(["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]),
    status=st.sampled_from(["UNSET", "OK", "ERROR"]),
    duration=st.one_of(
        st.integers(0, 20_000_000_000), st.sampled_from([0, 2_000_000, 15_000_000_000, 15_000_000_001, 2**62])
    ),
    trace=st.integers(1, 2**128 - 1),
    span=st.integers(1, 2**64 - 1),
    attributes=st.dictionaries(st.sampled_from(["http.route", "tenant", "noise"]), _WORDS),
    resource=st.dictionaries(
        st.sampled_from(["deployment.environment.name", "tenant", "http.route", "host.name"]), _WORDS
    ),
    project=st.sampled_from(["default", "other", "_self"]),
)


def _take(table: SeriesTable, spans: list[SentSpan], settings: SpanMetricsSettings = _SETTINGS) -> None:
    batch = batch_of(spans)
    SpanMetrics(table, settings).take(batch.records, resources_of(batch.records))


def _labels(span: SentSpan) -> Labels:
    """Say the labels of a span, as the documentation does."""
    resource = span.attributes_of_resource
    labels = {
        "project": span.project,
        "service_name": span.service,
        "span_name": span.name,
        "span_kind": f"SPAN_KIND_{span.kind}",
        "status_code": f"STATUS_CODE_{span.status}",
        "deployment_environment_name": resource.get("deployment.environment.name", ""),
    }
    for key in _DIMENSIONS:
        labels[label_name(key)] = span.attributes.get(key, resource.get(key, ""))
    return label_key({name: text.replace("\0", "\N{SYMBOL FOR NULL}") for name, text in labels.items()})


@settings(max_examples=60)
@given(st.lists(st.lists(_SPANS, min_size=1, max_size=30), min_size=1, max_size=3))
def test_series_are_what_counting_one_span_after_the_other_gives(batches: list[list[SentSpan]]) -> None:
    """Calls, buckets, sums and counts, over several batches and projects."""
    table = table_of()
    calls: dict[Labels, float] = defaultdict(float)
    buckets: dict[Labels, list[int]] = defaultdict(lambda: [0] * (len(MILLISECONDS) + 1))
    sums: dict[Labels, list[float]] = defaultdict(list)
    for spans in batches:
        _take(table, spans)
        for span in spans:
            if span.project == "_self":
                continue
            labels, milliseconds = _labels(span), span.duration / 1e6
            calls[labels] += 1
            buckets[labels][bisect_left(MILLISECONDS, milliseconds)] += 1
            sums[labels].append(milliseconds)
    assert values(table, CALLS) == calls
    assert values(table, f"{DURATION}_count") == calls
    shown_sums = values(table, f"{DURATION}_sum")
    assert shown_sums.keys() == sums.keys()
    for labels, durations in sums.items():
        assert np.isclose(shown_sums[labels], sum(durations), rtol=1e-12)
    shown_buckets = values(table, f"{DURATION}_bucket")
    for labels, counts in buckets.items():
        for bound, count in zip((*MILLISECONDS, float("inf")), np.cumsum(counts), strict=True):
            le = "+Inf" if bound == float("inf") else repr(bound)
            assert shown_buckets[labels | {("le", le)}] == count


@settings(max_examples=40)
@given(st.lists(_SPANS, min_size=1, max_size=30))
def test_each_bucket_has_its_newest_span_as_exemplar(spans: list[SentSpan]) -> None:
    """The last to arrive of those in it, with its ids, duration and end."""
    table = table_of()
    _take(table, spans)
    wanted = {}
    for span in spans:
        if span.project != "_self":
            place = bisect_left(MILLISECONDS, span.duration / 1e6)
            bound = repr(MILLISECONDS[place]) if place < len(MILLISECONDS) else "+Inf"
            wanted[_labels(span) | {("le", bound)}] = span
    shown = {
        label_key(sample.labels): sample.exemplar
        for sample in samples(table, openmetrics=True)
        if sample.exemplar
    }
    assert shown.keys() == wanted.keys()
    for labels, span in wanted.items():
        exemplar = shown[labels]
        assert exemplar.labels == {"trace_id": f"{span.trace:032x}", "span_id": f"{span.span:016x}"}
        assert exemplar.value == span.duration / 1e6
        assert np.isclose(float(str(exemplar.timestamp)), (START + span.duration) / 1e9, rtol=1e-12)


def test_operations_above_the_limit_are_counted_together() -> None:
    """No span is lost from the sums, though its name is."""
    overflows = Overflows()
    table = table_of(max_lines=200, on_overflow=overflows)
    _take(table, [SentSpan(name=f"GET /{number}", span=number) for number in range(1, 101)])
    calls, counts = values(table, CALLS), values(table, f"{DURATION}_count")
    rest = label_key({"project": "default", "otel_metric_overflow": "true"})
    assert sum(calls.values()) == sum(counts.values()) == 100
    assert counts[rest] == overflows.counts[DURATION] > 50
    assert table.lines <= 400


def test_resources_and_attributes_of_one_batch_are_told_apart() -> None:
    """Many resources, some empty, some alike but for one value."""
    spans = [
        SentSpan(
            service=f"s{number % 7}",
            resource={"deployment.environment.name": f"e{number % 3}"} if number % 5 else {},
        )
        for number in range(200)
    ]
    table = table_of()
    _take(table, [replace(span, span=number) for number, span in enumerate(spans, start=1)])
    wanted: dict[Labels, float] = defaultdict(float)
    for span in spans:
        wanted[_labels(span)] += 1
    assert values(table, CALLS) == wanted


def test_so_many_combinations_that_no_number_holds_them_are_still_told_apart() -> None:
    """Ten dimensions with hundreds of values each are more than 2⁶⁴ combinations."""
    dimensions = tuple(f"d{number}" for number in range(10))
    spans = [
        SentSpan(span=number + 1, attributes={key: str((number * prime) % 499) for key, prime in
                 zip(dimensions, (2, 3, 5, 7, 11, 13, 17, 19, 23, 29), strict=True)})
        for number in range(499)
    ]  # fmt: skip
    table = table_of()
    _take(table, [*spans, *spans], SpanMetricsSettings(MILLISECONDS, dimensions, (), 60))
    assert sorted(values(table, CALLS).values()) == [2.0] * 499
