"""The job's rounds: incidents are found, analysed, kept and told, once."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from alertmanager_server import alertmanager_server
from collector_process import until
from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.control.leases import Leases
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.incidents import Severity
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.insights.findings import Analysis, FaultKind, RootCause
from glasshouse_collector.insights.job import LEASE, InsightsExtension, InsightsJob, until_next_round
from glasshouse_collector.insights.rounds import Rounds
from glasshouse_collector.insights.settings import InsightsConfig
from glasshouse_collector.insights.thinking import rethought
from glasshouse_collector.insights.windows import Question, Window
from glasshouse_collector.journal import Journal, JournalSettings
from glasshouse_collector.store import ProjectStore, QueryLimits, Store
from scripted_endpoint import free_port
from told_traffic import MINUTE, Shop, between
from watched_shop import BEGINS, ENDS, MINUTES, Collector, Frames

Start = Callable[..., Collector]


def attributes(record: LogRecord) -> dict[str, str]:
    """Return those attributes that are texts."""
    return {each.key: each.value.string_value for each in record.attributes if each.value.string_value}


def test_an_incident_is_found_analysed_kept_and_told(start: Start, frames: Frames) -> None:
    """In the minutes after it began, and again when it is over."""
    collector = start()
    collector.look(BEGINS)
    assert not collector.incidents()
    collector.look(BEGINS + 3)
    (incident,) = collector.incidents()
    assert (incident.status, incident.severity) == ("open", Severity.CRITICAL)
    causes = incident.answer["root_causes"]
    assert causes
    assert causes[0]["service"] == "payment"
    assert incident.services[0] == "payment"
    assert incident.fingerprint.startswith(f"payment|{causes[0]['kind']}|")
    assert collector.metric("glasshouse_incidents_open", project="shop") == 1
    told = {"severity": "critical", "kind": causes[0]["kind"]}
    assert collector.metric("glasshouse_incidents_total", **told) == 1
    for minute in (BEGINS + 4, ENDS + 3, ENDS + 8):
        collector.look(minute)
    (over,) = collector.incidents()
    assert (over.id, over.status) == (incident.id, "resolved")
    assert collector.metric("glasshouse_incidents_open", project="shop") == 0
    assert collector.metric("glasshouse_incidents_total", **told) == 1
    assert not collector.incidents("well")
    begun, ended = frames.records()
    assert begun[0] == ended[0] == "shop"
    assert begun[1].severity_number == SeverityNumber.SEVERITY_NUMBER_FATAL
    assert ended[1].severity_number == SeverityNumber.SEVERITY_NUMBER_INFO
    assert attributes(begun[1])["incident.id"] == attributes(ended[1])["incident.id"] == incident.id
    assert attributes(begun[1])["incident.root_cause.service"] == "payment"
    (traces,) = (each.value for each in begun[1].attributes if each.key == "incident.trace_ids")
    assert all(len(value.string_value) == 32 for value in traces.array_value.values)
    assert traces.array_value.values


def test_of_two_collectors_one_does_it(start: Start, frames: Frames) -> None:
    """Another goes on when it stops, and says nothing again."""
    first, second = start(), start()
    for minute in (BEGINS + 2, BEGINS + 3):
        first.look(minute)
        second.look(minute)
    assert [each.metric("glasshouse_insights_leader") for each in (first, second)] == [1, 0]
    assert (len(first.incidents()), len(frames.frames)) == (1, 1)
    asyncio.run(first.job.release())
    for minute in (BEGINS + 4, ENDS + 3, ENDS + 8):
        second.look(minute)
    (incident,) = second.incidents()
    assert incident.status == "resolved"
    assert [attributes(record)["incident.status"] for _, record in frames.records()] == ["open", "resolved"]


def test_who_was_killed_is_taken_over_from(start: Start, frames: Frames) -> None:
    """When its lease has ended, from where it was; what it said is not said again."""
    killed, next_one = start(), start()
    killed.look(BEGINS + 3)
    next_one.look(BEGINS + 4)
    assert next_one.metric("glasshouse_insights_leader") == 0
    next_one.services.get(Leases).hold(LEASE, killed.job.holder, 0.0)
    next_one.look(BEGINS + 5)
    assert next_one.metric("glasshouse_insights_leader") == 1
    (incident,) = next_one.incidents()
    assert incident.status == "open"
    next_one.look(ENDS + 8)
    assert [attributes(record)["incident.status"] for _, record in frames.records()] == ["open", "resolved"]
    again = start()
    asyncio.run(next_one.job.release())
    again.look(ENDS + 9)
    (over,) = again.incidents()
    assert over.status == "resolved"
    assert len(frames.frames) == 2


def test_who_was_killed_and_comes_back_goes_on_at_once(start: Start, tmp_path: Path) -> None:
    """On the same folder it is the same holder; another one waits still."""

    async def with_its_journal() -> None:
        settings = JournalSettings(tmp_path / "journal", "os", 1 << 30, 4096)
        journal = Journal.open(settings, Metrics(), SystemClock())
        killed, back, another = start(journal=journal), start(journal=journal), start()
        for collector, leads in ((killed, 1), (another, 0), (back, 1)):
            await collector.job.round()
            assert collector.metric("glasshouse_insights_leader") == leads
        await journal.close()

    asyncio.run(with_its_journal())


@pytest.mark.parametrize(("now", "waits"), [(1000.0, 40.0), (1019.5, 20.5), (1040.0, 60.0), (1040.5, 59.5)])
def test_rounds_are_when_minutes_have_settled(now: float, waits: float) -> None:
    """Whenever the collector began."""
    assert until_next_round(now, interval=60, settle=20) == waits


def test_who_lost_its_lease_while_it_looked_keeps_nothing(
    start: Start, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one does."""
    slow, other = start(), start()
    hold, asked = slow.services.get(Leases).hold, []

    def hold_until_taken(name: str, holder: str, seconds: float) -> bool:
        asked.append(seconds)
        return hold(name, holder, seconds) if len(asked) == 1 else False

    monkeypatch.setattr(slow.services.get(Leases), "hold", hold_until_taken)
    slow.look(BEGINS + 3)
    assert len(asked) > 1
    assert not slow.incidents()
    assert not frames.frames
    other.services.get(Leases).release(LEASE, slow.job.holder)
    other.look(BEGINS + 3)
    assert len(other.incidents()) == 1


def test_what_the_journal_has_no_room_for_is_told_later(
    start: Start, frames: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once that it fails, and counted."""
    collector = start()
    frames.full = True
    with caplog.at_level(logging.WARNING):
        collector.look(BEGINS + 3)
        collector.look(BEGINS + 4)
    assert [record.getMessage() for record in caplog.records] == [
        "insights: tell of project shop: the journal is full; tried again at the next round"
    ]
    assert collector.metric("glasshouse_insights_failures_total", step="tell") == 2
    assert collector.metric("glasshouse_insights_last_round_timestamp_seconds") == 0
    frames.full = False
    collector.look(BEGINS + 5)
    assert len(frames.frames) == 1
    assert collector.metric("glasshouse_insights_last_round_timestamp_seconds") > 0


def test_alertmanager_has_one_alert_until_it_is_over(start: Start, store: Store, tmp_path: Path) -> None:
    """The real one; whichever collector tells it."""
    lately = time.time_ns() // MINUTE * MINUTE - (ENDS + 2) * MINUTE
    shop = Shop()
    shop.payment.failing = shop.checkout.failing = between(BEGINS, ENDS, 0.6)
    shop.keep(store, lately, MINUTES, project="lately")
    with alertmanager_server(tmp_path) as server:
        first, second = (start(alertmanager_url=server.url, projects=("lately",)) for _ in range(2))
        first.begins = second.begins = lately
        for minute in (ENDS, ENDS + 1):
            first.look(minute)
        asyncio.run(first.job.release())
        second.look(ENDS + 2)
        until(lambda: bool(server.alerts()), "Alertmanager has the alert")
        (alert,) = server.alerts()
        (incident,) = second.incidents("lately")
        assert alert["labels"] == {
            "alertname": "Incident",
            "incident_id": incident.id,
            "project": "lately",
            "service_name": "payment",
            "severity": "high",
        }
        assert alert["annotations"]["summary"] == incident.title
        assert alert["status"]["state"] == "active"
        second.look(ENDS + 8)
        until(lambda: not server.alerts(), "the alert is resolved")
        assert second.incidents("lately")[0].status == "resolved"


def test_its_labels_stay_whatever_is_found_out_later(start: Start, store: Store, tmp_path: Path) -> None:
    """Another collector that thinks otherwise has the same alert, and resolves that."""
    lately = time.time_ns() // MINUTE * MINUTE - (ENDS + 2) * MINUTE
    shop = Shop()
    shop.payment.failing = between(BEGINS, ENDS, 0.6)
    shop.keep(store, lately, MINUTES, project="labels")
    with alertmanager_server(tmp_path) as server:
        first, second = (start(alertmanager_url=server.url, projects=("labels",)) for _ in range(2))
        first.begins = second.begins = lately
        first.look(ENDS)
        until(lambda: bool(server.alerts()), "Alertmanager has the alert")
        (before,) = server.alerts()
        (incident,) = first.incidents("labels")
        elsewhere = {**incident.answer["root_causes"][0], "service": "search"}
        answer = {**incident.answer, "root_causes": [elsewhere]}
        changed = replace(incident, severity=Severity.CRITICAL, services=("search",), answer=answer)
        second.services.get(Incidents).update(changed)
        asyncio.run(first.job.release())
        second.look(ENDS + 1)
        until(
            lambda: server.alerts()[0]["annotations"]["service_name"] == "search",
            "Alertmanager has what was found out",
        )
        (alert,) = server.alerts()
        assert alert["labels"] == before["labels"]
        assert alert["annotations"]["severity"] == "critical"
        second.look(ENDS + 8)
        until(lambda: not server.alerts(), "the alert is resolved")


def test_another_cause_than_was_told_is_told_once(
    start: Start, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one stays in the answer; one that is unlikely changes nothing."""
    collector = start()
    collector.look(BEGINS + 3)
    (first,) = collector.incidents()
    told = first.answer["root_causes"][0]

    def other(_: ProjectStore, question: Question, *__: object) -> Analysis:
        return cause_in("search", confidence[0], question)

    monkeypatch.setattr("glasshouse_collector.insights.rounds.analyse", other)
    confidence = [0.3]
    collector.look(BEGINS + 6)
    (unlikely,) = collector.incidents()
    assert (unlikely.title, unlikely.answer["root_causes"]) == (first.title, first.answer["root_causes"])
    assert len(frames.frames) == 1
    confidence = [0.8]
    found = rounds_of(collector).analyse(unlikely)
    collector.look(BEGINS + 7)
    collector.look(BEGINS + 8)
    (anew,) = collector.incidents()
    assert anew.title == found.title == "slow code in search GET /search"
    assert anew.answer["first_told"] == {"title": first.title, "root_cause": told}
    assert anew.id == first.id
    _, again = frames.records()
    assert again[1].body.string_value.startswith(
        f"Incident: now thought to be slow code in search GET /search (first told: {first.title}), since "
    )
    assert collector.metric("glasshouse_incidents_total", severity="critical", kind="slow_code") == 0


def test_the_cause_of_another_incident_is_none_of_this_one(start: Start) -> None:
    """However likely: it has been told by its own name."""
    collector = start()
    collector.look(BEGINS + 3)
    (first,) = collector.incidents()
    analysis = cause_in("search", 0.9, Question(Window(0, 1), ()))
    other = replace(first, id="0" * 12, services=("search", "gateway"))
    assert rethought(first, analysis, [first, other]).title == first.title
    assert rethought(first, analysis, [first]).title == "slow code in search GET /search"


def cause_in(service: str, confidence: float, question: Question) -> Analysis:
    """Return an analysis that blames slow code of a service."""
    cause = RootCause(service, f"GET /{service}", FaultKind.SLOW_CODE, 1.0, confidence, "slow", (), ())
    return Analysis(question, (cause,), (), 1, 1, 1, 1, ())


def rounds_of(collector: Collector) -> Rounds:
    """Return what looks at projects, on the collector's store and database."""
    get = collector.services.get
    return Rounds(get(Store), get(Incidents), get(Feedback), QueryLimits(), "test")


def test_an_alertmanager_that_is_away_holds_up_nothing(
    start: Start, frames: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named, once."""
    collector = start(alertmanager_url=f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.WARNING):
        collector.look(BEGINS + 3)
        collector.look(BEGINS + 4)
    (said,) = caplog.records
    assert said.getMessage().startswith("insights: alert: insights.alertmanager_url: ConnectError")
    assert len(collector.incidents()) == len(frames.frames) == 1
    assert collector.metric("glasshouse_insights_failures_total", step="alert") == 2


def test_a_store_that_is_away_is_said_once(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next round looks at what was missed."""
    collector = start()
    whole = Store.of_project
    monkeypatch.setattr(Store, "of_project", lambda *_: (_ for _ in ()).throw(OSError("no route")))
    with caplog.at_level(logging.WARNING):
        collector.look(BEGINS + 2)
        collector.look(BEGINS + 3)
    assert [record.getMessage() for record in caplog.records] == [
        "insights: projects: no route; tried again at the next round"
    ]
    monkeypatch.setattr(Store, "of_project", whole)
    with caplog.at_level(logging.INFO, "glasshouse_collector.insights"):
        collector.look(BEGINS + 4)
    assert "insights: projects: succeeds again" in caplog.text
    assert len(collector.incidents()) == 1


def test_an_analysis_that_fails_keeps_no_incident_back(
    start: Start, frames: Frames, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told with what is known, and analysed when that succeeds."""
    collector = start()
    with monkeypatch.context() as broken:
        broken.setattr("glasshouse_collector.insights.rounds.analyse", lambda *_: 1 / 0)
        with caplog.at_level(logging.WARNING):
            collector.look(BEGINS + 3)
    assert "insights: analyse of project shop: division by zero" in caplog.text
    (incident,) = collector.incidents()
    assert not incident.answer
    assert len(frames.frames) == 1
    collector.look(BEGINS + 4)
    (incident,) = collector.incidents()
    assert incident.answer["root_causes"]
    assert len(frames.frames) == 1


def test_only_the_projects_that_are_named_are_looked_at(start: Start) -> None:
    """Where any is."""
    collector = start(projects=("well",))
    collector.look(BEGINS + 3)
    assert not collector.incidents()
    assert collector.metric("glasshouse_insights_seconds_count", step="detect") == 1


def test_without_a_store_it_waits() -> None:
    """And stops at once; with its settings there for others, also where it is turned off."""
    services = Services()
    services.provide(Metrics, Metrics())
    asyncio.run(InsightsJob(InsightsConfig(), services).round())
    for enabled in (True, False):
        config = InsightsConfig(enabled=enabled)

        async def start_and_stop(config: InsightsConfig = config) -> None:
            extension = InsightsExtension(config, services)
            await extension.start(services)
            await extension.stop()
            await extension.stop()

        asyncio.run(start_and_stop())
        assert services.get(InsightsConfig) is config


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"alertmanager_url": "alertmanager:9093"}, "an http or https address is expected"),
        ({"alertmanager_url": "http://user:secret@alertmanager"}, "no user or password in it"),
        ({"interval_seconds": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, object], told: str) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match=told):
        InsightsConfig.model_validate(wrong)


def test_records_that_come_late_are_waited_for(start: Start, store: Store) -> None:
    """As after a store's outage: the minutes are judged when the records are there."""
    collector = start(projects=("late",))
    shop = Shop()
    shop.payment.failing = between(BEGINS, ENDS, 0.6)
    shop.keep(store, collector.begins, BEGINS + 1, project="late")
    collector.look(BEGINS + 6)
    assert not collector.incidents("late")
    shop.payment.failing = between(0, ENDS - BEGINS - 1, 0.6)
    shop.keep(store, collector.begins + (BEGINS + 1) * MINUTE, 9, 2, "late")
    collector.look(BEGINS + 7)
    (incident,) = collector.incidents("late")
    assert abs(incident.started_at.timestamp() - collector.begins / 1e9 - 60 * BEGINS) <= 60


def test_stopping_cancels_what_is_asked_of_the_store(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However long it would take, and lets another collector go on."""
    collector, asking = start(), threading.Event()
    endless = "SELECT count() FROM numbers(1000000000000000) WHERE cityHash64(number) = 1"

    def detect(store: ProjectStore, *_: object) -> tuple[()]:
        asking.set()
        store.query_arrow(endless, limits=QueryLimits(seconds=3600))
        return ()

    monkeypatch.setattr("glasshouse_collector.insights.rounds.detect", detect)
    at = datetime.fromtimestamp(collector.begins / 1e9, UTC) + timedelta(minutes=BEGINS)

    async def start_and_stop() -> None:
        extension = InsightsExtension(InsightsConfig(), collector.services)
        monkeypatch.setattr(extension._job, "_now", lambda: at)
        await extension.start(collector.services)
        assert await asyncio.to_thread(asking.wait, 60)
        await extension.stop()

    asyncio.run(start_and_stop())
    assert collector.services.get(Leases).hold(LEASE, "another", 60)
    assert not caplog.records
