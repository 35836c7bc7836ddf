"""An analysis as `POST /api/v1/insights/analyze` answers it, and as an incident keeps it."""

import math
from typing import Any

from glasshouse_collector.core.times import rfc3339
from glasshouse_collector.insights.findings import Analysis, Evidence, PathStep, RootCause
from glasshouse_collector.insights.windows import Window


def answer_of(analysis: Analysis) -> dict[str, Any]:
    """Return it as JSON has it: times in RFC 3339, numbers that are none as null."""
    question = analysis.question
    return {
        **window_of(question.incident),
        "baselines": [window_of(baseline) for baseline in question.baselines],
        "root_causes": [cause_of(cause) for cause in analysis.root_causes],
        "symptoms": [step_of(step) for step in analysis.symptoms],
        "traces": analysis.traces,
        "spans": analysis.spans,
        "log_records": analysis.log_records,
        "one_in": analysis.one_in,
        "notes": list(analysis.notes),
    }


def window_of(window: Window) -> dict[str, str]:
    """Return a window as JSON has it."""
    return {"start_time": rfc3339(window.start), "end_time": rfc3339(window.end)}


def cause_of(cause: RootCause) -> dict[str, Any]:
    """Return a root cause as JSON has it."""
    return {
        "service": cause.service,
        "operation": cause.operation,
        "kind": cause.kind.value,
        "score": finite(cause.score) or 0.0,
        "confidence": min(1.0, max(0.0, finite(cause.confidence) or 0.0)),
        "reason": cause.reason,
        "resource": cause.resource,
        "dependency": cause.dependency,
        "start_time": rfc3339(cause.start) if cause.start else None,
        "evidence": [evidence_of(evidence) for evidence in cause.evidence],
        "path": [step_of(step) for step in cause.path],
    }


def step_of(step: PathStep) -> dict[str, str]:
    """Return a step of a path as JSON has it."""
    return {"service": step.service, "operation": step.operation, "effect": step.effect}


def evidence_of(evidence: Evidence) -> dict[str, Any]:
    """Return a piece of evidence as JSON has it."""
    return {
        "kind": evidence.kind.value,
        "text": evidence.text,
        "weight": finite(evidence.weight) or 0.0,
        "service": evidence.service,
        "operation": evidence.operation,
        "before": finite(evidence.before),
        "after": finite(evidence.after),
        "unit": evidence.unit,
        "start_time": rfc3339(evidence.start),
        "end_time": rfc3339(evidence.end),
        "trace_ids": list(evidence.trace_ids),
        "log_ids": list(evidence.log_ids),
        "metric": evidence.metric,
        "template": evidence.template,
        "attribute": evidence.attribute,
    }


def finite(number: float | None) -> float | None:
    """Return a number that JSON can carry; numpy's are made Python's."""
    return float(number) if number is not None and math.isfinite(number) else None
