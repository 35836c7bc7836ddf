"""The outbox with an endpoint that is well, ill, away, or hanging."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from collector_process import until
from glasshouse import delivery
from glasshouse.delivery import batch_file
from glasshouse.delivery.process_folder import folders
from scripted_endpoint import Answer, Endpoint, endpoint, free_port

Install = Callable[..., Callable[[], None]]
Export = Callable[..., None]


def _files(spool_dir: Path) -> list[Path]:
    return sorted(path for path in spool_dir.rglob("*-*.*") if path.is_file())


def _down(_received: object) -> Answer:
    return Answer(503)


def test_what_an_exporter_hands_over_is_delivered(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path
) -> None:
    """With a well endpoint nothing touches the disk."""
    undo = install()
    export(b"one", "traces", authorization="Bearer key")
    export(b"two", "metrics")
    assert delivery.flush(10)
    assert delivery.counts() == delivery.Counts(sent=2)
    assert {received.path for received in listening.received} == {"/v1/traces", "/v1/metrics"}
    undo()
    assert not spool_dir.exists()


def test_a_hanging_endpoint_holds_up_nobody(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path
) -> None:
    """Exporters are answered while a request hangs, and what waits is on disk soon."""
    listening.hanging.set()
    install()
    for number in range(20):
        export(b"%d" % number, timeout=60.0)
    until(lambda: len(_files(spool_dir)) == 20, "all is on disk")
    assert len(listening.received) <= 2
    listening.hanging.clear()
    assert delivery.flush(10)
    assert listening.bodies() == [b"%d" % number for number in range(20)]
    assert _files(spool_dir) == []


def test_what_waits_is_replayed_oldest_first(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path
) -> None:
    """When the endpoint is back, everything arrives in its order."""
    listening.answer = _down
    install()
    for number in range(10):
        export(b"%d" % number)
    until(lambda: delivery.counts().spooled == 10, "all is on disk")
    assert not delivery.flush(10)
    tried = len(listening.received)
    listening.answer = lambda _: Answer()
    until(lambda: delivery.flush(1), "all is delivered")
    assert listening.bodies()[tried:] == [b"%d" % number for number in range(10)]
    assert delivery.counts() == delivery.Counts(sent=10, spooled=10, replayed=10)


def test_the_next_start_delivers_what_was_left(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path
) -> None:
    """With the key of its own, before any exporter has asked for anything."""
    listening.answer = _down
    undo = install(api_key="old")
    export(b"left", authorization="Bearer old")
    undo()
    listening.received.clear()
    listening.answer = lambda _: Answer()
    install(api_key="new")
    until(lambda: delivery.counts().replayed == 1, "it is replayed")
    (received,) = listening.received
    assert (received.path, received.body) == ("/v1/logs", b"left")
    assert received.headers["authorization"] == "Bearer new"
    until(lambda: _files(spool_dir) == [], "the file is gone")


def test_no_key_is_ever_on_disk(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path
) -> None:
    """Neither from the headers nor from the address."""
    listening.answer = _down
    port = listening.url.rpartition(":")[2]
    install(api_key="SECRET", endpoint=f"http://me:SECRET@127.0.0.1:{port}")
    export(b"waits", authorization="Bearer SECRET")
    until(lambda: delivery.counts().spooled == 1, "it is on disk")
    listening.answer = lambda _: Answer(400)
    until(lambda: not delivery.flush(1) and delivery.counts().refused == 1, "it is refused")
    until(lambda: [letter.state for letter in delivery.dead_letters()] == ["refused"], "it is a dead letter")
    for path in spool_dir.rglob("*"):
        assert "SECRET" not in str(path)
        assert path.is_dir() or b"SECRET" not in path.read_bytes()


def test_what_is_refused_is_a_dead_letter(install: Install, export: Export, listening: Endpoint) -> None:
    """It holds up nothing, is listed with its reason, and can be sent again by hand."""
    listening.answer = lambda received: Answer(400 if received.body == b"bad" else 200)
    install()
    export(b"bad")
    export(b"good")
    delivery.flush(10)  # what was refused before it was called is not its to tell
    assert delivery.counts() == delivery.Counts(sent=1, refused=1)
    (letter,) = delivery.dead_letters()
    assert (letter.state, letter.signal) == ("refused", "logs")
    assert letter.reason == f"{listening.url}: 400 Bad Request"
    listening.answer = lambda _: Answer()
    assert delivery.retry_dead_letters() == 1
    assert delivery.flush(10)
    assert delivery.dead_letters() == []
    assert listening.bodies() == [b"bad", b"good", b"bad"]


def test_a_batch_that_breaks_the_endpoint_does_not_stop_the_others(
    install: Install, export: Export, listening: Endpoint
) -> None:
    """After a few attempts it lets them go first, and is not lost."""
    listening.answer = lambda received: Answer(502 if received.body == b"poison" else 200)
    install()
    for body in (b"poison", b"one", b"two"):
        export(body)
    until(lambda: not delivery.flush(1) and delivery.counts().sent == 2, "the others are delivered")
    assert [letter.state for letter in delivery.dead_letters()] == ["waiting"]


def test_a_damaged_file_is_set_aside(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path
) -> None:
    """It is never sent, and what lies behind it is."""
    listening.answer = _down
    undo = install()
    for body in (b"first", b"second"):
        export(body)
    undo()
    first, _ = _files(spool_dir)
    first.write_bytes(first.read_bytes()[:-1])
    listening.answer = lambda _: Answer()
    listening.received.clear()
    install()
    until(lambda: delivery.counts().sent == 1, "the other is delivered")
    assert listening.bodies() == [b"second"]
    assert delivery.counts().refused == 1
    (letter,) = delivery.dead_letters()
    assert (letter.state, letter.reason) == ("refused", "damaged")
    with pytest.raises(ValueError, match="checksum"):
        letter.request()
    assert delivery.retry_dead_letters() == 0


def test_a_full_spool_drops_the_oldest(install: Install, export: Export, listening: Endpoint) -> None:
    """The bound is kept, the newest are kept, and the dropped are counted."""
    listening.answer = _down
    install(spool_bytes=10 * 4096)
    for number in range(30):
        export(b"%d" % number)
    until(lambda: delivery.counts().dropped >= 19, "the oldest are dropped")
    until(lambda: len(delivery.dead_letters()) <= 11, "the bound is kept")
    listening.answer = lambda _: Answer()
    listening.received.clear()
    until(lambda: delivery.flush(1), "the rest is delivered")
    kept = [int(body) for body in listening.bodies()]
    assert kept == list(range(30 - len(kept), 30))
    assert delivery.counts().dropped + delivery.counts().sent == 30


def test_without_a_disk_memory_serves(
    install: Install, export: Export, listening: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the folder cannot be made, batches wait in memory, and the log says so once."""
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    listening.answer = _down
    undo = install(spool_dir=in_the_way)
    for number in range(3):
        export(b"%d" % number)
    until(lambda: "cannot be kept" in caplog.text, "the log says so")
    assert [letter.path for letter in delivery.dead_letters()] == [None] * 3
    listening.answer = lambda _: Answer()
    until(lambda: delivery.flush(1), "all is delivered")
    assert caplog.text.count("cannot be kept") == 1
    undo()
    assert delivery.counts() == delivery.Counts()


def test_spool_bytes_0_keeps_off_the_disk(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be delivered is then lost with the process, and the log says how much."""
    listening.answer = _down
    undo = install(spool_bytes=0)
    export(b"lost")
    assert not delivery.flush(10)
    undo()
    assert "1 batches of telemetry are lost" in caplog.text
    assert not spool_dir.exists()


def test_a_wrong_key_loses_nothing(
    install: Install, export: Export, listening: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names what was refused, and the next start with the right key delivers."""
    listening.answer = lambda received: Answer(
        200 if received.headers.get("authorization") == "Bearer right" else 401
    )
    undo = install(api_key="wrong")
    export(b"kept", authorization="Bearer wrong")
    assert not delivery.flush(10)
    assert "401" in caplog.text
    undo()
    install(api_key="right")
    until(lambda: delivery.counts().sent == 1, "it is delivered")


def test_each_new_trouble_is_told_once(
    install: Install, export: Export, listening: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Not each attempt has its line in the log, but a wrong key is seen behind an outage."""
    listening.answer = _down
    install()
    export(b"waits")
    for _ in range(3):
        delivery.flush(10)
    listening.answer = lambda _: Answer(401)
    until(lambda: not delivery.flush(1) and "401" in caplog.text, "the key is refused")
    assert [record.getMessage().count("503") for record in caplog.records] == [1, 0]
    assert len(listening.received) > 3


def test_an_endpoint_that_asks_for_no_pause_gets_one(
    install: Install, export: Export, listening: Endpoint
) -> None:
    """`Retry-After: 0` does not make the sender run in circles."""
    listening.answer = lambda _: Answer(503, {"retry-after": "0"})
    install()
    export(b"waits")
    until(lambda: delivery.counts().spooled == 1, "it is on disk")
    assert not delivery.flush(10)
    assert len(listening.received) <= 2


def test_a_silent_client_at_debug_level(
    install: Install, export: Export, caplog: pytest.LogCaptureFixture
) -> None:
    """What the HTTP client logs while it sends logs would be sent, and so on for ever."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3.connectionpool")  # whatever another test left it at
    undo = install()
    export(b"one")
    assert delivery.flush(10)
    assert [record for record in caplog.records if record.name.startswith("urllib3")] == []
    undo()
    with endpoint() as other, requests.Session() as session:
        session.post(other.url, data=b"")
    assert [record for record in caplog.records if record.name.startswith("urllib3")] != []


def test_processes_share_a_spool_folder(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path
) -> None:
    """A forked child begins empty, keeps its own, and leaves it to the parent when it is killed."""
    listening.answer = _down
    install()
    export(b"parent")
    until(lambda: delivery.counts().spooled == 1, "the parent's is on disk")
    child = os.fork()
    if not child:  # pragma: no cover - in another process
        try:
            assert delivery.counts() == delivery.Counts()
            export(b"child")
            until(lambda: delivery.counts().spooled == 1, "the child's is on disk")
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(folders(next(spool_dir.iterdir()))) == 2
    listening.received.clear()
    listening.answer = lambda _: Answer()
    until(lambda: delivery.counts().sent == 2, "both are delivered")
    assert listening.bodies() == [b"parent", b"child"]


def test_a_child_does_not_hold_its_parents_folder(
    install: Install, export: Export, listening: Endpoint, spool_dir: Path
) -> None:
    """When the parent is gone and the child lives, what the parent left is free."""
    listening.answer = _down
    undo = install()
    export(b"parent")
    until(lambda: delivery.counts().spooled == 1, "it is on disk")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - in another process
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    undo()
    listening.answer = lambda _: Answer()
    install()
    until(lambda: delivery.counts().sent == 1, "another process has it")
    os.close(writer)
    os.close(reader)
    os.waitpid(child, 0)


def test_a_fork_amid_traffic_does_not_hang(install: Install, export: Export, listening: Endpoint) -> None:
    """Whatever lock a thread holds at that moment, the child delivers."""
    install()
    over = threading.Event()

    def keep_exporting() -> None:
        while not over.wait(0.001):
            export(b"parent", timeout=30.0)

    busy = threading.Thread(target=keep_exporting)
    busy.start()
    children = []
    for number in range(10):
        child = os.fork()
        if not child:  # pragma: no cover - in another process
            try:
                signal.alarm(60)
                export(b"child %d" % number, timeout=30.0)
                os._exit(0 if delivery.flush(30) else 2)
            finally:
                os._exit(1)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    over.set()
    busy.join()
    assert codes == [0] * 10
    assert {b"child %d" % number for number in range(10)} <= set(listening.bodies())


def test_after_the_end_exporters_are_told(install: Install, export: Export, listening: Endpoint) -> None:
    """What comes too late is not silently lost."""
    undo = install()
    with delivery.session("logs") as session:
        undo()
        with pytest.raises(requests.ConnectionError, match="shut down"):
            session.post(f"{listening.url}/v1/logs", data=b"late", timeout=1)
    with pytest.raises(RuntimeError, match="configure"):
        delivery.session("logs")


def test_only_otlp_goes_through(install: Install, listening: Endpoint) -> None:
    """The session is for exporters alone, and tells their signals apart by the address."""
    install()
    with delivery.session() as session:
        assert session.post(f"{listening.url}/v1/traces", data=b"spans", timeout=1).ok
        with pytest.raises(requests.ConnectionError, match="not a request"):
            session.get(listening.url, timeout=1)
    assert delivery.flush(10)
    assert [received.path for received in listening.received] == ["/v1/traces"]


def test_dead_letters_without_configure(
    install: Install,
    export: Export,
    listening: Endpoint,
    spool_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process, as a person's shell, finds them by the variable."""
    listening.answer = _down
    undo = install(endpoint=f"http://127.0.0.1:{free_port()}")
    export(b"waits")
    undo()
    assert delivery.dead_letters() == []
    monkeypatch.setenv("GLASSHOUSE_SPOOL_DIR", str(spool_dir))
    (letter,) = delivery.dead_letters()
    assert letter.path is not None
    assert batch_file.read(letter.path).body == b"waits"
