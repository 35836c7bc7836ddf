"""The sink answers as ClickHouse does and keeps no telemetry."""

from collections.abc import Iterator

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from programs import Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """Run a sink."""
    with Sink() as running:
        yield running


@pytest.fixture
def client(sink: Sink) -> Iterator[Client]:
    """Connect to it."""
    connected = clickhouse_connect.get_client(dsn=f"{sink.url}/default")
    yield connected
    connected.close()


def test_questions_and_other_tables_are_real(client: Client) -> None:
    """Tables can be made, and what is no telemetry is kept and found."""
    client.command("CREATE TABLE kept (id UInt32, name String) ENGINE = MergeTree ORDER BY id")
    client.insert("kept", [[1, "one"], [2, "two"]], column_names=["id", "name"])
    client.command("INSERT INTO kept VALUES (3, 'three')")
    found = client.query(
        "SELECT name FROM kept WHERE id > {least:UInt32} ORDER BY id", parameters={"least": 1}
    )
    assert found.result_rows == [("two",), ("three",)]


def test_telemetry_is_counted_and_forgotten(sink: Sink, client: Client) -> None:
    """An insert into a table of telemetry succeeds, is counted, and leaves no row."""
    client.command("CREATE TABLE otel_traces (id UInt32) ENGINE = MergeTree ORDER BY id")
    before = sink.counts()
    client.insert_arrow("otel_traces", pa.table({"id": pa.array(range(1000), pa.uint32())}))
    after = sink.counts()
    assert after["inserts"] == before["inserts"] + 1
    assert after["wire_bytes"] > before["wire_bytes"]
    assert client.command("SELECT count() FROM otel_traces") == 0


def test_a_wrong_question_is_told_so(client: Client) -> None:
    """The engine's own message comes back."""
    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="nowhere"):
        client.command("SELECT * FROM nowhere")
