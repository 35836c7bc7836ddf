"""Insights: what broke, where, since when and why, with evidence."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from glasshouse_collector.api.access import caller_of
from glasshouse_collector.api.insights.body import AnalyzeQuestion
from glasshouse_collector.api.insights.explanation_model import Insights
from glasshouse_collector.api.insights.feedback_model import LEAST_LOOKBACK, MOST_LOOKBACK
from glasshouse_collector.api.insights.limits import analysis_limits
from glasshouse_collector.api.insights.memory import remember, remembered_priors
from glasshouse_collector.api.insights.model import AnalysisAnswer
from glasshouse_collector.api.insights.reading import MINUTE, InsightsQuestion, read_analysis, read_insights
from glasshouse_collector.api.insights.remembered import Remembered
from glasshouse_collector.api.problems import BODY_PROBLEMS, PROBLEMS, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.core.components import Services
from glasshouse_collector.insights.llm.telemetry import ModelTelemetry
from glasshouse_collector.insights.settings import InsightsConfig
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import ProjectStore


def insight_routes(questions: Questions, services: Services) -> APIRouter:
    """Return `/insights` and `/insights/analyze`."""
    routes = APIRouter(tags=["insights"])
    remembered = Remembered(services)
    limits = analysis_limits(questions.limits)

    @routes.get(
        "/insights",
        summary="Say what broke lately",
        response_model=Insights,
        responses=answers(*PROBLEMS),
    )
    async def insights(
        request: Request,
        lookback_minutes: Annotated[
            int, Query(ge=LEAST_LOOKBACK, le=MOST_LOOKBACK, description="The last so many minutes.")
        ] = 60,
        deep_analysis: Annotated[
            bool, Query(description="Let a language model, where one is set up, look closer.")
        ] = False,
    ) -> Response:
        """Return what broke in the last minutes, where, since when and why, in words and with evidence.

        Of several incidents the worst is explained, by its first half hour. Where none is kept, incidents
        are looked for in the last two hours. Where nothing was wrong, it says so and names no cause.
        """
        now = time.time_ns()
        window = Window(now - lookback_minutes * MINUTE, now)
        telemetry = ModelTelemetry.of(services)
        asked = InsightsQuestion(window, lookback_minutes, deep_analysis, _settings(services), telemetry)
        project = caller_of(request).project

        def read(store: ProjectStore) -> Insights:
            memory = remember(remembered, project, window)
            return read_insights(store, asked, memory, limits)

        return await questions.answer(request, read)

    @routes.post(
        "/insights/analyze",
        summary="Find root causes in a window",
        response_model=AnalysisAnswer,
        responses=answers(*BODY_PROBLEMS),
    )
    async def analyze(request: Request, question: AnalyzeQuestion) -> Response:
        """Return what was the cause of what went wrong in a window, the likeliest first, with evidence.

        The window is compared with times when all was well: those that are named, else times before it
        and the same time of earlier days.
        """
        windows = question.windows()
        project = caller_of(request).project

        def read(store: ProjectStore) -> AnalysisAnswer:
            priors = remembered_priors(remembered, project)
            return read_analysis(store, question, windows, priors, limits)

        return await questions.answer(request, read)

    return routes


def _settings(services: Services) -> InsightsConfig:
    """Return the settings of the extension, the defaults where it does not run."""
    try:
        return services.get(InsightsConfig)
    except LookupError:
        return InsightsConfig()
