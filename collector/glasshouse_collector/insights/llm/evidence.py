"""What a model is given: an incident's evidence, short and without secrets; and the names that are in it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from glasshouse_collector.core.times import rfc3339
from glasshouse_collector.insights.explaining.explanation import Explanation
from glasshouse_collector.insights.explaining.wording import shortened
from glasshouse_collector.insights.findings import Analysis, Evidence, PathStep, RootCause
from glasshouse_collector.insights.llm.budget import estimated_tokens
from glasshouse_collector.insights.llm.failing import NoAnswer, Outcome
from glasshouse_collector.insights.llm.redacting import redacted

_SHARES: Final = (1.0, 0.6, 0.35, 0.2, 0.1)
"""How much of everything is given; less where more does not fit."""
_MOST_TEXT: Final = 400
_SAID: Final = frozenset(
    {"message", "template", "text", "reason", "body", "found", "corrections", "rules_say", "error"}
)
"""What holds words of the systems and of people, not names that can be relied on."""


@dataclass(slots=True)
class Names:
    """The names that an answer may use, and what may be the cause: confidence by (service, operation)."""

    services: set[str] = field(default_factory=set)
    operations: set[str] = field(default_factory=set)
    trace_ids: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    """Dependencies, attributes, metrics, versions, instances: what else has a name."""
    causes: dict[tuple[str, str], float] = field(default_factory=dict)
    everything: str = ""
    """All that was given, as it was written."""

    def learn(self, given: Any) -> None:
        """Note what is named in something that was given."""
        self.everything += json.dumps(given, ensure_ascii=False)
        self._learn("", given)

    def _learn(self, key: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, each in value.items():
                if name not in _SAID:
                    self._learn(name, each)
        elif isinstance(value, list):
            for each in value:
                self._learn(key, each)
        elif isinstance(value, str) and value:
            into = {"service": self.services, "operation": self.operations, "trace_id": self.trace_ids}
            into.get(key.removesuffix("s"), self.others).add(value)


def evidence_for(
    analysis: Analysis,
    explanation: Explanation,
    corrections: Sequence[str],
    most_tokens: int,
    own: Sequence[str],
) -> tuple[str, Names]:
    """Return the evidence as JSON and its names; as much of it as fits into so many tokens.

    `own` are patterns (RE2) of what must not leave this machine, besides those that never do.
    `NoAnswer` where not even little fits.
    """
    for share in _SHARES:
        given = redacted(_given(analysis, explanation, corrections, share), own)
        written = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        if estimated_tokens(written) <= most_tokens:
            names = Names()
            names.learn(given)
            for cause, found in zip(given["root_causes"], analysis.root_causes, strict=False):
                names.causes.setdefault((cause["service"], cause["operation"]), found.confidence)
            return written, names
    raise NoAnswer(
        Outcome.NO_BUDGET,
        f"the evidence does not fit into llm.max_input_tokens; {most_tokens:,} are left for it",
    )


def _given(
    analysis: Analysis, explanation: Explanation, corrections: Sequence[str], share: float
) -> dict[str, Any]:
    def some(most: int) -> int:
        return max(1, round(most * share))

    incident = analysis.question.incident
    return {
        "time": {"start": rfc3339(incident.start), "end": rfc3339(incident.end)},
        "root_causes": [_cause(cause, some(6)) for cause in analysis.root_causes[: some(5)]],
        "symptoms": [_step(step) for step in analysis.symptoms[: some(8)]],
        "errors": list(_errors(explanation, some(15))),
        "errors_in_the_same_traces": list(_dependent(explanation, some(6))),
        "timeline": [
            _text(time=rfc3339(moment.time), service=moment.service, text=moment.text)
            for moment in explanation.timeline[: some(30)]
        ],
        "changes": [
            _text(
                time=rfc3339(each.time),
                service=each.service,
                attribute=each.attribute,
                before=each.before,
                after=each.after,
            )
            for each in explanation.recent_changes[: some(10)]
        ],
        "similar_incidents": [
            _text(time=past.incident.started_at.isoformat(), found=past.found)
            for past in explanation.similar_incidents[: some(4)]
        ],
        "corrections": [shortened(each, _MOST_TEXT) for each in corrections[: some(8)]],
        "looked_at": {
            "traces": analysis.traces,
            "spans": analysis.spans,
            "log_records": analysis.log_records,
        },
        "notes": [_text(text=note) for note in analysis.notes[: some(8)]],
        "rules_say": _text(
            summary=explanation.incident_summary,
            cause=explanation.root_cause,
            suggestion=explanation.suggestion,
        ),
    }


def _cause(cause: RootCause, most: int) -> dict[str, Any]:
    by_weight = sorted(cause.evidence, key=lambda each: -each.weight)[:most]
    return {
        **_text(service=cause.service, operation=cause.operation, kind=cause.kind.value, reason=cause.reason),
        **_text(resource=cause.resource, dependency=cause.dependency),
        "since": rfc3339(cause.start) if cause.start else "",
        "confidence": round(cause.confidence, 2),
        "evidence": [_evidence(each) for each in by_weight],
        "path": [_step(step) for step in cause.path[:10]],
    }


def _evidence(each: Evidence) -> dict[str, Any]:
    said = _text(
        kind=each.kind.value,
        text=each.text,
        service=each.service,
        operation=each.operation,
        metric=each.metric,
        template=each.template,
        attribute=each.attribute,
    )
    return {**said, "trace_ids": list(each.trace_ids[:3])}


def _step(step: PathStep) -> dict[str, str]:
    return _text(service=step.service, operation=step.operation, text=step.effect)


def _errors(explanation: Explanation, most: int) -> Iterator[dict[str, Any]]:
    for group in explanation.error_groups[:most]:
        said = _text(service=group.service, type=group.type, text=group.place, message=group.message)
        first = rfc3339(group.first_seen)
        yield {**said, "count": group.count, "first_seen": first, "trace_ids": list(group.trace_ids[:2])}


def _dependent(explanation: Explanation, most: int) -> Iterator[dict[str, Any]]:
    for each in explanation.dependent_error_groups[:most]:
        errors = [_text(service=service, type=kind) for service, kind in each.groups]
        yield {"errors": errors, "shared_traces": each.shared_traces, "trace_ids": list(each.trace_ids[:2])}


def _text(**texts: str) -> dict[str, str]:
    """Return what is not empty, each on one line and not too long."""
    return {name: shortened(text, _MOST_TEXT) for name, text in texts.items() if text}
