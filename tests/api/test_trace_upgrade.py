"""A store that has traces before they are summed up has them summed up by the upgrade, once."""

from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.store import Store, StoreSettings
from kept_records import keep

NOON = 1_900_000_800 * 10**9
MIGRATION = "0009_trace_summaries"
SUMMED = (
    "SELECT TraceId, toUnixTimestamp64Nano(max(Finish)) AS finish, sum(Spans) AS spans, "
    "sum(Errors) AS errors, max(RootName) AS root, arraySort(groupArrayArray(Services)) AS services, "
    "groupArrayArray(FailedServices) AS failed FROM otel_traces_trace_id_ts GROUP BY TraceId"
)


def test_an_upgrade_sums_up_what_is_kept(tmp_path: Path) -> None:
    """As the inserts did, and no more when it is applied again after a kill."""
    store = Store.open(StoreSettings(dsn=f"chdb://{tmp_path}/store"))
    try:
        store.migrate()
        for number, service in enumerate(("shop", "cart")):
            request = ExportTraceServiceRequest()
            spans = request.resource_spans.add()
            spans.resource.attributes.add(key="service.name").value.string_value = service
            span = spans.scope_spans.add().spans.add(
                trace_id=b"\7" * 16,
                span_id=bytes([number + 1]) * 8,
                parent_span_id=b"\1" * 8 if number else b"",
                name=f"step {number}",
                start_time_unix_nano=NOON + number,
                end_time_unix_nano=NOON + 10,
            )
            span.status.code = 2 if number else 0  # type: ignore[assignment]
            keep(store, RequestKind.TRACES, Signal.TRACES, request, f"u-{number}")
        before = store.query_arrow(SUMMED).to_pylist()
        assert before == [
            {
                "TraceId": "07" * 16,
                "finish": NOON + 10,
                "spans": 2,
                "errors": 1,
                "root": "step 0",
                "services": ["cart", "shop"],
                "failed": ["cart"],
            }
        ]
        for _ in range(2):
            store.engine.command(f"DELETE FROM glasshouse_migrations WHERE name = '{MIGRATION}'")
            assert store.migrate() == [MIGRATION]
            assert store.query_arrow(SUMMED).to_pylist() == before
    finally:
        store.close()
