"""Who `glasshouse serve` lets in: as a user starts it, and manages its keys while it runs."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner

from collector_process import CollectorProcess, until
from database_servers import postgresql
from faulty_proxy import FaultyProxy
from glasshouse.cli import main
from glasshouse_collector.control import Database, Keys, KeySettings
from glasshouse_collector.control.attempts import AT_ONCE
from glasshouse_collector.core.access import Scope
from made_keys import control, made_key

Start = Callable[..., CollectorProcess]

PROGRAM = Path(sys.executable).parent / "glasshouse"
TOKEN = "chosen-by-the-operator"
QUICKLY = {"GLASSHOUSE_CONTROL__REFRESH_SECONDS": "0.1"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the collector's data folder."""
    return tmp_path / "data"


@pytest.fixture
def start(data: Path) -> Iterator[Start]:
    """Return what starts a collector on the test's data folder, ended after the test."""
    started: list[CollectorProcess] = []

    def begin(*options: str, **env: str) -> CollectorProcess:
        started.append(CollectorProcess(data, *options, env=QUICKLY | env))
        return started[-1]

    yield begin
    for process in started:
        if process.alive:
            process.kill()


def bearer(key: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


def span(name: str = "GET /") -> dict[str, Any]:
    """Return a request with one span."""
    times = {"startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000000250000000"}
    ids = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174"}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": name, **ids, **times}]}]}]}


def sent(collector: CollectorProcess, **headers: str) -> httpx.Response:
    """Send a span."""
    return httpx.post(f"http://{collector.endpoints()['http']}/v1/traces", json=span(), headers=headers)


def asked(collector: CollectorProcess, path: str, **headers: str) -> httpx.Response:
    """Ask the API."""
    return httpx.get(f"http://{collector.endpoints()['api']}{path}", headers=headers, timeout=60)


def refused(*options: str, data: Path) -> list[str]:
    """Return what a start that is refused says."""
    ended = subprocess.run(
        [
            PROGRAM,
            "serve",
            "--data-dir",
            data,
            "--grpc-port",
            "0",
            "--http-port",
            "0",
            "--port",
            "0",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    return [line for line in ended.stderr.splitlines() if line.startswith("error: ")]


def test_other_machines_are_not_served_without_keys_and_tls(data: Path, tmp_path: Path) -> None:
    """A line for each that is missing says what to do; one receiver's own address counts as well."""
    no_key, no_tls = refused("--host", "0.0.0.0", data=data)
    assert "there is no key: make one (glasshouse keys create --data-dir" in no_key
    assert "there is no TLS: set tls.cert_file and tls.key_file, or give --insecure" in no_tls
    [only] = refused("--host", "0.0.0.0", "--insecure", data=data)
    assert only == no_key
    with control(data) as (_, keys):
        revoked = keys.create("default").shown.prefix
        keys.revoke(revoked)
    [still] = refused("--host", "0.0.0.0", "--insecure", data=data)
    assert still == no_key
    made_key(data)
    [only] = refused("--host", "0.0.0.0", data=data)
    assert only == no_tls
    settings = tmp_path / "settings.yaml"
    settings.write_text("receivers: {otlp_http: {host: '::'}}\n")
    [only] = refused("--config", str(settings), data=data)
    assert "other machines reach ::" in only


def checked(*options: str) -> tuple[int, str, list[str]]:
    """Return the exit code of `glasshouse check`, the settings it prints, and what it complains of."""
    done = CliRunner().invoke(main, ["check", *options])
    return done.exit_code, done.stdout, [it for it in done.stderr.splitlines() if it.startswith("error: ")]


def test_a_check_says_what_a_start_would(data: Path, tmp_path: Path) -> None:
    """In the same lines, with the settings beside them; it makes nothing, and finds keys that are there."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("host: 0.0.0.0\n")
    options = ("--config", str(settings), "--data-dir", str(data))
    code, printed, wrong = checked(*options)
    assert (code, len(wrong)) == (2, 2)
    assert f"data_dir: {data}" in printed
    assert not data.exists()
    assert wrong == refused("--config", str(settings), data=data)
    made_key(data)
    _, _, [only] = checked(*options)
    assert "there is no TLS" in only
    settings.write_text("host: 0.0.0.0\ninsecure: true\n")
    assert checked(*options)[::2] == (0, [])


@pytest.mark.parametrize("by", ["key", "token"])
def test_other_machines_are_served_insecurely_where_that_is_said(start: Start, data: Path, by: str) -> None:
    """It says so at the start; whoever has no key is sent away."""
    key = made_key(data) if by == "key" else TOKEN
    token = {"GLASSHOUSE_AUTH_TOKEN": TOKEN} if by == "token" else {}
    collector = start("--host", "0.0.0.0", GLASSHOUSE_INSECURE="true", **token)
    at = collector.endpoints()["http"].replace("0.0.0.0", "127.0.0.1")
    assert collector.log().count("0.0.0.0 is served without TLS (insecure)") == 1
    until(lambda: "elsewhere" in collector.log(), "the banner is printed")
    shown = collector.log().partition("is ready.")[2].partition("data  ")[0]
    assert "0.0.0.0" not in shown
    assert f"http://localhost:{collector.endpoints()['api'].rpartition(':')[2]} " in shown
    assert f"{socket.gethostname()} instead of localhost" in shown
    answers = [httpx.post(f"http://{at}/v1/traces", json=span(), headers=each) for each in ({}, bearer(key))]
    assert [answer.status_code for answer in answers] == [401, 200]


def test_the_first_key_closes_the_open_door(start: Start, data: Path) -> None:
    """Made by another process while the collector runs; senders and askers need one from then on."""
    collector = start()
    assert sent(collector).status_code == 200
    assert asked(collector, "/api/v1/traces").status_code == 200
    assert "open to everyone on this machine: there is no key" in collector.log()
    key = made_key(data)
    until(lambda: sent(collector).status_code == 401, "keys are asked for")
    assert asked(collector, "/api/v1/traces").status_code == 401
    assert asked(collector, "/health").status_code == 200
    assert sent(collector, **bearer(key)).status_code == 200
    assert asked(collector, "/api/v1/traces", **bearer(key)).status_code == 200
    with control(data) as (_, keys):
        keys.revoke(key[:11])
    until(lambda: sent(collector, **bearer(key)).status_code == 401, "the key opens nothing")
    assert asked(collector, "/api/v1/traces", **bearer(key)).status_code == 401
    assert sent(collector).status_code == 401


def test_a_deleted_projects_keys_open_nothing(start: Start, data: Path) -> None:
    """Of a collector that runs, at all its doors."""
    key, other = made_key(data, "ours"), made_key(data, "theirs")
    collector = start()
    assert sent(collector, **bearer(key)).status_code == 200
    with control(data) as (projects, _):
        projects.delete("ours")
    until(lambda: sent(collector, **bearer(key)).status_code == 401, "the key opens nothing")
    assert asked(collector, "/api/v1/traces", **bearer(key)).status_code == 401
    assert sent(collector, **bearer(other)).status_code == 200


def test_what_a_key_sent_is_written_down(start: Start, data: Path) -> None:
    """And when it was last used; the rest at the end, so that its quota holds over a restart."""
    with control(data) as (_, keys):
        name = (new := keys.create("default", KeySettings(bytes_per_day=100))).shown.prefix
    collector = start(GLASSHOUSE_CONTROL__REFRESH_SECONDS="300")
    began = datetime.now(UTC)
    assert sent(collector, **bearer(new.secret)).status_code == 200
    assert collector.stop() == 0
    with control(data) as (_, keys):
        [day] = keys.usage(name)
        used = keys.get(name).last_used_at
    assert day.records == 1
    assert 0 < day.bytes < 100
    assert used is not None
    assert used >= began
    again = start()
    assert sent(again, **bearer(new.secret)).status_code == 200
    if (over := sent(again, **bearer(new.secret))).status_code == 200:
        assert datetime.now(UTC).date() > began.date()  # midnight came in between
        return
    assert over.status_code == 429
    assert 0 < int(over.headers["retry-after"]) <= 24 * 3600
    assert f"the key {name} may send 100 bytes a day and has" in over.json()["message"]


def test_metrics_are_the_operators(start: Start, data: Path) -> None:
    """Their labels are made of what every project sends; Prometheus gets a key of the own project."""
    keys = {
        "project's": made_key(data, "ours", Scope.ADMIN),
        "own": made_key(data, "_self", Scope.READ),
        "own, to send": made_key(data, "_self", Scope.INGEST),
        "operator's": made_key(data, "_self", Scope.ADMIN),
        "token": TOKEN,
    }
    collector = start(GLASSHOUSE_AUTH_TOKEN=TOKEN)
    answers = {name: asked(collector, "/metrics", **bearer(key)).status_code for name, key in keys.items()}
    assert answers == {"project's": 403, "own": 200, "own, to send": 403, "operator's": 200, "token": 200}
    assert asked(collector, "/metrics").status_code == 401


def test_the_api_tells_who_guesses_to_wait(start: Start, data: Path) -> None:
    """429 with Retry-After, which is counted; a right key passes all the same, also as a password."""
    key = made_key(data, "ours")
    operator = made_key(data, "_self", Scope.ADMIN)
    collector = start()
    path = "/api/v1/traces"
    guesses = [asked(collector, path, **bearer(f"guess-{number}")) for number in range(AT_ONCE + 1)]
    assert [answer.status_code for answer in guesses] == [401] * AT_ONCE + [429]
    assert int(guesses[-1].headers["retry-after"]) >= 1
    assert guesses[-1].headers["content-type"] == "application/problem+json"
    by_password = httpx.get(f"http://{collector.endpoints()['api']}{path}", auth=("any", key), timeout=60)
    assert by_password.status_code == 200
    counted = asked(collector, "/metrics", **bearer(operator)).text
    assert f'glasshouse_failed_attempts_total{{reason="wrong_key",scope="read"}} {AT_ONCE}.0' in counted
    assert 'glasshouse_failed_attempts_total{reason="too_many",scope="read"} 1.0' in counted


def test_no_key_is_written_anywhere(start: Start, data: Path) -> None:
    """Not in the log, in any file, or in the collector's own spans, even where headers are asked for."""
    right, other, ended = made_key(data), made_key(data, "ours", Scope.INGEST), made_key(data)
    operator = made_key(data, "_self", Scope.ADMIN)
    with control(data) as (_, keys):
        keys.revoke(ended[:11])
    collector = start(
        GLASSHOUSE_AUTH_TOKEN=TOKEN,
        GLASSHOUSE_PROCESSORS="[]",  # or `redact` would hide what the collector should not have said
        OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST=".*",
    )
    wrong = "gh_Wr0ngK3y_" + "x" * 43
    for key in (right, other, ended, wrong, TOKEN, operator):
        for headers in (bearer(key), {"X-API-Key": key}):
            sent(collector, **headers)
            asked(collector, "/api/v1/traces", **headers)
            asked(collector, "/api/v1/logs?text=%00", **headers)
        asked(collector, "/metrics", **bearer(key))

    def observed() -> bool:
        found = asked(collector, "/api/v1/traces?project=_self&limit=100", **bearer(operator)).json()
        return len(found["traces"]) > 10

    until(observed, "the collector has observed itself")
    query = "SELECT DISTINCT arrayJoin(mapValues(SpanAttributes)) FROM otel_traces"
    answer = httpx.post(
        f"http://{collector.endpoints()['api']}/api/v1/sql?project=_self",
        json={"query": query},
        headers=bearer(operator),
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    values = answer.text
    assert "[REDACTED]" in values, values
    assert collector.stop() == 0
    written = [path for path in data.rglob("*") if path.is_file()]
    assert len(written) > 10
    for key in (right, other, ended, wrong, operator, TOKEN):
        secret = key.split("_", 2)[2] if key.startswith("gh_") else key
        assert secret not in values
        assert secret not in collector.log()
        for path in written:
            assert secret.encode() not in path.read_bytes(), path


def test_a_database_that_is_away_holds_up_only_who_cannot_be_known(start: Start) -> None:
    """At the start keys are told to come back; later those that are known go on, and changes wait."""
    with postgresql() as address:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE DATABASE control")
        direct = address.replace("postgresql://", "postgresql+psycopg://").replace("/postgres", "/control")
        database = Database.open(direct)
        keys = Keys(database)
        key = keys.create("default").secret
        port = int(address.rpartition(":")[2].partition("/")[0])
        proxy = FaultyProxy(port, seed=1)
        try:
            proxy.be("down")
            url = direct.replace(f":{port}/", f":{proxy.port}/")
            collector = start(GLASSHOUSE_CONTROL__URL=url, GLASSHOUSE_AUTH_TOKEN=TOKEN)
            for answer in (sent(collector, **bearer(key)), asked(collector, "/api/v1/traces", **bearer(key))):
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "2"
                assert "not connected yet" in answer.text
            assert sent(collector, **bearer(TOKEN)).status_code == 200
            assert "keys" in asked(collector, "/ready").text
            proxy.be("well")
            until(lambda: sent(collector, **bearer(key)).status_code == 200, "the key is known")
            proxy.be("down")
            until(lambda: "those that are known go on" in collector.log(), "it says that they are away")
            keys.revoke(key[:11])
            assert sent(collector, **bearer(key)).status_code == 200
            proxy.be("well")
            until(lambda: sent(collector, **bearer(key)).status_code == 401, "the revocation is known")
            [day] = keys.usage(key[:11])
            assert day.records >= 2
            assert collector.log().count("those that are known go on") == 1
            assert collector.stop() == 0
        finally:
            proxy.stop()
            database.close()
