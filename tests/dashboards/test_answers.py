"""Every question of dashboards and rules is asked of real servers that watch the demo, and has an answer.

One test, so that one stack serves all of it, whatever number of workers pytest runs with.
"""

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

import dashboard_files
from collector_process import until
from dashboard_files import CLICKHOUSE, Question
from grafana_text import ALL, filled, filled_sql
from measured_application import FEATURE
from names_by_design import EMPTY, NOT_EXPOSED, UNUSED
from observed_demo import ObservedDemo
from promql_selectors import metric_names, selectors

_PATIENCE_SECONDS = 60.0
_SERVICES = ("reports", "gateway", "catalog", "payment", "worker")
_FILTERS = ("project", "environment", "service", "operation", "status", "model")
_FAULTY = {"environment": "demo", "service": "payment", "operation": "POST /charges", "status": "Error"}
_ANYTHING = {"min_ms": "0", "search": "", "prices": "shop-small=0.15/0.60", "instance": ALL, "slo": ALL}


@dataclass(frozen=True)
class Asked:
    """A question with the ways to ask it; one of them has to be answered."""

    where: str
    ways: tuple[str, ...]
    ask: Callable[[str], int]

    def answered(self) -> bool:
        """Whether there is an answer; AssertionError where the server does not understand."""
        return any(self.ask(way) > 0 for way in self.ways)


@pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("prometheus-alertmanager") is None,
    reason="Prometheus and Alertmanager are not installed: make servers",
)
def test_every_question_has_an_answer(tmp_path: Path) -> None:
    """What returns nothing is listed with the reason, and what is listed does return nothing."""
    with ObservedDemo(tmp_path) as demo:
        until(lambda: demo.rows("SELECT 1 FROM glasshouse_alerts LIMIT 1") != [], "an alert is kept")
        questions = [*_promql(demo), *_variables(demo), *_exemplars(demo), *_rules(demo), *_sql(demo)]
        wrong = _without_answer(questions)
        wrong += [f"{rule['name']}: {rule['lastError']}" for rule in _running(demo) if rule["health"] != "ok"]
        wrong += _names_that_differ(demo)
        _costs_are_right(demo)
        _an_exemplar_leads_to_its_trace(demo)
    assert not wrong, "\n".join(wrong)


def _without_answer(questions: Iterable[Asked]) -> list[str]:
    """Ask until all are answered that should be; then none may be that should not."""
    asked = list(questions)
    listed = {each.where: _listed(each.where) for each in asked}
    waiting = [each for each in asked if not listed[each.where]]
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while waiting and time.monotonic() < deadline:
        waiting = [each for each in waiting if not each.answered()]
    wrong = [f"no answer: {each.where}\n    {each.ways[0]}" for each in waiting]
    told = [each.where for each in asked if listed[each.where] and each.answered()]
    wrong += [f"listed as empty, but answered: {where}" for where in told]
    unmatched = [pattern for pattern in EMPTY if not any(pattern in found for found in listed.values())]
    return wrong + [f"listed as empty, but not asked: {pattern}" for pattern in unmatched]


def _listed(where: str) -> list[str]:
    return [pattern for pattern in EMPTY if fnmatch(where, pattern)]


def _promql(demo: ObservedDemo) -> list[Asked]:
    def ask(expression: str) -> int:
        return len(demo.series(expression))

    asked = [_with_services(question, ask) for question in dashboard_files.promql()]
    # Marks of alerts are quiet where all is well: they have to be understood, and look at what is there.
    for marks in (_with_services(question, ask) for question in dashboard_files.annotations()):
        ask(marks.ways[0])
        asked.append(Asked(marks.where, tuple(metric_names(marks.ways[0])), ask))
    return asked


def _with_services(question: Question, ask: Callable[[str], int]) -> Asked:
    every = dict.fromkeys(_FILTERS, ALL) | _ANYTHING
    chosen = [ALL] if question.dashboard != "service" else _SERVICES
    ways = tuple(filled(question.text, {**every, "service": service}) for service in chosen)
    return Asked(question.where, ways, ask)


def _variables(demo: ObservedDemo) -> list[Asked]:
    def ask(text: str) -> int:
        selector, label = _selector_and_label(text)
        return len(demo.prometheus(f"label/{label}/values", **{"match[]": selector}))

    return [_with_services(question, ask) for question in dashboard_files.label_values()]


def _selector_and_label(text: str) -> tuple[str, str]:
    selector, _, label = text.removeprefix("label_values(").removesuffix(")").rpartition(",")
    return selector, label.strip()


def _exemplars(demo: ObservedDemo) -> list[Asked]:
    """Return the questions for which Grafana asks Prometheus for exemplars, with trace ids, too."""

    def ask(expression: str) -> int:
        start, end = time.time() - 600, time.time()
        found = demo.prometheus("query_exemplars", query=expression, start=f"{start}", end=f"{end}")
        return sum("trace_id" in each["labels"] for series in found for each in series["exemplars"])

    wanted = dashboard_files.with_exemplars()
    return [
        Asked(f"exemplars of {asked.where}", asked.ways, ask)
        for asked in (_with_services(question, ask) for question in wanted)
    ]


def _rules(demo: ObservedDemo) -> list[Asked]:
    """Return what recording rules record, and what alerts look at; an alert is quiet where all is well."""

    def ask(expression: str) -> int:
        return len(demo.series(expression))

    asked = []
    for rule in demo.rules:
        if "record" in rule:
            asked.append(Asked(f"record {rule['record']} {_labels(rule)}", (rule["expr"],), ask))
            continue
        demo.series(rule["expr"])
        where = f"alert {rule['alert']}"
        asked += [Asked(f"{where}: {each}", (each,), ask) for each in selectors(rule["expr"])]
    return asked


def _labels(rule: dict[str, dict[str, str]]) -> str:
    return " ".join(rule.get("labels", {}).values())


def _running(demo: ObservedDemo) -> list[dict[str, str]]:
    groups = demo.prometheus("rules")["groups"]
    return [{"lastError": "", **rule} for group in groups for rule in group["rules"]]


def _sql(demo: ObservedDemo) -> list[Asked]:
    def ask(sql: str) -> int:
        return len(demo.rows(sql))

    now = int(time.time())
    trace = demo.rows("SELECT TraceId FROM otel_logs WHERE ServiceName = 'payment' AND TraceId != '' LIMIT 1")
    asked = []
    for question in dashboard_files.sql():
        assert question.kind == CLICKHOUSE
        values = dict.fromkeys(_FILTERS, ALL) | _ANYTHING | {"trace_id": str(trace[0][0])}
        if question.dashboard == "service":
            values["service"] = "payment"
        times = (now - 3600, now + 600)
        asked.append(Asked(question.where, (filled_sql(question.text, values, *times),), ask))
        # With every filter set it is valid as well, and text is text.
        filtered = {
            **values,
            **_FAULTY,
            "project": "default",
            "model": "shop-small",
            "search": "it's 100 %",
            "trace_id": "",
        }
        ask(filled_sql(question.text, filtered, *times))
    return asked


def _costs_are_right(demo: ObservedDemo) -> None:
    """Check that a call costs what its span says, else its tokens at the price given, else nothing."""
    values = dict.fromkeys(_FILTERS, ALL) | _ANYTHING | {"prices": "shop-small=3/7, other=1/2"}
    times = (int(time.time()) - 3600, int(time.time()) + 600)
    texts = {each.where.removeprefix("llm-cost: "): each.text for each in dashboard_files.sql()}

    def ask(where: str) -> list[list[Any]]:
        return demo.rows(filled_sql(texts[where], values, *times))

    models = {row[0]: row for row in ask("Models A")}
    _, calls, _, read, written, cost, a_call, _ = models["priced-model"]
    assert a_call == pytest.approx(0.02)
    assert int(read) == 900 * int(calls)
    _, _, _, read, written, cost, _, _ = models["shop-small"]
    assert cost == pytest.approx((int(read) * 3 + int(written) * 7) / 1e6)
    assert models["unknown-model"][5] == 0
    assert int(ask("Tokens without a price A")[0][0]) > 0
    assert {row[0] for row in ask("Features A")} >= {FEATURE, "POST /questions"}


def _an_exemplar_leads_to_its_trace(demo: ObservedDemo) -> None:
    """Check that exemplars of charges name traces that the store has."""
    selector = 'traces_span_metrics_duration_milliseconds_bucket{service_name="payment"}'
    times = {"start": f"{time.time() - 600}", "end": f"{time.time()}"}
    found = demo.prometheus("query_exemplars", query=selector, **times)
    ids = {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}
    listed = ", ".join(f"'{each}'" for each in sorted(ids))
    # Prometheus has it from memory, the store once it is written.
    kept = f"SELECT uniqExact(TraceId) FROM otel_traces WHERE TraceId IN ({listed})"
    until(lambda: int(demo.rows(kept)[0][0]) == len(ids) > 0, "every exemplar's trace is kept")


def _names_that_differ(demo: ObservedDemo) -> list[str]:
    """Compare the names that dashboards and rules read with those that Prometheus has, both ways."""
    asked = [each.text for each in [*dashboard_files.promql(), *dashboard_files.annotations()]]
    asked += [_selector_and_label(question.text)[0] for question in dashboard_files.label_values()]
    read = {name for text in asked for name in metric_names(text)}
    read |= {name for rule in demo.rules for name in metric_names(rule["expr"])}
    known = set(demo.prometheus("label/__name__/values"))
    wrong = [f"read, but not exposed: {name}" for name in sorted(read - known - NOT_EXPOSED.keys())]
    wrong += [f"listed as not exposed, but it is: {name}" for name in sorted(known & NOT_EXPOSED.keys())]
    unread = {_family(name) for name in known} - {_family(name) for name in read}
    wrong += [
        f"exposed, but read nowhere: {name}"
        for name in sorted(unread)
        if not any(fnmatch(name, pattern) for pattern in UNUSED)
    ]
    return wrong + [
        f"listed as unread, but nothing is: {pattern}"
        for pattern in UNUSED
        if not any(fnmatch(name, pattern) for name in unread)
    ]


def _family(name: str) -> str:
    for suffix in ("_bucket", "_count", "_sum"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
