"""Load whose every record can be told apart, and the account of what was acknowledged."""

import threading
import time
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

DAYS = 5
KINDS = ("traces", "logs", "metrics")
_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_DAY = 86_400 * 10**9


def _number(record: int) -> KeyValue:
    attribute = KeyValue(key="chaos.n")
    attribute.value.string_value = str(record)
    return attribute


def request_of(number: int, records: int) -> tuple[str, Message]:
    """Return the kind and content of the `number`th request: records over several days, each numbered."""
    kind = KINDS[number % len(KINDS)]
    now = time.time_ns()
    numbered = range(number * records, (number + 1) * records)
    moments = {record: now - (record % DAYS) * _DAY for record in numbered}
    if kind == "traces":
        traces = ExportTraceServiceRequest()
        spans = traces.resource_spans.add().scope_spans.add().spans
        for record, at in moments.items():
            ids = (record + 1).to_bytes(16, "big")
            spans.add(
                name="chaos",
                trace_id=ids,
                span_id=ids[8:],
                start_time_unix_nano=at,
                attributes=[_number(record)],
            )
        return kind, traces
    if kind == "logs":
        logs = ExportLogsServiceRequest()
        log_records = logs.resource_logs.add().scope_logs.add().log_records
        for record, at in moments.items():
            log_records.add(time_unix_nano=at, attributes=[_number(record)])
        return kind, logs
    metrics = ExportMetricsServiceRequest()
    points = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="chaos").gauge.data_points
    for record, at in moments.items():
        points.add(time_unix_nano=at, as_double=record, attributes=[_number(record)])
    return kind, metrics


@dataclass
class Account:
    """Which requests of how many records were sent, and which of them acknowledged."""

    records_a_request: int
    sent: dict[str, set[int]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    acknowledged: dict[str, set[int]] = field(default_factory=lambda: {kind: set() for kind in KINDS})

    @property
    def sent_records(self) -> int:
        """How many records were sent."""
        return self._records(self.sent)

    @property
    def acknowledged_records(self) -> int:
        """How many records were acknowledged."""
        return self._records(self.acknowledged)

    def _records(self, requests: dict[str, set[int]]) -> int:
        return sum(len(numbers) for numbers in requests.values()) * self.records_a_request


class Load:
    """Sends over gRPC without pause until stopped; a request that fails is not sent again."""

    def __init__(self, senders: int = 4, records_a_request: int = 20) -> None:
        self.account = Account(records_a_request)
        self._next = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._address: str | None = None
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(senders)]

    def start(self) -> None:
        """Begin; nothing goes out before an address is known."""
        for thread in self._threads:
            thread.start()

    def aim(self, address: str | None) -> None:
        """Send to this address from now on; None: wait."""
        self._address = address

    def stop(self) -> None:
        """Send no more; returns when every answer is in."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _send(self) -> None:
        channels: dict[str, grpc.Channel] = {}
        while not self._stopping.is_set():
            address = self._address
            if address is None:
                self._stopping.wait(0.01)
                continue
            if address not in channels:
                channels[address] = grpc.insecure_channel(address)
            with self._lock:
                number, self._next = self._next, self._next + 1
            kind, request = request_of(number, self.account.records_a_request)
            self.account.sent[kind].add(number)
            try:
                export = channels[address].unary_unary(_METHODS[kind], bytes, bytes)
                export(request.SerializeToString(), timeout=10)
            except grpc.RpcError:
                self._stopping.wait(0.02)
            else:
                self.account.acknowledged[kind].add(number)
        for channel in channels.values():
            channel.close()
