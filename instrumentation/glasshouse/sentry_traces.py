"""The share of traces that Sentry gets, by its OTLP endpoint."""

from certifi import where
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from sentry_sdk.consts import VERSION, EndpointType
from sentry_sdk.utils import Dsn


class SampledSpans(BatchSpanProcessor):
    """Exports whole traces, chosen by their ids: every process with the same rate chooses the same ones."""

    def __init__(self, dsn: Dsn, rate: float) -> None:
        auth = dsn.to_auth(f"sentry.python/{VERSION}")
        self._bound = TraceIdRatioBased.get_bound_for_rate(rate)
        exporter = OTLPSpanExporter(
            endpoint=auth.get_api_url(EndpointType.OTLP_TRACES),
            # Said here, headers and certificate are not those of the variables, which are the collector's.
            headers={"X-Sentry-Auth": auth.to_header()},
            certificate_file=where(),
            compression=Compression.Gzip,
        )
        super().__init__(exporter)

    def on_end(self, span: ReadableSpan) -> None:
        """Export the span where its trace is among the chosen."""
        if span.context and span.context.trace_id & TraceIdRatioBased.TRACE_ID_LIMIT < self._bound:
            super().on_end(span)
