"""The Python client, against a real API."""

import csv
import io
from typing import Any

import pytest

from asked_records import LOGS, TOKEN, TRACE
from glasshouse.client import ApiError, AsyncClient, Client, Unreachable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run what is async with asyncio."""
    return "asyncio"


def test_it_reads_a_page(client: Client) -> None:
    """With lists as repeated parameters, and only what was given."""
    page = client.logs(service_name=["checkout"], level=["error"], start_time="now-1h", limit=3)
    assert [log["severity_text"] for log in page["logs"]] == ["ERROR"] * 3
    assert page["next_cursor"] is not None


def test_it_reads_page_after_page(client: Client) -> None:
    """`each_log` ends where the last page does, and gives every record once."""
    bodies = [log["body"] for log in client.each_log(start_time="now-1h", order="oldest", limit=7)]
    assert [body.split()[1] for body in bodies] == [str(number) for number in range(LOGS)]


def test_it_puts_names_into_the_path(client: Client) -> None:
    """A trace by its id; what could leave the path is quoted."""
    assert [span["name"] for span in client.trace(TRACE)["spans"]] == ["step 0", "step 1", "step 2"]
    with pytest.raises(ApiError) as refused:
        client.trace("../../health")
    assert refused.value.status in {400, 404}


def test_it_sends_a_body(client: Client) -> None:
    """SQL with a value beside it."""
    answer = client.sql(
        query="SELECT count() AS n FROM otel_logs WHERE Body LIKE {like:String}",
        parameters={"like": "order%"},
    )
    assert answer["rows"] == [[str(LOGS)]]


def test_it_exports(client: Client) -> None:
    """Rows as CSV, of whatever has rows; an unknown format or operation is a mistake of the caller's."""
    text = client.export("logs", "csv", start_time="now-1h").decode()
    assert len(list(csv.DictReader(io.StringIO(text)))) == LOGS
    for operation, wanted in (("logs", "xlsx"), ("nothing", "csv"), ("_ask", "csv")):
        with pytest.raises(ValueError, match=r"^(format|operation): "):
            client.export(operation, wanted)


def test_what_is_refused_says_why(client: Client, address: str) -> None:
    """The problem's line, its status, and when to come back where it says so."""
    with pytest.raises(ApiError, match="400: start_time: 'yesterday' is no time") as refused:
        client.logs(start_time="yesterday")
    assert refused.value.status == 400
    assert refused.value.problem["title"] == "Bad Request"
    with Client(address, "gh_wrong") as stranger, pytest.raises(ApiError, match="401: the key that was sent"):
        stranger.logs()


def test_nobody_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nothing listens is `Unreachable`, with the address."""
    monkeypatch.setenv("GLASSHOUSE_API_URL", "http://127.0.0.1:1")
    with Client() as nobody, pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1"):
        nobody.logs()


def test_the_key_is_in_no_error_and_no_text(address: str) -> None:
    """Neither the client nor what it raises shows the key."""
    with Client(address, "secret-of-mine") as client:
        with pytest.raises(ApiError) as refused:
            client.logs()
        assert "secret-of-mine" not in repr(client) + str(refused.value) + repr(refused.value.problem)


async def test_it_asks_without_waiting(address: str) -> None:
    """The same operations, awaited; pages one after the other."""
    async with AsyncClient(address, TOKEN) as client:
        assert len((await client.logs(start_time="now-1h"))["logs"]) == LOGS
        found: list[Any] = [log async for log in client.each_log(start_time="now-1h", limit=10)]
        assert len(found) == LOGS
        assert (await client.export("logs", "ndjson", start_time="now-1h")).count(b"\n") == LOGS
        with pytest.raises(ApiError):
            await client.logs(start_time="yesterday")


def test_it_follows(client: Client) -> None:
    """The records of before come first, each with the id that goes on after it."""
    events = client.tail_logs(last=2, service_name=["checkout"])
    first, second = next(events), next(events)
    assert [first.name, second.name] == ["log", "log"]
    assert first.data["body"].startswith("order 23")
    assert second.id
