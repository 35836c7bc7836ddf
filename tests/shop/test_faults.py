"""Each kind of fault, switched on in a shop that runs: it shows where the truth says, and then ends."""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from collector_process import CollectorProcess, until
from glasshouse_shop.demo import WISHES
from glasshouse_shop.faults import FAULTS, LEAK_BYTES, Kind
from glasshouse_shop.wishes import Wish, wish
from shop_process import PROGRAM, ShopProcess, buys


@dataclass
class Scene:
    """The shop while a fault is on, what the truth says of it, and what the collector has of that time."""

    shop: ShopProcess
    collector: CollectorProcess
    truth: dict[str, Any]

    def happens(self, query: str, seen: Callable[[Any], bool], what: str) -> Any:
        """Go on buying until what is stored since the fault began is as `seen` wants; return it.

        `{since}` in the query stands for the condition on the time.
        """
        answer: list[Any] = []

        def shown() -> bool:
            session = uuid.uuid4().hex
            buys(self.shop.opened(), session)
            asked = {"text": "What keeps the rain off?"}
            if self.truth.get("dependency") == "model":
                httpx.post(f"{self.shop.opened()}/questions", json=asked, timeout=30)
            row = self.collector.ask(query.format(since=self.since("Timestamp")))[0]
            answer[:] = [int(each) if str(each).isdigit() else each for each in row]
            return seen(answer)

        until(shown, f"{self.truth['fault']} shows as {what}")
        return answer

    def since(self, column: str) -> str:
        """Return the condition that a time is since the fault began, for its service."""
        begin = self.truth["start"].removesuffix("Z")
        return f"ServiceName = '{self.truth['service']}' AND {column} >= toDateTime64('{begin}', 9, 'UTC')"


@pytest.fixture
def on(shop: ShopProcess, collector: CollectorProcess) -> Callable[..., Any]:
    """Switch a fault on for a block."""

    @contextmanager
    def switched(name: str, meanwhile: Callable[[], object] = object) -> Iterator[Scene]:
        folder = shop.folder / WISHES
        before = len(shop.truth()["faults"])
        wish(folder, Wish(name, 600))
        until(lambda: bool(meanwhile()) and len(shop.truth()["faults"]) > before, f"{name} is on")
        truth = shop.truth()["faults"][-1]
        try:
            yield Scene(shop, collector, truth)
        finally:
            wish(folder, Wish(None, 0))
            until(lambda: bool(meanwhile()) and shop.truth()["faults"][-1]["end"], f"{name} is off")
        assert shop.truth()["faults"][-1]["end"] > truth["start"]

    return switched


Switch = Callable[..., Any]
RAISED = "arrayExists(event -> event['exception.type'] = '{kind}', Events.Attributes)"


def test_an_exception_is_recorded_where_it_was_raised(on: Switch) -> None:
    """Half of the calls fail, with type and stack trace; the caller passes the failure on."""
    with on("payment:exception") as scene:
        traced = "arrayStringConcat(arrayMap(event -> event['exception.stacktrace'], Events.Attributes))"
        query = f"SELECT groupArray({traced}) FROM otel_traces WHERE {{since}} AND StatusCode = 'Error' AND SpanName = 'POST /charges'"  # noqa: E501
        (stacks,) = scene.happens(query, lambda row: len(row[0]) > 1, "failed charges")
        assert all("ValueError" in stack and "in charge" in stack for stack in stacks)
        assert scene.truth["function"] == "glasshouse_shop.payment.charge"


def test_a_wrong_return_skips_the_work_without_a_failure(on: Switch) -> None:
    """Orders are confirmed and nothing is charged: traces without payment, no span failed."""
    with on("checkout:wrong-return") as scene:
        query = (
            "SELECT count(), countIf(paid = 0), countIf(paid = 0 AND failed) FROM (SELECT TraceId, "
            "countIf(ServiceName = 'payment') AS paid, max(StatusCode = 'Error') AS failed FROM otel_traces "
            "WHERE TraceId IN (SELECT TraceId FROM otel_traces WHERE {since} AND SpanName = 'POST /orders') "
            "GROUP BY TraceId)"
        )
        scene.happens(query, lambda row: 0 < row[1] < row[0] and not row[2], "orders that nobody paid")


def test_latency_is_the_services_own(on: Switch) -> None:
    """Every call waits, while none of what it calls does."""
    with on("cart:latency") as scene:
        query = (
            "SELECT count(), min(Duration) / 1e9 "
            "FROM otel_traces WHERE {since} AND SpanName = 'POST /carts/{{session_id}}/items'"
        )
        (_, least) = scene.happens(query, lambda row: row[0] > 1, "slow calls")
        assert least >= scene.truth["effect"]["seconds"]


def test_burnt_cpu_is_in_the_time_the_process_used(on: Switch) -> None:
    """Calls take CPU time, not only time."""
    with on("catalog:cpu") as scene:
        least = scene.truth["effect"]["cpu_seconds"]
        used = (
            f"WITH points AS (SELECT * FROM otel_metrics_sum WHERE {scene.since('TimeUnix')} "
            "AND MetricName = 'process.cpu.time' AND Attributes['cpu.mode'] = 'user') "
            "SELECT max(Value) - min(Value), (SELECT count() FROM otel_traces WHERE {since} "
            "AND SpanName = 'GET /products/{{product_id}}' AND Timestamp BETWEEN "
            "(SELECT min(TimeUnix) FROM points) AND (SELECT max(TimeUnix) FROM points)) FROM points"
        )
        # Without the fault a call takes a fiftieth of it.
        scene.happens(used, lambda row: row[1] > 3 and row[0] > row[1] * least / 2, "CPU time a call")


def test_a_leak_grows_the_memory_of_the_process(on: Switch) -> None:
    """What each call leaves behind stays resident."""
    with on("checkout:leak") as scene:
        grown = (
            f"SELECT max(Value) - min(Value) FROM otel_metrics_sum WHERE {scene.since('TimeUnix')} "
            "AND MetricName = 'process.memory.usage'"
        )
        scene.happens(grown, lambda row: row[0] > 8 * LEAK_BYTES, "memory in use")


def test_an_exhausted_pool_refuses_connections_and_recovers(on: Switch, shop: ShopProcess) -> None:
    """Calls fail as SQLAlchemy says they do; with the fault, that ends."""
    with on("payment:pool") as scene:
        query = (
            f"SELECT countIf({RAISED.format(kind='sqlalchemy.exc.TimeoutError')}) "
            "FROM otel_traces WHERE {since}"
        )
        scene.happens(query, lambda row: row[0] > 0, "a timeout of the pool")
    answer = buys(shop.opened(), uuid.uuid4().hex)
    assert answer.status_code == httpx.codes.CREATED, answer.text


def test_a_failing_dependency_is_seen_by_its_caller(on: Switch) -> None:
    """The bank answers 503 to half of the calls, which payment captures as errors."""
    with on("payment:dependency-error") as scene:
        query = (
            "SELECT countIf(SpanAttributes['http.response.status_code'] = '503'), "
            "countIf(SpanAttributes['http.response.status_code'] = '200') "
            "FROM otel_traces WHERE {since} AND SpanKind = 'Client'"
        )
        scene.happens(query, lambda row: row[0] and row[1], "503 of the bank")
        captured = "SELECT count() FROM otel_logs WHERE {since} AND LogAttributes['operation'] = 'charge' AND LogAttributes['glasshouse.severity'] = 'high'"  # noqa: E501
        scene.happens(captured, lambda row: row[0] > 0, "captured errors")


def test_a_slow_dependency_takes_the_callers_time(on: Switch) -> None:
    """The span of the call to the model is nearly all of what the question took."""
    with on("catalog:dependency-slow") as scene:
        query = (
            "SELECT count(), min(Duration) / 1e9 FROM otel_traces "
            "WHERE {since} AND SpanName = 'chat shop-small'"
        )
        (_, least) = scene.happens(query, lambda row: row[0] > 0, "slow calls of the model")
        assert least >= scene.truth["effect"]["seconds"]
        assert scene.truth["operation"] == "POST /questions"


def test_a_bad_release_takes_over_without_refusing_anyone(on: Switch, shop: ShopProcess) -> None:
    """Spans of the new version fail with its bug; before and after, the old one answers."""
    answers: list[str] = []

    def buying() -> bool:
        answers.append(buys(shop.opened(), uuid.uuid4().hex).text)
        return True

    with on("cart:release", meanwhile=buying) as scene:
        query = (
            "SELECT countIf(ResourceAttributes['service.version'] = '1.1.0' AND "
            f"{RAISED.format(kind='KeyError')}), "
            "countIf(ResourceAttributes['service.version'] = '1.1.0' AND StatusCode != 'Error') "
            "FROM otel_traces WHERE {since} AND SpanKind = 'Server'"
        )
        scene.happens(query, lambda row: row[0] and row[1], "failures of the new version")
    assert buys(scene.shop.opened(), uuid.uuid4().hex).status_code == httpx.codes.CREATED
    assert len(answers) > 10
    assert not [answer for answer in answers if "cannot be reached" in answer]


def test_the_worker_has_faults_too(on: Switch) -> None:
    """Its exceptions are spans and log records in the trace of the order."""
    with on("worker:exception") as scene:
        query = "SELECT count() FROM otel_logs WHERE {since} AND LogAttributes['exception.type'] = 'ValueError' AND TraceId != ''"  # noqa: E501
        scene.happens(query, lambda row: row[0] > 0, "a captured error")


def test_every_kind_is_offered() -> None:
    """What the demo promises is all there."""
    assert {fault.kind for fault in FAULTS.values()} == {*Kind}


def test_a_fault_is_switched_on_by_command_and_ends_by_itself(shop: ShopProcess) -> None:
    """The truth has it, from the one moment to the other."""
    earlier = len(shop.truth()["faults"])
    command = ["demo", "--data-dir", str(shop.folder), "fault", "gateway:latency", "--duration", "0.2"]
    done = subprocess.run([PROGRAM, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "gateway:latency is on" in done.stdout

    def over() -> bool:
        mine = shop.truth()["faults"][earlier:]
        return [each["fault"] for each in mine if each["end"]] == ["gateway:latency"]

    until(over, "the fault is over")
    assert json.loads((shop.folder / "faults.json").read_text()) == []
