"""The one entrance: a question answered from a project's spans, log records and metrics."""

from collections.abc import Mapping
from typing import Final

from glasshouse_collector.insights.behaviour import find_deviations
from glasshouse_collector.insights.constants import DEFAULT, Constants
from glasshouse_collector.insights.contexts import Contexts
from glasshouse_collector.insights.evidence.attributes import with_attributes
from glasshouse_collector.insights.evidence.behaving import behaviour_clues
from glasshouse_collector.insights.evidence.clue import Clue
from glasshouse_collector.insights.evidence.lines import with_log_records
from glasshouse_collector.insights.evidence.running_out import resource_clues
from glasshouse_collector.insights.evidence.silence import silence_clues
from glasshouse_collector.insights.evidence.surging import surge_clues
from glasshouse_collector.insights.evidence.taking_longer import timing_clues
from glasshouse_collector.insights.findings import Analysis, FaultKind
from glasshouse_collector.insights.paths import symptoms_of
from glasshouse_collector.insights.ranking import rank
from glasshouse_collector.insights.records import Records, read_records
from glasshouse_collector.insights.resources import find_shifts
from glasshouse_collector.insights.spans import Spans, read_spans
from glasshouse_collector.insights.timing import find_slowdowns
from glasshouse_collector.insights.windows import Question
from glasshouse_collector.store import ProjectStore, QueryLimits

_NO_PRIORS: Final[Mapping[tuple[str, FaultKind], float]] = {}
_FEW_TRACES: Final = 30


def analyse(
    store: ProjectStore,
    question: Question,
    limits: QueryLimits,
    priors: Mapping[tuple[str, FaultKind], float] = _NO_PRIORS,
    constants: Constants = DEFAULT,
) -> Analysis:
    """Return the root causes of what went on in the incident's window, best first; raises `EngineFailure`.

    `priors` are factors of scores, of a service and a kind of fault, that users' feedback gives.
    """
    spans = read_spans(store, question, limits)
    records = read_records(store, question, spans, limits)
    shifts = find_shifts(store, question, limits, constants)
    clues = [
        *resource_clues(question, spans, shifts, constants),
        *_clues_of_traces(question, spans, records, constants),
    ]
    clues += surge_clues(question, spans, clues, constants)
    if question.focus:
        clues = [clue for clue in clues if clue.service in question.focus]
    causes = rank(spans, clues, priors, constants)
    causes = with_attributes(store, question, spans, clues, causes, limits)
    causes = with_log_records(store, question, records, causes, limits)
    return Analysis(
        question=question,
        root_causes=tuple(causes),
        symptoms=symptoms_of(spans),
        traces=spans.traces(spans.incident),
        spans=int(spans.incident.sum()),
        log_records=int(spans.incident[records.span].sum()),
        one_in=spans.one_in[0],
        notes=tuple(_notes(spans, metrics=bool(shifts))),
    )


def _clues_of_traces(question: Question, spans: Spans, records: Records, constants: Constants) -> list[Clue]:
    contexts = Contexts.of(spans)
    deviations = find_deviations(spans, contexts, records, constants)
    clues = [
        *behaviour_clues(spans, records, deviations, constants),
        *silence_clues(question, spans, constants),
    ]
    together, *each = spans.baselines()
    slowdowns = find_slowdowns(spans, contexts, together, constants)
    clues += timing_clues(spans, contexts, slowdowns, constants)
    for baseline in each:
        slowdowns = find_slowdowns(spans, contexts, baseline, constants)
        clues += timing_clues(spans, contexts, slowdowns, constants, constants.drift)
    return clues


def _notes(spans: Spans, *, metrics: bool) -> list[str]:
    notes = []
    for what, every in zip(("incident", "baselines"), spans.one_in, strict=True):
        if every > 1:
            notes.append(f"sampled: one trace in {every} of the {what} was looked at")
    before = spans.traces(~spans.incident)
    if before < _FEW_TRACES:
        notes.append(f"the baselines have {before} traces only: little is known of what is usual")
    if not spans.incident.any():
        notes.append("no trace began in the incident's window")
    if not metrics:
        notes.append("no metric of processor, memory or pools rose")
    return notes
