"""LLM cost: what language models cost, by model, feature and day, and how they do."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards.expressions import part_of, quantile, rate
from glasshouse_dashboards.frame import (
    LLM_COST,
    Frame,
    Section,
    clickhouse_source,
    label_values,
    prometheus_source,
    store_values,
    text,
    to_service,
    to_trace,
)
from glasshouse_dashboards.panels import (
    COUNT,
    ERRORS,
    YELLOW,
    AnyPanel,
    Column,
    Scale,
    graph,
    number,
    ranking,
    rows,
)
from glasshouse_dashboards.queries import Sql, over_time

_DOLLARS = Scale("currencyUSD", least=0)
_TOKENS = Scale("short", least=0)
_UNPRICED = Scale("short", ((1, YELLOW),), least=0)
_DURATION = Scale("s", ((5, YELLOW), (20, "red")), least=0)

_USAGE = "gen_ai_client_token_usage"
_METRICS = 'project=~"$project",service_name=~"$service",gen_ai_request_model=~"$model"'

# One row a call of a model, priced. Spans of agents and tools are left out: they repeat the tokens of the
# calls that they make. What a call cost is what its span says (gen_ai.usage.cost), else its tokens at the
# prices given. The feature is the span's attribute `feature`, else the request that the service was serving.
_CALLS = """WITH extractKeyValuePairs(${prices:sqlstring}, '=', ', ') AS prices, calls AS (
  SELECT Timestamp, TraceId, ServiceName AS Service, Duration / 1e9 AS Seconds,
    StatusCode = 'Error' AS Failed, SpanAttributes['gen_ai.request.model'] AS Model,
    SpanAttributes['feature'] AS OwnFeature,
    coalesce(nullIf(SpanAttributes['gen_ai.conversation.id'], ''), nullIf(SpanAttributes['session.id'], ''),
      TraceId) AS Conversation,
    toUInt64OrZero(SpanAttributes['gen_ai.usage.input_tokens']) AS InputTokens,
    toUInt64OrZero(SpanAttributes['gen_ai.usage.output_tokens']) AS OutputTokens,
    mapContains(SpanAttributes, 'gen_ai.usage.cost') OR mapContains(prices, Model) AS Priced,
    if(mapContains(SpanAttributes, 'gen_ai.usage.cost'), toFloat64OrZero(SpanAttributes['gen_ai.usage.cost']),
      (InputTokens * toFloat64OrZero(splitByChar('/', prices[Model])[1])
        + OutputTokens * toFloat64OrZero(splitByChar('/', prices[Model])[2])) / 1e6) AS Dollars
  FROM otel_traces
  WHERE @chosen)"""

_CHOSEN = """$__timeFilter(Timestamp) AND mapContains(SpanAttributes, 'gen_ai.request.model')
    AND SpanAttributes['gen_ai.operation.name']
      NOT IN ('create_agent', 'invoke_agent', 'invoke_workflow', 'execute_tool')
    AND match(Project, concat('^(', '${project:pipe}', ')$'))
    AND match(ServiceName, concat('^(', '${service:pipe}', ')$'))
    AND $__conditionalAll(SpanAttributes['gen_ai.request.model'] IN (${model:sqlstring}), $model)"""

_FEATURES = """, entries AS (
  SELECT TraceId, ServiceName AS Service, argMin(SpanName, Timestamp) AS Entry
  FROM otel_traces
  WHERE $__timeFilter(Timestamp) AND SpanKind IN ('Server', 'Consumer')
    AND TraceId IN (SELECT TraceId FROM calls)
  GROUP BY TraceId, Service)"""

_FEATURE = "multiIf(OwnFeature != '', OwnFeature, Entry != '', Entry, 'unknown')"

_TOTALS = "@calls SELECT sum(Dollars) AS cost FROM calls"
_A_CALL = "@calls SELECT sum(Dollars) / count() AS cost FROM calls WHERE Priced"
_A_CONVERSATION = "@calls SELECT sum(Dollars) / uniqExact(Conversation) AS cost FROM calls WHERE Priced"
_COUNT = "@calls SELECT count() AS calls FROM calls"
_UNPRICED_TOKENS = "@calls SELECT sum(InputTokens + OutputTokens) AS tokens FROM calls WHERE NOT Priced"

_BY_DAY = """@calls
SELECT toStartOfDay(toDateTime(Timestamp)) AS time, Model AS model, sum(Dollars) AS cost
FROM calls GROUP BY time, model ORDER BY time
"""

_FEATURES_BY_DAY = """@calls@features
SELECT toStartOfDay(toDateTime(Timestamp)) AS time, @feature AS feature, sum(Dollars) AS cost
FROM calls LEFT JOIN entries USING (TraceId, Service) GROUP BY time, feature ORDER BY time
"""

_OVER_TIME = """@calls
SELECT $__timeInterval(Timestamp) AS time, Model AS model, sum(Dollars) AS cost
FROM calls GROUP BY time, model ORDER BY time
"""

_MODELS = """@calls
SELECT Model, count() AS Calls, avg(Failed) AS Errors, sum(InputTokens) AS Input, sum(OutputTokens) AS Output,
  sum(Dollars) AS Cost, sum(Dollars) / count() AS `Cost a call`, quantile(0.95)(Seconds) AS p95
FROM calls GROUP BY Model ORDER BY Cost DESC
"""

_FEATURE_ROWS = """@calls@features
SELECT @feature AS Feature, Service, count() AS Calls, avg(Failed) AS Errors, sum(InputTokens) AS Input,
  sum(OutputTokens) AS Output, sum(Dollars) AS Cost, sum(Dollars) / count() AS `Cost a call`
FROM calls LEFT JOIN entries USING (TraceId, Service) GROUP BY Feature, Service ORDER BY Cost DESC LIMIT 100
"""

_FEATURE_BARS = """@calls@features
SELECT @feature AS feature, sum(Dollars) AS cost
FROM calls LEFT JOIN entries USING (TraceId, Service) GROUP BY feature ORDER BY cost DESC LIMIT 15
"""

_NEWEST = """@calls@features
SELECT Timestamp AS Time, Model, @feature AS Feature, Service, InputTokens AS Input, OutputTokens AS Output,
  Dollars AS Cost, Seconds, Failed, TraceId AS Trace
FROM calls LEFT JOIN entries USING (TraceId, Service) ORDER BY Time DESC LIMIT 100
"""


def llm_cost() -> Dashboard:
    """Return the dashboard."""
    return _FRAME.around(
        Section("In all", _in_all()),
        Section("By model", _by_model()),
        Section("By feature", _by_feature()),
        Section("Speed and errors", _speed()),
    )


_FRAME = Frame(
    uid=LLM_COST,
    title="LLM cost",
    description="What language models cost, by model, feature and day.",
    since="now-7d",
    refresh="5m",
    variables=(
        prometheus_source(),
        clickhouse_source(),
        label_values("project", f"{_USAGE}_count", "project", what="Whose telemetry."),
        label_values(
            "service", f'{_USAGE}_count{{project=~"$project"}}', "service_name", what="Who calls models."
        ),
        store_values(
            "model",
            "SELECT DISTINCT SpanAttributes['gen_ai.request.model'] AS model FROM otel_traces "
            "WHERE $__timeFilter(Timestamp) AND mapContains(SpanAttributes, 'gen_ai.request.model')",
            what="The model that was asked for (gen_ai.request.model).",
        ),
        text(
            "prices",
            "Prices",
            "shop-small=0.15/0.60",
            what="Dollars for a million tokens in and out, by model: model=in/out, model=in/out. "
            "The price of shop-small, the demo's model, is made up.",
        ),
    ),
)

_COLUMNS = {
    "Errors": Column(ERRORS),
    "Cost": Column(_DOLLARS),
    "Cost a call": Column(_DOLLARS),
    "p95": Column(_DURATION),
    "Seconds": Column(_DURATION),
    "Service": Column(link=to_service()),
    "Trace": Column(link=to_trace()),
}


def _in_all() -> tuple[AnyPanel, ...]:
    return (
        number("Cost", "Of all calls in the time shown.", _DOLLARS, Sql(_filled(_TOTALS)), wide=5),
        number(
            "Cost a call", "Mean of the calls whose price is known.", _DOLLARS, Sql(_filled(_A_CALL)), wide=5
        ),
        number(
            "Cost a conversation",
            "A conversation is what has one gen_ai.conversation.id, else one session.id, else one trace.",
            _DOLLARS,
            Sql(_filled(_A_CONVERSATION)),
            wide=5,
        ),
        number("Calls", "Calls of models.", COUNT, Sql(_filled(_COUNT)), wide=4),
        number(
            "Tokens without a price",
            "Of models that 'Prices' does not name; no part of the cost.",
            _UNPRICED,
            Sql(_filled(_UNPRICED_TOKENS)),
            wide=5,
        ),
        graph(
            "Cost by day and model",
            "Dollars a day (UTC).",
            _DOLLARS,
            Sql(_filled(_BY_DAY), "timeseries"),
            stacked=True,
            bars=True,
        ),
        graph(
            "Cost by day and feature",
            "Dollars a day (UTC).",
            _DOLLARS,
            Sql(_filled(_FEATURES_BY_DAY), "timeseries"),
            stacked=True,
            bars=True,
        ),
    )


def _by_model() -> tuple[AnyPanel, ...]:
    tokens = rate(f"{_USAGE}_sum", _METRICS, "gen_ai_request_model, gen_ai_token_type")
    return (
        rows("Models", "Calls, tokens and cost of each model.", Sql(_filled(_MODELS)), _COLUMNS),
        graph(
            "Cost over time",
            "Dollars in each interval, by model.",
            _DOLLARS,
            Sql(_filled(_OVER_TIME), "timeseries"),
            stacked=True,
        ),
        graph(
            "Tokens",
            "Tokens a second, by model and direction, from the applications' metrics.",
            _TOKENS,
            over_time(tokens, "{{gen_ai_request_model}} {{gen_ai_token_type}}"),
            stacked=True,
        ),
    )


def _by_feature() -> tuple[AnyPanel, ...]:
    what = "The span's attribute `feature`, or else the request in which the service called the model."
    return (
        ranking("Dearest features", what, _DOLLARS, Sql(_filled(_FEATURE_BARS)), wide=8),
        rows("Features", what, Sql(_filled(_FEATURE_ROWS)), _COLUMNS, wide=16, high=8),
    )


def _speed() -> tuple[AnyPanel, ...]:
    took = "gen_ai_client_operation_duration_seconds"
    by = "gen_ai_request_model"
    failed = rate(f"{took}_count", f'{_METRICS},error_type!=""', by)
    asked = rate(f"{took}_count", _METRICS, by)
    name = "{{gen_ai_request_model}}"
    return (
        graph(
            "Durations of calls",
            "p50 and p95 by model.",
            _DURATION,
            over_time(quantile(0.5, took, _METRICS, by), f"p50 {name}"),
            over_time(quantile(0.95, took, _METRICS, by), f"p95 {name}", exemplars=True),
        ),
        graph(
            "Calls that fail",
            "Share of calls, by model.",
            ERRORS,
            over_time(part_of(failed, asked), name),
        ),
        rows("Newest calls", "The newest 100, each with its trace.", Sql(_filled(_NEWEST)), _COLUMNS),
    )


def _filled(sql: str) -> str:
    sql = sql.replace("@calls", _CALLS).replace("@features", _FEATURES).replace("@feature", _FEATURE)
    return sql.replace("@chosen", _CHOSEN)
