"""`POST /api/v1/alerts/webhook` and `GET /api/v1/alerts`."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Depends, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from glasshouse_alerts.alert_answers import AlertList, Stored, answer, cursor_after, place_of
from glasshouse_alerts.alert_rows import TABLE, AlertFilter, Place, list_alerts, rows_of
from glasshouse_alerts.traces_of_the_time import traces_of
from glasshouse_alerts.webhook_access import AlertAccess
from glasshouse_alerts.webhook_payload import EXAMPLE, AlertStatus, Notification
from glasshouse_collector.core.access import Caller
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Retryable
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.store import Store
from glasshouse_collector.store.engine import EngineFailure

T = TypeVar("T")

_AT_ONCE = 4
"""Requests that use the store at once; one more waits."""
_RETRY_AFTER = {"Retry-After": "2"}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
_Text = Annotated[str | None, Field(max_length=4096)]


class AlertQuestion(BaseModel):
    """Which alerts to list; what is not given is any."""

    model_config = ConfigDict(extra="forbid")

    status: AlertStatus | None = None
    severity: _Text = None
    service: _Text = None
    project: _Text = None
    since: AwareDatetime | None = Field(None, alias="from", description="Started then or later, RFC 3339")
    until: AwareDatetime | None = Field(None, alias="to", description="Started before then, RFC 3339")
    limit: int = Field(100, ge=1, le=1000, description="Alerts of one page")
    cursor: _Text = Field(None, description="`next` of the page before")

    @property
    def wanted(self) -> AlertFilter:
        """What the store is asked for."""
        return AlertFilter(self.status, self.severity, self.service, self.project, self.since, self.until)


def alert_routes(services: Services, access: AlertAccess, trace_links: int) -> APIRouter:
    """Return the routes; `trace_links` is the most traces that one alert gets."""
    routes = APIRouter(prefix="/api/v1", tags=["alerts"])
    desk = AlertDesk(services, trace_links)

    @routes.post(
        "/alerts/webhook",
        summary="Take a notification of Alertmanager",
        responses=_answers(HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    )
    async def webhook(
        notification: Annotated[Notification, Body(examples=[EXAMPLE])],
        sender: Annotated[Caller, Depends(access.teller)],
    ) -> Stored:
        """Keep every alert of the notification, firing or resolved; told again, each is kept once.

        The answer comes when the alerts are in the store. Where that is away it is a 503, upon
        which Alertmanager tries again.
        """
        return await desk.keep(notification, sender)

    @routes.get("/alerts", summary="List alerts", responses=_answers())
    async def alerts(
        question: Annotated[AlertQuestion, Query()], asker: Annotated[Caller, Depends(access.asker)]
    ) -> AlertList:
        """List alerts, those that started last first, each as it was last told.

        A project's key lists that project's; the operator, and everyone as long as there are no keys,
        those of all projects, or of the one that is named.
        """
        return await desk.list(_within(question, asker), _place(question.cursor))

    return routes


class AlertDesk:
    """Brings notifications to the store and lists from it, a few at a time, in threads."""

    def __init__(self, services: Services, trace_links: int) -> None:
        self._services = services
        self._trace_links = trace_links
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def keep(self, notification: Notification, sender: Caller) -> Stored:
        """Return once every alert is in the store; 503 where it is not."""
        await self._ask(lambda store: self._keep(store, notification, sender))
        metrics = self._services.get(Metrics)
        for alert in notification.alerts:
            metrics.alerts_received.labels(alert.status).inc()
        return Stored(alerts=len(notification.alerts))

    async def list(self, question: AlertQuestion, after: Place | None) -> AlertList:
        """Return one page."""
        limit = question.limit
        rows = await self._ask(lambda store: list_alerts(store, question.wanted, limit + 1, after))
        now = datetime.now(UTC)
        return AlertList(
            alerts=[answer(row, now) for row in rows[:limit]],
            next=cursor_after(rows[limit - 1]) if len(rows) > limit else None,
        )

    def _keep(self, store: Store, notification: Notification, sender: Caller) -> None:
        now = datetime.now(UTC)
        traces = traces_of(store, notification.alerts, sender, now, self._trace_links)
        store.append(TABLE, rows_of(notification, sender, now, traces))

    async def _ask(self, question: Callable[[Store], T]) -> T:
        try:
            store = self._services.get(Store)
        except LookupError:
            raise _away("the store is not connected yet") from None
        async with self._turns:
            try:
                return await run_in_threadpool(question, store)
            except Retryable as away:
                raise _away(str(away)) from None
            except EngineFailure as failure:
                if failure.code is None:
                    raise _away(str(failure)) from None
                raise


def _within(question: AlertQuestion, asker: Caller) -> AlertQuestion:
    """Return the question as the asker may ask it; 403 for another project than the key's."""
    if asker.everywhere:
        return question
    if question.project not in (None, asker.project):
        raise HTTPException(HTTPStatus.FORBIDDEN, f"project: this key sees the project {asker.project} alone")
    return question.model_copy(update={"project": asker.project})


def _away(reason: str) -> HTTPException:
    detail = " ".join(reason.split())[:2000]
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=_RETRY_AFTER)


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    try:
        return place_of(cursor)
    except ValueError as wrong:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"query.cursor: {wrong}; send `next` of a page as it was given"
        ) from None


def _answers(*more: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Describe the problems a route may answer with; the API makes them of what is raised here."""
    statuses = (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
        *more,
    )
    return {int(each): {"description": each.phrase, "content": _PROBLEM} for each in statuses}
