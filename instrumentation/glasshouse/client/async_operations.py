"""What can be asked; made of the API's description by glasshouse_collector.client_code."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from glasshouse.client import models
from glasshouse.client.calls import Call
from glasshouse.client.events import Event


class AsyncOperations:
    """Every operation of the API. `_ask`, `_each` and `_listen` are the client's own."""

    async def _ask(self, call: Call) -> Any:
        raise NotImplementedError

    def _each(self, call: Call, rows: str) -> AsyncIterator[Any]:
        raise NotImplementedError

    def _listen(self, call: Call) -> AsyncIterator[Event]:
        raise NotImplementedError

    async def alerts(
        self,
        *,
        status: Literal["firing", "resolved"] | None = None,
        severity: str | None = None,
        service: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> models.AlertList:
        """List alerts.

        from_: Started then or later, RFC 3339
        to: Started before then, RFC 3339
        limit: Alerts of one page
        cursor: `next` of the page before
        """
        answer: models.AlertList = await self._ask(
            Call(
                "GET",
                "/api/v1/alerts",
                parameters={
                    "status": status,
                    "severity": severity,
                    "service": service,
                    "from": from_,
                    "to": to,
                    "limit": limit,
                    "cursor": cursor,
                },
            )
        )
        return answer

    async def analyze(
        self,
        *,
        start: str,
        end: str,
        baseline_start: str | None = None,
        baseline_end: str | None = None,
        baselines: Sequence[models.BaselineAsked] | None = None,
        services: Sequence[str] | None = None,
    ) -> models.AnalysisAnswer:
        """Find root causes in a window.

        start: RFC 3339, or now, now-15m, now-1h, now-7d. Included
        end: Not included; at most 24 hours after `start`
        baseline_start: When all was well, from here; without a baseline, times are chosen: before
            the window, and the same time of earlier days
        baseline_end: To here, not included
        baselines: Several times when all was well, instead of the one
        services: Look for the cause among these alone
        """
        answer: models.AnalysisAnswer = await self._ask(
            Call(
                "POST",
                "/api/v1/insights/analyze",
                body={
                    "start": start,
                    "end": end,
                    "baseline_start": baseline_start,
                    "baseline_end": baseline_end,
                    "baselines": baselines,
                    "services": services,
                },
            )
        )
        return answer

    async def api_health(self) -> models.Health:
        """The same, where clients of the API look for it."""
        answer: models.Health = await self._ask(Call("GET", "/api/v1/health"))
        return answer

    async def attributes(
        self,
        *,
        signal: Literal["traces", "logs", "metrics"] | None = None,
        service_name: Sequence[str] | None = None,
        key: str | None = None,
        place: Literal["own", "resource", "scope"] | None = None,
        text: str | None = None,
        limit: int | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.AttributeKeys | models.AttributeValues:
        """List attributes, or the values of one.

        service_name: Of one of these services.
        key: The values of this one; after `resource.` the resource's.
        place: Only the records' own, or the resource's …
        text: In the key, or in the value; in either case.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.AttributeKeys | models.AttributeValues = await self._ask(
            Call(
                "GET",
                "/api/v1/attributes",
                parameters={
                    "signal": signal,
                    "service_name": service_name,
                    "key": key,
                    "place": place,
                    "text": text,
                    "limit": limit,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    async def compare_traces(self, *, a: str, b: str) -> models.TraceComparison:
        """Compare two traces.

        a: A trace's id, such as of a request that was fast.
        b: The id of the trace that is held against it.
        """
        answer: models.TraceComparison = await self._ask(
            Call("GET", "/api/v1/traces/compare", parameters={"a": a, "b": b})
        )
        return answer

    async def create_key(
        self,
        project_id: str,
        *,
        name: str | None = None,
        scopes: Sequence[models.Scope] | None = None,
        expires_at: str | None = None,
        records_per_second: int | None = None,
        bytes_per_day: int | None = None,
    ) -> models.CreatedKey:
        """Make a key.

        project_id: A project's id: a-z, 0-9 and dashes.
        name: For people: who uses it.
        scopes: `ingest`: send; `read`: ask; `admin`: both, and manage the project's keys.
        expires_at: RFC 3339; without it the key does not end.
        records_per_second: The most it may send.
        bytes_per_day: The most it may send on a day of UTC, uncompressed.
        """
        answer: models.CreatedKey = await self._ask(
            Call(
                "POST",
                "/api/v1/projects/{project_id}/keys",
                names={"project_id": project_id},
                body={
                    "name": name,
                    "scopes": scopes,
                    "expires_at": expires_at,
                    "records_per_second": records_per_second,
                    "bytes_per_day": bytes_per_day,
                },
            )
        )
        return answer

    async def create_project(
        self, *, name: str, description: str | None = None, project_id: str | None = None
    ) -> models.CreatedProject:
        """Make a project and its first key.

        name: For people.
        project_id: What stands with its records, for ever; made of the name where it is left out.
        """
        answer: models.CreatedProject = await self._ask(
            Call(
                "POST",
                "/api/v1/projects",
                body={"name": name, "description": description, "project_id": project_id},
            )
        )
        return answer

    async def delete_project(self, project_id: str) -> None:
        """Delete a project.

        project_id: A project's id: a-z, 0-9 and dashes.
        """
        await self._ask(Call("DELETE", "/api/v1/projects/{project_id}", names={"project_id": project_id}))

    async def error(
        self,
        error_id: str,
        *,
        limit: int | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.ErrorDetails:
        """Read one error and its last occurrences.

        error_id: The `id` of an error.
        limit: How many occurrences.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.ErrorDetails = await self._ask(
            Call(
                "GET",
                "/api/v1/errors/{error_id}",
                names={"error_id": error_id},
                parameters={"limit": limit, "start_time": start_time, "end_time": end_time},
            )
        )
        return answer

    async def errors(
        self,
        *,
        source: Literal["spans", "logs"] | None = None,
        sort: Literal["count", "last_seen", "first_seen", "new"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        service_name: Sequence[str] | None = None,
        type: str | None = None,
        text: str | None = None,
        environment: Sequence[str] | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.ErrorPage:
        """List errors.

        source: Told by events of spans, or by log records, alone.
        sort: Most frequent, last seen or longest known first; `new`: those seen in the range for
            the first time, the newest first.
        cursor: The `next_cursor` of the page before.
        service_name: Of one of these services.
        type: Of this type, with or without its package.
        text: In the type, the message or the place; in either case.
        environment: From one of these environments (`deployment.environment.name`).
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.ErrorPage = await self._ask(
            Call(
                "GET",
                "/api/v1/errors",
                parameters={
                    "source": source,
                    "sort": sort,
                    "limit": limit,
                    "cursor": cursor,
                    "service_name": service_name,
                    "type": type,
                    "text": text,
                    "environment": environment,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    def each_error(
        self,
        *,
        source: Literal["spans", "logs"] | None = None,
        sort: Literal["count", "last_seen", "first_seen", "new"] | None = None,
        limit: int | None = None,
        service_name: Sequence[str] | None = None,
        type: str | None = None,
        text: str | None = None,
        environment: Sequence[str] | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> AsyncIterator[models.ErrorGroup]:
        """List errors, page after page.

        source: Told by events of spans, or by log records, alone.
        sort: Most frequent, last seen or longest known first; `new`: those seen in the range for
            the first time, the newest first.
        service_name: Of one of these services.
        type: Of this type, with or without its package.
        text: In the type, the message or the place; in either case.
        environment: From one of these environments (`deployment.environment.name`).
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        return self._each(
            Call(
                "GET",
                "/api/v1/errors",
                parameters={
                    "source": source,
                    "sort": sort,
                    "limit": limit,
                    "service_name": service_name,
                    "type": type,
                    "text": text,
                    "environment": environment,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            ),
            "errors",
        )

    async def explain(self, trace_id: str) -> models.ExplainedTrace:
        """Explain one trace.

        trace_id: 32 hex digits, in either case
        """
        answer: models.ExplainedTrace = await self._ask(
            Call("GET", "/api/v1/traces/{trace_id}/explain", names={"trace_id": trace_id})
        )
        return answer

    async def export_trace(
        self, trace_id: str, *, signal: Literal["traces", "logs"] | None = None
    ) -> models.OtlpDocument:
        """Export one trace as OTLP.

        trace_id: 32 hex digits, in either case
        signal: traces: its spans; logs: its log records.
        """
        answer: models.OtlpDocument = await self._ask(
            Call(
                "GET",
                "/api/v1/traces/{trace_id}/export",
                names={"trace_id": trace_id},
                parameters={"signal": signal},
            )
        )
        return answer

    async def get_key(self, prefix: str) -> models.KeyDetails:
        """One key and what it sent.

        prefix: What a key is recognised by: its beginning, never the whole key.
        """
        answer: models.KeyDetails = await self._ask(
            Call("GET", "/api/v1/keys/{prefix}", names={"prefix": prefix})
        )
        return answer

    async def get_project(self, project_id: str) -> models.ProjectAnswer:
        """One project.

        project_id: A project's id: a-z, 0-9 and dashes.
        """
        answer: models.ProjectAnswer = await self._ask(
            Call("GET", "/api/v1/projects/{project_id}", names={"project_id": project_id})
        )
        return answer

    async def give_feedback(
        self,
        *,
        rating: Literal[-1, 1],
        incident_id: str | None = None,
        lookback_minutes: int | None = None,
        correction: str | None = None,
        service: str | None = None,
        kind: models.FaultKind | None = None,
    ) -> models.FeedbackShown:
        """Say whether insights helped.

        rating: 1: it helped; -1: it did not
        incident_id: Of this incident
        lookback_minutes: Of what `GET /insights` said of so many minutes
        correction: What was the cause, in your words; shown with similar incidents
        service: Where the cause was
        kind: What it was
        """
        answer: models.FeedbackShown = await self._ask(
            Call(
                "POST",
                "/api/v1/insights/feedback",
                body={
                    "rating": rating,
                    "incident_id": incident_id,
                    "lookback_minutes": lookback_minutes,
                    "correction": correction,
                    "service": service,
                    "kind": kind,
                },
            )
        )
        return answer

    async def incident(self, incident_id: str) -> models.IncidentDetails:
        """Read one incident.

        incident_id: The `id` of an incident.
        """
        answer: models.IncidentDetails = await self._ask(
            Call("GET", "/api/v1/incidents/{incident_id}", names={"incident_id": incident_id})
        )
        return answer

    async def incidents(
        self,
        *,
        status: Literal["open", "resolved"] | None = None,
        service_name: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.IncidentPage:
        """List incidents.

        status: Those that go on, or that ended.
        service_name: Those that touch this service.
        cursor: The `next_cursor` of the page before.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.IncidentPage = await self._ask(
            Call(
                "GET",
                "/api/v1/incidents",
                parameters={
                    "status": status,
                    "service_name": service_name,
                    "limit": limit,
                    "cursor": cursor,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    def each_incident(
        self,
        *,
        status: Literal["open", "resolved"] | None = None,
        service_name: str | None = None,
        limit: int | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> AsyncIterator[models.IncidentSummary]:
        """List incidents, page after page.

        status: Those that go on, or that ended.
        service_name: Those that touch this service.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        return self._each(
            Call(
                "GET",
                "/api/v1/incidents",
                parameters={
                    "status": status,
                    "service_name": service_name,
                    "limit": limit,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            ),
            "incidents",
        )

    async def insights(
        self, *, lookback_minutes: int | None = None, deep_analysis: bool | None = None
    ) -> models.Insights:
        """Say what broke lately.

        lookback_minutes: The last so many minutes.
        deep_analysis: Let a language model, where one is set up, look closer.
        """
        answer: models.Insights = await self._ask(
            Call(
                "GET",
                "/api/v1/insights",
                parameters={"lookback_minutes": lookback_minutes, "deep_analysis": deep_analysis},
            )
        )
        return answer

    async def list_feedback(
        self, *, incident_id: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> models.FeedbackPage:
        """List what users said of insights.

        incident_id: Of this incident alone.
        cursor: The `next_cursor` of the page before.
        """
        answer: models.FeedbackPage = await self._ask(
            Call(
                "GET",
                "/api/v1/insights/feedback",
                parameters={"incident_id": incident_id, "limit": limit, "cursor": cursor},
            )
        )
        return answer

    def each_list_feedback(
        self, *, incident_id: str | None = None, limit: int | None = None
    ) -> AsyncIterator[models.FeedbackShown]:
        """List what users said of insights, page after page.

        incident_id: Of this incident alone.
        """
        return self._each(
            Call("GET", "/api/v1/insights/feedback", parameters={"incident_id": incident_id, "limit": limit}),
            "feedback",
        )

    async def list_keys(self, project_id: str) -> models.KeyList:
        """A project's keys.

        project_id: A project's id: a-z, 0-9 and dashes.
        """
        answer: models.KeyList = await self._ask(
            Call("GET", "/api/v1/projects/{project_id}/keys", names={"project_id": project_id})
        )
        return answer

    async def list_projects(self) -> models.ProjectList:
        """Projects."""
        answer: models.ProjectList = await self._ask(Call("GET", "/api/v1/projects"))
        return answer

    async def log_context(self, log_id: str, *, lines: int | None = None) -> models.LogContext:
        """Read the log records around one.

        log_id: The `id` of a log record.
        lines: How many before, and after.
        """
        answer: models.LogContext = await self._ask(
            Call(
                "GET", "/api/v1/logs/{log_id}/context", names={"log_id": log_id}, parameters={"lines": lines}
            )
        )
        return answer

    async def log_histogram(
        self,
        *,
        steps: int | None = None,
        level: Sequence[str] | None = None,
        service_name: Sequence[str] | None = None,
        text: str | None = None,
        attribute: Sequence[str] | None = None,
        trace_id: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.LogHistogram:
        """Count log records by time and level.

        steps: Into how many steps at most.
        level: trace, debug, info, warn, error, fatal; one: it and all above, several: just these.
        service_name: One of these services.
        text: Words and "phrases", all of them in the body, in either case; or /a regex/.
        attribute: Of an attribute: `key=value`, `key!=value`, `key>5`, `key` (it is there), `!key`;
            after `resource.` the resource's.
        trace_id: 32 hex digits: of this trace.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.LogHistogram = await self._ask(
            Call(
                "GET",
                "/api/v1/logs/histogram",
                parameters={
                    "steps": steps,
                    "level": level,
                    "service_name": service_name,
                    "text": text,
                    "attribute": attribute,
                    "trace_id": trace_id,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    async def log_patterns(
        self,
        *,
        limit: int | None = None,
        level: Sequence[str] | None = None,
        service_name: Sequence[str] | None = None,
        text: str | None = None,
        attribute: Sequence[str] | None = None,
        trace_id: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.LogPatterns:
        """Find what log records say again and again.

        limit: How many at most.
        level: trace, debug, info, warn, error, fatal; one: it and all above, several: just these.
        service_name: One of these services.
        text: Words and "phrases", all of them in the body, in either case; or /a regex/.
        attribute: Of an attribute: `key=value`, `key!=value`, `key>5`, `key` (it is there), `!key`;
            after `resource.` the resource's.
        trace_id: 32 hex digits: of this trace.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.LogPatterns = await self._ask(
            Call(
                "GET",
                "/api/v1/logs/patterns",
                parameters={
                    "limit": limit,
                    "level": level,
                    "service_name": service_name,
                    "text": text,
                    "attribute": attribute,
                    "trace_id": trace_id,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    async def logs(
        self,
        *,
        order: Literal["newest", "oldest"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        level: Sequence[str] | None = None,
        service_name: Sequence[str] | None = None,
        text: str | None = None,
        attribute: Sequence[str] | None = None,
        trace_id: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.LogPage:
        """Read log records.

        cursor: The `next_cursor` of the page before.
        level: trace, debug, info, warn, error, fatal; one: it and all above, several: just these.
        service_name: One of these services.
        text: Words and "phrases", all of them in the body, in either case; or /a regex/.
        attribute: Of an attribute: `key=value`, `key!=value`, `key>5`, `key` (it is there), `!key`;
            after `resource.` the resource's.
        trace_id: 32 hex digits: of this trace.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.LogPage = await self._ask(
            Call(
                "GET",
                "/api/v1/logs",
                parameters={
                    "order": order,
                    "limit": limit,
                    "cursor": cursor,
                    "level": level,
                    "service_name": service_name,
                    "text": text,
                    "attribute": attribute,
                    "trace_id": trace_id,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    def each_log(
        self,
        *,
        order: Literal["newest", "oldest"] | None = None,
        limit: int | None = None,
        level: Sequence[str] | None = None,
        service_name: Sequence[str] | None = None,
        text: str | None = None,
        attribute: Sequence[str] | None = None,
        trace_id: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> AsyncIterator[models.LogRecord]:
        """Read log records, page after page.

        level: trace, debug, info, warn, error, fatal; one: it and all above, several: just these.
        service_name: One of these services.
        text: Words and "phrases", all of them in the body, in either case; or /a regex/.
        attribute: Of an attribute: `key=value`, `key!=value`, `key>5`, `key` (it is there), `!key`;
            after `resource.` the resource's.
        trace_id: 32 hex digits: of this trace.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        return self._each(
            Call(
                "GET",
                "/api/v1/logs",
                parameters={
                    "order": order,
                    "limit": limit,
                    "level": level,
                    "service_name": service_name,
                    "text": text,
                    "attribute": attribute,
                    "trace_id": trace_id,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            ),
            "logs",
        )

    async def metric(
        self, name: str, *, start_time: str | None = None, end_time: str | None = None
    ) -> models.MetricDetails:
        """Read about a metric.

        name: As it was sent.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.MetricDetails = await self._ask(
            Call(
                "GET",
                "/api/v1/metrics/{name}",
                names={"name": name},
                parameters={"start_time": start_time, "end_time": end_time},
            )
        )
        return answer

    async def metric_names(
        self,
        *,
        text: str | None = None,
        service_name: Sequence[str] | None = None,
        kind: models.Kind | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.MetricNames:
        """List metrics.

        text: A part of the name, in either case.
        service_name: Sent by one of these services.
        kind: Of this kind.
        cursor: The `next_cursor` of the page before.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.MetricNames = await self._ask(
            Call(
                "GET",
                "/api/v1/metrics/names",
                parameters={
                    "text": text,
                    "service_name": service_name,
                    "kind": kind,
                    "limit": limit,
                    "cursor": cursor,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    def each_metric_name(
        self,
        *,
        text: str | None = None,
        service_name: Sequence[str] | None = None,
        kind: models.Kind | None = None,
        limit: int | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> AsyncIterator[models.MetricName]:
        """List metrics, page after page.

        text: A part of the name, in either case.
        service_name: Sent by one of these services.
        kind: Of this kind.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        return self._each(
            Call(
                "GET",
                "/api/v1/metrics/names",
                parameters={
                    "text": text,
                    "service_name": service_name,
                    "kind": kind,
                    "limit": limit,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            ),
            "metrics",
        )

    async def query_formula(
        self,
        *,
        queries: Mapping[str, Any],
        formula: str,
        start_time: str | None = None,
        end_time: str | None = None,
        step: str | None = None,
        steps: int | None = None,
        fill: Literal["null", "zero", "previous", "linear"] | None = None,
        limit: int | None = None,
    ) -> models.MetricAnswer:
        """Compute with metrics over time.

        queries: Queries by the names that the formula calls them
        formula: Numbers, names of queries, + - * / and brackets
        start_time: RFC 3339, or now-15m, now-1h, now-7d
        end_time: Not included
        step: How long a step is; without it, `steps` decides
        steps: Into how many steps at most, of a length that people count in
        fill: What steps without a value have: null, zero, the value before (previous), or one on
            the line between its neighbours (linear)
        limit: How many series at most, the largest first
        """
        answer: models.MetricAnswer = await self._ask(
            Call(
                "POST",
                "/api/v1/metrics/formula",
                body={
                    "queries": queries,
                    "formula": formula,
                    "start_time": start_time,
                    "end_time": end_time,
                    "step": step,
                    "steps": steps,
                    "fill": fill,
                    "limit": limit,
                },
            )
        )
        return answer

    async def query_metrics(
        self,
        *,
        name: str,
        function: str,
        start_time: str | None = None,
        end_time: str | None = None,
        step: str | None = None,
        steps: int | None = None,
        fill: Literal["null", "zero", "previous", "linear"] | None = None,
        limit: int | None = None,
        quantile: float | None = None,
        kind: models.Kind | None = None,
        service_name: Sequence[str] | None = None,
        where: Sequence[str] | None = None,
        group_by: Sequence[str] | None = None,
        exemplars: bool | None = None,
    ) -> models.MetricAnswer:
        """Ask for a metric over time.

        name: The metric's name, as it was sent
        function: rate, increase, sum, avg, min, max, last, count, p50, p90, p99.9, or quantile
        start_time: RFC 3339, or now-15m, now-1h, now-7d
        end_time: Not included
        step: How long a step is; without it, `steps` decides
        steps: Into how many steps at most, of a length that people count in
        fill: What steps without a value have: null, zero, the value before (previous), or one on
            the line between its neighbours (linear)
        limit: How many series at most, the largest first
        quantile: With the function `quantile`: which, from 0 to 1
        kind: Needed where one name is of several kinds
        service_name: Of one of these services
        where: Of attributes, all of it: `key=value`, `key!=value`, `key>5`, `key`, `!key`; after
            `resource.` the resource's
        group_by: One series for each value of these attributes; also `service_name` and
            `resource.…`
        exemplars: Tell measurements with the traces they were made in
        """
        answer: models.MetricAnswer = await self._ask(
            Call(
                "POST",
                "/api/v1/metrics/query",
                body={
                    "name": name,
                    "function": function,
                    "start_time": start_time,
                    "end_time": end_time,
                    "step": step,
                    "steps": steps,
                    "fill": fill,
                    "limit": limit,
                    "quantile": quantile,
                    "kind": kind,
                    "service_name": service_name,
                    "where": where,
                    "group_by": group_by,
                    "exemplars": exemplars,
                },
            )
        )
        return answer

    async def revoke_key(self, prefix: str, *, after_seconds: int | None = None) -> models.KeyAnswer:
        """Revoke a key.

        prefix: What a key is recognised by: its beginning, never the whole key.
        after_seconds: In how long it ends; without it, at once.
        """
        answer: models.KeyAnswer = await self._ask(
            Call(
                "DELETE",
                "/api/v1/keys/{prefix}",
                names={"prefix": prefix},
                parameters={"after_seconds": after_seconds},
            )
        )
        return answer

    async def rotate_key(self, prefix: str) -> models.CreatedKey:
        """Replace a key.

        prefix: What a key is recognised by: its beginning, never the whole key.
        """
        answer: models.CreatedKey = await self._ask(
            Call("POST", "/api/v1/keys/{prefix}/rotate", names={"prefix": prefix})
        )
        return answer

    async def send_logs(self) -> models.IngestAnswer:
        """Send log items as project-monitor-sdk does."""
        answer: models.IngestAnswer = await self._ask(Call("POST", "/api/v1/logs"))
        return answer

    async def service(
        self,
        service_name: str,
        *,
        sort: Literal["calls", "errors", "error_ratio", "p95", "name"] | None = None,
        limit: int | None = None,
        lookback_minutes: int | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.ServiceDetail:
        """Read one service.

        service_name: Its `service.name`
        sort: Which operations come first.
        limit: How many operations.
        lookback_minutes: The last so many minutes, instead of start_time and end_time; 1440 without
            either.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.ServiceDetail = await self._ask(
            Call(
                "GET",
                "/api/v1/services/{service_name}",
                names={"service_name": service_name},
                parameters={
                    "sort": sort,
                    "limit": limit,
                    "lookback_minutes": lookback_minutes,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    async def service_map(
        self, *, limit: int | None = None, start_time: str | None = None, end_time: str | None = None
    ) -> models.ServiceMap:
        """Read who calls whom.

        limit: How many edges.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.ServiceMap = await self._ask(
            Call(
                "GET",
                "/api/v1/service-map",
                parameters={"limit": limit, "start_time": start_time, "end_time": end_time},
            )
        )
        return answer

    async def services(
        self,
        *,
        limit: int | None = None,
        lookback_minutes: int | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.ServiceList:
        """List services.

        lookback_minutes: The last so many minutes, instead of start_time and end_time; 1440 without
            either.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.ServiceList = await self._ask(
            Call(
                "GET",
                "/api/v1/services",
                parameters={
                    "limit": limit,
                    "lookback_minutes": lookback_minutes,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    async def sql(
        self, *, query: str, parameters: Mapping[str, str | int | float | bool] | None = None
    ) -> models.SqlAnswer:
        """Ask in SQL.

        query: One SELECT, SHOW, DESCRIBE or EXPLAIN in ClickHouse's SQL.
        parameters: Values for `{name:Type}` in the query; never put a value into the text itself.
        """
        answer: models.SqlAnswer = await self._ask(
            Call("POST", "/api/v1/sql", body={"query": query, "parameters": parameters})
        )
        return answer

    def tail_logs(
        self,
        *,
        last: int | None = None,
        cursor: str | None = None,
        level: Sequence[str] | None = None,
        service_name: Sequence[str] | None = None,
        text: str | None = None,
        attribute: Sequence[str] | None = None,
        trace_id: str | None = None,
    ) -> AsyncIterator[Event]:
        """Follow log records live.

        last: How many of before, at first.
        cursor: The id of an event: go on after it.
        level: trace, debug, info, warn, error, fatal; one: it and all above, several: just these.
        service_name: One of these services.
        text: Words and "phrases", all of them in the body, in either case; or /a regex/.
        attribute: Of an attribute: `key=value`, `key!=value`, `key>5`, `key` (it is there), `!key`;
            after `resource.` the resource's.
        trace_id: 32 hex digits: of this trace.
        """
        return self._listen(
            Call(
                "GET",
                "/api/v1/logs/tail",
                parameters={
                    "last": last,
                    "cursor": cursor,
                    "level": level,
                    "service_name": service_name,
                    "text": text,
                    "attribute": attribute,
                    "trace_id": trace_id,
                },
            )
        )

    async def trace(self, trace_id: str) -> models.Trace:
        """Read one trace.

        trace_id: 32 hex digits, in either case
        """
        answer: models.Trace = await self._ask(
            Call("GET", "/api/v1/traces/{trace_id}", names={"trace_id": trace_id})
        )
        return answer

    async def traces(
        self,
        *,
        sort: Literal["newest", "oldest", "longest", "shortest", "most_spans", "most_errors"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        service_name: Sequence[str] | None = None,
        operation: Sequence[str] | None = None,
        span_kind: Sequence[Literal["server", "client", "internal", "producer", "consumer", "unspecified"]]
        | None = None,
        min_span_duration: str | None = None,
        max_span_duration: str | None = None,
        attribute: Sequence[str] | None = None,
        min_duration: str | None = None,
        max_duration: str | None = None,
        status: Literal["error", "ok", "unset"] | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> models.TracePage:
        """Find traces.

        sort: newest and oldest look through no more than they need, the others through all.
        cursor: The `next_cursor` of the page before.
        service_name: With a span of one of these services.
        operation: With a span of one of these names.
        span_kind: With a span of one of these kinds.
        min_span_duration: With a span that takes at least so long: a number with ns, us, ms, s, m
            or h, such as 250ms, 1.5s or 3m. Service, operation, kind and the duration of a span are
            demanded of one and the same span.
        max_span_duration: With a span that takes at most so long.
        attribute: With a span that has an attribute: `key=value`, `key>5`, `key` (it is there);
            after `resource.` its resource's. Several may hold on different spans. `key!=value` and
            `!key`: no span has it.
        min_duration: That takes at least so long as a whole: a number with ns, us, ms, s, m or h,
            such as 250ms, 1.5s or 3m.
        max_duration: That takes at most so long as a whole.
        status: error: a span failed; ok: none did, and one is told to be Ok; unset: neither.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        answer: models.TracePage = await self._ask(
            Call(
                "GET",
                "/api/v1/traces",
                parameters={
                    "sort": sort,
                    "limit": limit,
                    "cursor": cursor,
                    "service_name": service_name,
                    "operation": operation,
                    "span_kind": span_kind,
                    "min_span_duration": min_span_duration,
                    "max_span_duration": max_span_duration,
                    "attribute": attribute,
                    "min_duration": min_duration,
                    "max_duration": max_duration,
                    "status": status,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            )
        )
        return answer

    def each_trace(
        self,
        *,
        sort: Literal["newest", "oldest", "longest", "shortest", "most_spans", "most_errors"] | None = None,
        limit: int | None = None,
        service_name: Sequence[str] | None = None,
        operation: Sequence[str] | None = None,
        span_kind: Sequence[Literal["server", "client", "internal", "producer", "consumer", "unspecified"]]
        | None = None,
        min_span_duration: str | None = None,
        max_span_duration: str | None = None,
        attribute: Sequence[str] | None = None,
        min_duration: str | None = None,
        max_duration: str | None = None,
        status: Literal["error", "ok", "unset"] | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
    ) -> AsyncIterator[models.TraceSummary]:
        """Find traces, page after page.

        sort: newest and oldest look through no more than they need, the others through all.
        service_name: With a span of one of these services.
        operation: With a span of one of these names.
        span_kind: With a span of one of these kinds.
        min_span_duration: With a span that takes at least so long: a number with ns, us, ms, s, m
            or h, such as 250ms, 1.5s or 3m. Service, operation, kind and the duration of a span are
            demanded of one and the same span.
        max_span_duration: With a span that takes at most so long.
        attribute: With a span that has an attribute: `key=value`, `key>5`, `key` (it is there);
            after `resource.` its resource's. Several may hold on different spans. `key!=value` and
            `!key`: no span has it.
        min_duration: That takes at least so long as a whole: a number with ns, us, ms, s, m or h,
            such as 250ms, 1.5s or 3m.
        max_duration: That takes at most so long as a whole.
        status: error: a span failed; ok: none did, and one is told to be Ok; unset: neither.
        start_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Included.
        end_time: A time: RFC 3339 such as 2026-11-21T12:00:00Z, or now, now-15m, now-1h, now-7d.
            Not included.
        """
        return self._each(
            Call(
                "GET",
                "/api/v1/traces",
                parameters={
                    "sort": sort,
                    "limit": limit,
                    "service_name": service_name,
                    "operation": operation,
                    "span_kind": span_kind,
                    "min_span_duration": min_span_duration,
                    "max_span_duration": max_span_duration,
                    "attribute": attribute,
                    "min_duration": min_duration,
                    "max_duration": max_duration,
                    "status": status,
                    "start_time": start_time,
                    "end_time": end_time,
                },
            ),
            "traces",
        )
