"""Recording rules and multi-window, multi-burn-rate alerts of objectives.

The arithmetic is that of Google's Site Reliability Workbook, chapter 5, "Alerting on SLOs"; what is
recorded has Sloth's names.

    burn rate = share of bad requests / share that may be bad; at 1 the budget lasts as long as the window
    an alert fires when a long window and a short one (1/12 of it) both burn faster than a factor: the long
    one says that it matters, the short one that it still goes on
    factor = part of the budget * the objective's window / the alert's long window: 14.4 = 0.02 * 720 h / 1 h
"""

from dataclasses import dataclass
from typing import Any

import yaml

from glasshouse_alerts.slo_objectives import FASTEST_BURN_BUDGET, Latency, Objective, Objectives

_HEADER = """\
# Made by `glasshouse slo generate` from alerts/slo.yaml: change it there.
"""
_HOURS = {"5m": 1 / 12, "30m": 0.5, "1h": 1.0, "2h": 2.0, "6h": 6.0, "1d": 24.0, "3d": 72.0}
_FROM_COUNTERS = ("5m", "30m", "1h", "2h", "6h")
_FROM_RECORDS = ("1d", "3d")
"""Longer windows add up what is recorded for 5 minutes: rate() over days of all series costs too much."""


@dataclass(frozen=True)
class _Pair:
    """Two windows that must burn alike, and the part of the budget that the long one may use up."""

    long: str
    short: str
    budget: float

    def factor(self, objective: Objective) -> float:
        hours = objective.window.total_seconds() / 3600
        return round(self.budget * hours / _HOURS[self.long], 4)


@dataclass(frozen=True)
class _Kind:
    """An alert that each objective gets."""

    name: str
    severity: str
    pairs: tuple[_Pair, ...]
    summary: str
    runbook: str


_PAGE = _Kind(
    "SloBurnsFast",
    "critical",
    (_Pair("1h", "5m", FASTEST_BURN_BUDGET), _Pair("6h", "30m", 0.05)),
    "uses up its error budget within hours or few days",
    "docs/runbooks/slo-burns-fast.md",
)
_TICKET = _Kind(
    "SloBurnsSlowly",
    "medium",
    (_Pair("1d", "2h", 0.1), _Pair("3d", "6h", 0.1)),
    "uses up its error budget faster than it may",
    "docs/runbooks/slo-burns-slowly.md",
)


class _Literal(str):
    """Text that YAML shows as a block of lines."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


_Dumper.add_representer(
    _Literal, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


def render(objectives: Objectives) -> str:
    """Return the file of rules that Prometheus reads."""
    groups = [group for each in objectives.slos for group in _groups(each)]
    return _HEADER + yaml.dump(
        {"groups": groups}, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True
    )


def _groups(slo: Objective) -> list[dict[str, Any]]:
    return [
        {"name": f"{slo.name} short windows", "rules": _short_windows(slo)},
        # A day more or less of data changes such a window slowly.
        {"name": f"{slo.name} long windows", "interval": "1m", "rules": _long_windows(slo)},
        {"name": f"{slo.name} alerts", "rules": [_alert(slo, _PAGE), _alert(slo, _TICKET)]},
    ]


def _record(name: str, slo: Objective, expression: str) -> dict[str, Any]:
    return {"record": name, "expr": _Literal(expression + "\n"), "labels": {"slo": slo.name}}


def _short_windows(slo: Objective) -> list[dict[str, Any]]:
    rules = [
        _record("slo:requests:rate5m", slo, _rate(_total(slo), "5m")),
        _record("slo:bad_requests:rate5m", slo, _bad(slo, "5m")),
    ]
    for window in _FROM_COUNTERS:
        ratio = f"({_bad(slo, window)})\n/ ({_rate(_total(slo), window)} > 0)"
        rules.append(_record(f"slo:sli_error:ratio_rate{window}", slo, ratio))
    current = f"{_recorded('sli_error:ratio_rate5m', slo)} / {slo.budget:g}"
    rules.append(_record("slo:current_burn_rate:ratio", slo, current))
    return rules


def _long_windows(slo: Objective) -> list[dict[str, Any]]:
    rules = []
    for window in (*_FROM_RECORDS, f"{slo.days}d"):
        bad = f"sum_over_time({_recorded('bad_requests:rate5m', slo)}[{window}])"
        total = f"sum_over_time({_recorded('requests:rate5m', slo)}[{window}])"
        rules.append(_record(f"slo:sli_error:ratio_rate{window}", slo, f"{bad}\n/ ({total} > 0)"))
    period = f"{_recorded(f'sli_error:ratio_rate{slo.days}d', slo)} / {slo.budget:g}"
    remaining = f"1 - {_recorded('period_burn_rate:ratio', slo)}"
    rules.append(_record("slo:period_burn_rate:ratio", slo, period))
    rules.append(_record("slo:period_error_budget_remaining:ratio", slo, remaining))
    rules.append(_constant("slo:objective:ratio", slo, 1 - slo.budget))
    rules.append(_constant("slo:error_budget:ratio", slo, slo.budget))
    rules.append(_constant("slo:time_period:days", slo, slo.days))
    return rules


def _constant(name: str, slo: Objective, value: float) -> dict[str, Any]:
    """Return a rule for a number; it has a project only where the objective names one."""
    about = {
        "slo": slo.name,
        "service_name": slo.service,
        **({"project": slo.project} if slo.project else {}),
    }
    return {"record": name, "expr": f"vector({value:.10g})", "labels": about}


def _recorded(name: str, slo: Objective) -> str:
    return f"slo:{name}{{slo={_quoted(slo.name)}}}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _matchers(slo: Objective) -> list[str]:
    found = [f"service_name={_quoted(slo.service)}", 'span_kind=~"SPAN_KIND_(SERVER|CONSUMER)"']
    if slo.project:
        found.append(f"project={_quoted(slo.project)}")
    if slo.environment:
        found.append(f"deployment_environment_name={_quoted(slo.environment)}")
    if slo.operations:
        names = "|".join(_literally(name) for name in slo.operations)
        found.append(f"span_name=~{_quoted(names)}")
    return found


def _literally(text: str) -> str:
    """Return the regular expression (RE2) that matches the text alone."""
    return "".join("\\" + char if char in r"\.+*?()|[]{}^$" else char for char in text)


def _total(slo: Objective) -> str:
    family = "calls_total" if slo.sli == "availability" else "duration_milliseconds_count"
    return f"traces_span_metrics_{family}{{{','.join(_matchers(slo))}}}"


def _rate(selector: str, window: str) -> str:
    return f"sum by (project, service_name) (rate({selector}[{window}]))"


def _bad(slo: Objective, window: str) -> str:
    """Return the rate of bad requests, 0 where there are requests and none is bad."""
    total = _rate(_total(slo), window)
    if isinstance(slo.sli, Latency):
        # The text format writes a bound as 400, OpenMetrics as 400.0.
        bound = f'le=~"{_literally(f"{slo.sli.latency_milliseconds:g}")}([.]0)?"'
        bucket = f"traces_span_metrics_duration_milliseconds_bucket{{{','.join([*_matchers(slo), bound])}}}"
        return f"{total}\n- {_rate(bucket, window)}"
    matchers = ",".join([*_matchers(slo), 'status_code="STATUS_CODE_ERROR"'])
    failed = f"traces_span_metrics_calls_total{{{matchers}}}"
    return f"{_rate(failed, window)}\nor {total} * 0"


def _alert(slo: Objective, kind: _Kind) -> dict[str, Any]:
    expression = "\nor\n".join(_burns(slo, pair) for pair in kind.pairs)
    limits = " or ".join(
        f"{pair.factor(slo) * slo.budget * 100:.4g} % over {pair.long} and {pair.short}"
        for pair in kind.pairs
    )
    about = f"{slo.description.rstrip('.')}. " if slo.description else ""
    return {
        "alert": kind.name,
        "expr": _Literal(expression + "\n"),
        "labels": {"severity": kind.severity, "slo": slo.name},
        "annotations": {
            "summary": f"{{{{ $labels.service_name }}}} {kind.summary} ({slo.name})",
            "description": f"{about}The objective is {slo.objective:g} % over {slo.days} days. Now "
            "{{ $value | humanizePercentage }} of the requests to {{ $labels.service_name }} (project "
            "{{ $labels.project }}) are bad, "
            f"where {slo.budget * 100:.4g} % may be; the alert stands for more than {limits}.",
            "runbook_url": kind.runbook,
        },
    }


def _burns(slo: Objective, pair: _Pair) -> str:
    threshold = f"{round(pair.factor(slo) * slo.budget, 12):.10g}"
    long, short = (_recorded(f"sli_error:ratio_rate{each}", slo) for each in (pair.long, pair.short))
    return f"(\n  {long} > {threshold}\n  and\n  {short} > {threshold}\n)"
