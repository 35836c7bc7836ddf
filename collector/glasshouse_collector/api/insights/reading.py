"""Finds what was wrong in the last minutes, and has it analysed and put into words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from glasshouse_collector.api.insights.body import AnalyzeQuestion
from glasshouse_collector.api.insights.calm import calm
from glasshouse_collector.api.insights.explanation_model import Insights
from glasshouse_collector.api.insights.known_services import require_known
from glasshouse_collector.api.insights.lately import Lately, has_telemetry, read_lately
from glasshouse_collector.api.insights.memory import Memory
from glasshouse_collector.api.insights.model import AnalysisAnswer
from glasshouse_collector.api.insights.telling import Looked, analysis_answer, insights_answer
from glasshouse_collector.core.incidents import Incident, PastIncident, Severity
from glasshouse_collector.insights.analysis import analyse
from glasshouse_collector.insights.baselines import question_for
from glasshouse_collector.insights.detection import detect
from glasshouse_collector.insights.explaining import explain
from glasshouse_collector.insights.findings import Analysis, FaultKind
from glasshouse_collector.insights.llm.asking import ask_model
from glasshouse_collector.insights.llm.telemetry import ModelTelemetry
from glasshouse_collector.insights.settings import InsightsConfig
from glasshouse_collector.insights.windows import SECOND, Question, Window
from glasshouse_collector.store import ProjectStore, QueryLimits

MINUTE: Final = 60 * SECOND
LONGEST_ANALYSED: Final = 30 * MINUTE
"""Of an incident: its beginning shows best what it comes from."""
LONGEST_SEARCHED: Final = 120 * MINUTE
"""How far back incidents are looked for where none is kept."""
_CLEAR: Final = 0.7
"""The confidence below which a cause alone, without errors or slow requests, is not worth telling."""
_ORDER: Final = list(Severity)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InsightsQuestion:
    """The last `minutes`, up to now; `deep`: a language model may look closer."""

    window: Window
    minutes: int
    deep: bool
    settings: InsightsConfig
    telemetry: ModelTelemetry


def read_analysis(
    store: ProjectStore,
    asked: AnalyzeQuestion,
    windows: tuple[Window, tuple[Window, ...]],
    priors: Mapping[tuple[str, FaultKind], float],
    limits: QueryLimits,
) -> AnalysisAnswer:
    """Return the root causes of a window; raises `EngineFailure`, and `Problem` for an unknown service."""
    require_known(store, "services", asked.services, limits)
    incident, baselines = windows
    question = Question(incident, baselines) if baselines else question_for(store, incident, limits)
    question = replace(question, focus=frozenset(asked.services))
    return analysis_answer(analyse(store, question, limits, priors))


def read_insights(
    store: ProjectStore, asked: InsightsQuestion, memory: Memory, limits: QueryLimits
) -> Insights:
    """Return what broke in the last minutes, the worst first; raises `EngineFailure`."""
    notes, knowledge = list(memory.notes), asked.settings.knowledge
    incidents = list(memory.incidents) or _detected(store, asked.window, memory, limits, notes)
    incidents.sort(key=lambda it: (_ORDER.index(it.severity), it.status, -it.started_at.timestamp()))
    lately = None if incidents else _lately(store, asked.window, limits, notes)
    window = _window_of(incidents[0]) if incidents else lately.window if lately else None
    looked = Looked(asked.window, asked.minutes, incidents, notes, analysed=window is not None)
    nothing = Analysis(Question(asked.window, ()), (), (), 0, 0, 0, 1, ())
    analysis = nothing
    if window is not None:
        others = [_window_of(each) for each in incidents[1:]]
        analysis = analyse(store, question_for(store, window, limits, others), limits, memory.priors)
    if not incidents and not (lately and lately.failing) and not _clear(analysis):
        told = calm(explain(store, nothing, (), limits, knowledge=knowledge), lately, asked.minutes)
        return insights_answer(looked, replace(analysis, root_causes=()), told)
    explanation = explain(store, analysis, _alike(memory, analysis, incidents), limits, knowledge=knowledge)
    if asked.settings.llm is not None:
        explanation = ask_model(
            asked.settings.llm,
            analysis,
            explanation,
            memory.corrections,
            store,
            limits,
            asked.deep,
            telemetry=asked.telemetry,
        )
    return insights_answer(looked, analysis, explanation)


def _detected(
    store: ProjectStore, window: Window, memory: Memory, limits: QueryLimits, notes: list[str]
) -> list[Incident]:
    """Return the incidents of the window that nobody has kept; of a long one, of its last hours."""
    searched = Window(max(window.start, window.end - LONGEST_SEARCHED), window.end)
    if searched != window:
        hours = LONGEST_SEARCHED // (60 * MINUTE)
        notes.append(f"no incident is kept of this time; the last {hours} hours were searched for some")
    kept = {each.id for each in memory.before}
    found = detect(store, searched, limits, memory.before)
    return [each if each.id in kept else replace(each, id="") for each in found]


def _window_of(incident: Incident) -> Window:
    """Return what is analysed of an incident: its first half hour, as far as something was wrong."""
    start, end = (
        (moment - _EPOCH) // timedelta(microseconds=1) * 1000
        for moment in (incident.started_at, incident.ended_at or incident.last_seen_at)
    )
    return Window(start, min(max(end, start + MINUTE), start + LONGEST_ANALYSED))


def _lately(store: ProjectStore, window: Window, limits: QueryLimits, notes: list[str]) -> Lately | None:
    """Return what is looked at without an incident, with a note why; None: there is no telemetry."""
    if not has_telemetry(store, window, limits):
        return None
    lately = read_lately(store, window, limits)
    notes += [lately.note] if lately.note else []
    return lately


def _clear(analysis: Analysis) -> bool:
    """Tell whether what was found without an incident is worth telling."""
    causes = analysis.root_causes
    return bool(analysis.symptoms) or bool(causes and causes[0].confidence >= _CLEAR)


def _alike(memory: Memory, analysis: Analysis, incidents: Sequence[Incident]) -> Sequence[PastIncident]:
    """Return earlier incidents like the one that is explained."""
    incident = incidents[0] if incidents else None
    causes = analysis.root_causes
    services = [causes[0].service] if causes else []
    services += [it for it in (incident.services if incident else ()) if it not in services]
    kind = causes[0].kind.value if causes else ""
    return memory.similar(services, kind, incident.id if incident else "") if services else ()
