"""An analysis in words, with what a real store shows of its time."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from glasshouse_collector.insights.explaining import Change, DependentErrors, explain
from glasshouse_collector.insights.findings import FaultKind
from glasshouse_collector.insights.incidents import Incident, PastIncident, Severity
from glasshouse_collector.insights.windows import SECOND, Question, Window
from glasshouse_collector.store import QueryLimits, Store
from told_incident import (
    ANALYSIS,
    BASELINE,
    CAUSE,
    INCIDENT,
    MINUTE,
    NOON,
    NOTHING_FOUND,
    QUESTION,
    LogRow,
    SpanRow,
    keep_logs,
    keep_spans,
    trace_id,
)

LIMITS = QueryLimits()
RAISED = ("ValueError", "card 4711 declined")


def _past(found: str) -> PastIncident:
    at = datetime(2030, 3, 1, tzinfo=UTC)
    incident = Incident(
        "0123456789ab", "default", at, at, at, "resolved", Severity.HIGH, "payment fails", ("payment",), ()
    )
    return PastIncident(incident, found, 0.9)


def test_an_incident_is_told_with_places_numbers_and_times(store: Store) -> None:
    """Summary, cause, what to do, errors, moments, confidence: all of what was seen, nothing else."""
    failing = [
        SpanRow("payment", "POST /pay", NOON + (3 + n) * SECOND, n + 1, "declined", RAISED) for n in range(12)
    ]
    keep_spans(store, "told", failing, "told")
    told = explain(store.of_project("told"), ANALYSIS, [_past("the key of the bank had expired")], LIMITS)
    assert told.source == "rules"
    assert told.confidence == CAUSE.confidence
    assert told.incident_summary == (
        "From 2030-03-17 18:00:00 to 18:02:00 UTC, "
        "POST /checkout of gateway: 96 % of calls fail, 0 % before. "
        "12 errors in payment came more often than in normal times; most often ValueError in payment "
        "(12 times): card 4711 declined. "
        "Where it comes from is very likely (86%) POST /pay of payment. It reaches checkout and gateway. "
        "Looked at 220 traces, 1,760 spans and 900 log records."
    )
    assert told.root_cause.startswith(
        "POST /pay of payment: its own code fails, since 18:00:03 UTC. "
        "214 of 220 calls fail in payment itself; "
    )
    assert f"Traces that show it: {trace_id(1)}, {trace_id(2)}." in told.root_cause
    assert "checkout (96 % of calls fail)" in told.root_cause
    [group] = told.error_groups
    assert (group.type, group.service, group.place, group.count) == ("ValueError", "payment", "POST /pay", 12)
    assert (group.first_seen, group.last_seen) == (NOON + 3 * SECOND, NOON + 14 * SECOND)
    assert set(group.trace_ids) <= {trace_id(n) for n in range(1, 13)}
    assert len(group.trace_ids) == 5
    assert told.patterns == ("bad_input", "failing_code", "high_frequency")
    assert told.suggestion.splitlines()[0] == "- Look at POST /pay of payment first."
    assert "(0123456789ab) the cause was: the key of the bank had expired." in told.suggestion
    moments = [(moment.kind, moment.time) for moment in told.timeline]
    assert moments == sorted(moments, key=lambda moment: moment[1])
    assert [kind for kind, _ in moments] == ["began", "cause", "evidence", "first_error", "ended"]


def test_where_nothing_is_wrong_no_cause_is_invented(store: Store) -> None:
    """It says so, and neither names a cause nor what to do."""
    told = explain(store.of_project("nobody"), NOTHING_FOUND, [], LIMITS)
    assert told.root_cause == ""
    assert told.confidence == 0
    assert "nothing was found that differs enough from normal times" in told.incident_summary
    assert "There are no errors in this time." in told.incident_summary
    assert told.suggestion == ""
    assert (told.error_groups, told.dependent_error_groups, told.recent_changes, told.patterns) == ((),) * 4


def test_errors_that_came_before_as_well_are_not_taken_for_the_incident(store: Store) -> None:
    """They are listed, but neither the summary nor the suggestion goes by them."""
    usual = [
        SpanRow("ads", "GET /ad", BASELINE.start + n * SECOND, n + 1, None, ("TimeoutError", "timed out"))
        for n in range(100)
    ]
    now = [replace(row, time=NOON + place * SECOND) for place, row in enumerate(usual[:20])]
    keep_spans(store, "usual", usual + now, "usual")
    told = explain(store.of_project("usual"), NOTHING_FOUND, [], LIMITS)
    assert [(group.service, group.count) for group in told.error_groups] == [("ads", 20)]
    assert "The 20 errors of this time came as often before." in told.incident_summary
    assert told.patterns == ()


def test_errors_of_spans_logs_and_exceptions_are_each_told_once(store: Store) -> None:
    """An exception's span and log record are not told again; what has none is told by itself."""
    keep_spans(
        store,
        "each-spans",
        [
            SpanRow("a", "GET /a/12345", trace=7, failed="boom", raised=("Boom", "1")),
            SpanRow(
                "b",
                "GET /b/12345",
                trace=7,
                failed="upstream",
                attributes={"http.response.status_code": "502"},
            ),
            SpanRow(
                "b",
                "GET /b/67890",
                trace=8,
                failed="upstream",
                attributes={"http.response.status_code": "502"},
            ),
            SpanRow("c", "job", trace=9, failed="", attributes={"error.type": "gone"}),
            SpanRow("d", trace=9),
        ],
        "each",
    )
    keep_logs(
        store,
        "each-logs",
        [
            LogRow("a", "failed", trace=7, attributes={"exception.type": "Boom", "exception.message": "2"}),
            LogRow("e", "order 17 was lost", trace=8),
            LogRow("e", "order 18 was lost\nmore", trace=9),
            LogRow("e", "only a warning", severity=13),
            LogRow("glasshouse-insights", "an incident"),
        ],
        "each",
    )
    told = explain(store.of_project("each"), NOTHING_FOUND, [], LIMITS)
    assert {
        (group.service, group.type, group.place, group.message, group.count) for group in told.error_groups
    } == {
        ("a", "Boom", "GET /a/*", "1", 1),
        ("a", "Boom", "a.log", "2", 1),
        ("b", "HTTP 502", "GET /b/*", "upstream", 2),
        ("c", "gone", "job", "", 1),
        ("e", "log record", "e.log", "order <number> was lost", 2),
    }


def test_errors_that_share_traces_are_told_together(store: Store) -> None:
    """Of different services in the same trace; counted, with the traces."""
    spans = []
    for trace in range(1, 6):
        spans += [
            SpanRow("pay", trace=trace, failed="", raised=("Declined", "no")),
            SpanRow("shop", trace=trace, failed="", attributes={"http.response.status_code": "500"}),
        ]
    spans += [
        SpanRow("mail", trace=6, raised=("Bounced", "x")),
        SpanRow("pay", trace=7, raised=("Declined", "no")),
    ]
    keep_spans(store, "together", spans, "together")
    told = explain(store.of_project("together"), NOTHING_FOUND, [], LIMITS)
    assert told.dependent_error_groups == (
        DependentErrors(
            (("pay", "Declined"), ("shop", "HTTP 500")), 5, tuple(trace_id(trace) for trace in range(1, 6))
        ),
    )


def _running(service: str, start: int, end: int, trace: int, **resource: str) -> list[SpanRow]:
    keys = {"version": "service.version", "instance": "service.instance.id", "image": "container.image.tags"}
    attributes = {keys.get(key, key): value for key, value in resource.items()}
    return [
        SpanRow(service, time=time, trace=trace, resource=attributes)
        for time in range(start, end, 10 * SECOND)
    ]


@pytest.mark.parametrize("most_rows", [2_000_000, 0])
def test_changes_are_releases_settings_and_instances_that_came_or_went(
    store: Store, monkeypatch: pytest.MonkeyPatch, most_rows: int
) -> None:
    """What was there all along is none, whatever differs between instances; by records and by the rollup."""
    monkeypatch.setattr("glasshouse_collector.insights.explaining.changes._MOST_ROWS", most_rows)
    project = f"changes-{most_rows}"
    hour = NOON - 50 * MINUTE
    released = NOON - 5 * MINUTE
    spans = [
        *_running("pay", hour, released, 1, version="1.0", instance="a", flags="off"),
        *_running("pay", released, INCIDENT.end, 2, version="1.1", instance="b", flags="off"),
        *_running("steady", hour, INCIDENT.end, 3, version="7", instance="x", region="1"),
        *_running("steady", hour + SECOND, INCIDENT.end, 4, version="7", instance="y", region="2"),
        *_running("rare", hour, hour + 1, 5, version="1", instance="r1"),
        *_running("rare", NOON, NOON + 1, 6, version="2", instance="r2"),
    ]
    for place in range(0, len(spans), 200):  # of larger batches the rollup looks at some rows alone
        keep_spans(store, f"{project}-{place}", spans[place : place + 200], project)
    told = explain(store.of_project(project), ANALYSIS, [], LIMITS)
    last = max(span.time for span in spans if span.trace == 1)
    assert told.recent_changes == (
        Change(released, "pay", "service.instance.id", "", "b"),
        Change(released, "pay", "service.version", "1.0", "1.1"),
        Change(last, "pay", "service.instance.id", "a", ""),
    )
    assert ("release", released) in [(moment.kind, moment.time) for moment in told.timeline]


def test_a_change_of_the_cause_is_named_in_the_cause_and_in_what_to_do(store: Store) -> None:
    """A release shortly before is the first thing to undo."""
    spans = [
        *_running("payment", NOON - 20 * MINUTE, NOON, 1, version="1.0"),
        *_running("payment", NOON, INCIDENT.end, 2, version="1.1"),
    ]
    keep_spans(store, "released", spans, "released")
    bad = replace(CAUSE, kind=FaultKind.BAD_RELEASE)
    told = explain(store.of_project("released"), replace(ANALYSIS, root_causes=(bad,)), [], LIMITS)
    assert "At 18:00:00 UTC, service.version of payment changes from 1.0 to 1.1." in told.root_cause
    assert "- Undo the change of service.version from 1.0 to 1.1 (18:00:00 UTC)" in told.suggestion
    assert told.patterns[0] == "bad_release"


def test_projects_are_apart(store: Store) -> None:
    """Errors, shared traces and changes of another project are none of ours."""
    keep_spans(store, "theirs", [SpanRow("pay", raised=RAISED), SpanRow("shop", failed="x")], "theirs")
    keep_spans(store, "ours", [SpanRow("shop", trace=1, failed="x")], "ours")
    told = explain(store.of_project("ours"), NOTHING_FOUND, [], LIMITS)
    assert [group.service for group in told.error_groups] == ["shop"]
    assert told.dependent_error_groups == ()


HOSTILE = ("' OR 1=1 --", "\\", "\x00", "{start:Int64}", "%s {0}", "é" * 3000, "\x1b[31m", "a\nb\r\nc")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_told_as_they_are(store: Store, text: str) -> None:
    """Whatever is in names and messages."""
    project = f"hostile-{HOSTILE.index(text)}"
    keep_spans(
        store,
        project,
        [SpanRow(text, text, failed=text, raised=(text, text), resource={text: text})],
        project,
    )
    keep_logs(store, f"{project}-logs", [LogRow(text, text)], project)
    told = explain(store.of_project(project), ANALYSIS, [], LIMITS)
    assert len(told.error_groups) == 2
    assert all(len(moment.text) < 5000 and "\n" not in moment.text for moment in told.timeline)


def test_an_analysis_without_normal_times_goes_by_what_fails(store: Store) -> None:
    """Every error counts where none is known to be usual."""
    keep_spans(store, "alone", [SpanRow("x", raised=("Gone", "deadlock detected"))], "alone")
    question = Question(Window(NOON, NOON + MINUTE), ())
    told = explain(store.of_project("alone"), replace(NOTHING_FOUND, question=question), [], LIMITS)
    assert "without normal times to compare with. 1 error in x; most often Gone in x" in told.incident_summary
    assert told.patterns == ("deadlock",)


def test_the_question_is_not_about_other_times(store: Store) -> None:
    """Bounds are exact: the start is in, the end is not."""
    rows = [
        SpanRow("edge", time=time, raised=("Gone", ""))
        for time in (NOON - 1, NOON, INCIDENT.end - 1, INCIDENT.end)
    ]
    keep_spans(store, "edge", rows, "edge")
    told = explain(
        store.of_project("edge"), replace(NOTHING_FOUND, question=replace(QUESTION, baselines=())), [], LIMITS
    )
    assert [group.count for group in told.error_groups] == [2]


def test_a_cause_that_is_a_guess_does_not_say_what_to_do(store: Store) -> None:
    """Nor does anything stand in the timeline twice."""
    guess = replace(CAUSE, confidence=0.2, kind=FaultKind.MEMORY_LEAK, evidence=CAUSE.evidence * 2)
    told = explain(store.of_project("guess"), replace(ANALYSIS, root_causes=(guess,)), [], LIMITS)
    assert (told.patterns, told.suggestion) == ((), "- Look at POST /pay of payment first.")
    texts = [moment.text for moment in told.timeline]
    assert len(texts) == len(set(texts))
