"""Settings: where they come from, and what a user is told about wrong ones."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel

from glasshouse.cli import main
from glasshouse_collector.config import Settings, effective, load
from glasshouse_collector.core.errors import ConfigurationError

DOCS = Path(__file__).parents[2] / "docs"


def _file(folder: Path, text: str) -> Path:
    path = folder / "glasshouse.yaml"
    path.write_text(text)
    return path


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source fills in what the ones before it left open."""
    path = _file(tmp_path, "port: 1\nhttp_port: 1\ngrpc_port: 1\njournal: {durability: os, max_bytes: 2MiB}")
    monkeypatch.setenv("GLASSHOUSE_PORT", "2")
    monkeypatch.setenv("GLASSHOUSE_HTTP_PORT", "2")
    monkeypatch.setenv("GLASSHOUSE_JOURNAL__DURABILITY", "fsync")
    settings = load(path, {"port": 3, "host": None})
    assert (settings.port, settings.http_port, settings.grpc_port) == (3, 2, 1)
    assert (settings.journal.durability, settings.journal.max_bytes) == ("fsync", 2 << 20)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("port: http", r"^port: .*integer.*'http'"),
        ("prot: 1", r"^prot: no such setting"),
        ("journal: {durability: never}", r"^journal\.durability: .*'fsync' or 'os'.*'never'"),
        ("journal: {max_bytes: 3}", r"^journal\.max_bytes: .*1048576"),
        ("batching: {max_bytes: 257MiB}", r"^batching\.max_bytes: .*268435456"),
        ("max_request_bytes: 257MiB", r"^max_request_bytes: .*268435456"),
        ("storage: {dsn: 'mysql://x'}", r"^storage\.dsn: .*clickhouse://"),
        ("storage: {cluster: 'a b;'}", r"^storage\.cluster: "),
        ("storage: {retention: {logs: 5m}}", r"^storage\.retention\.logs: "),
        ("receivers: {otlp_grcp: {}}", r"receivers\.otlp_grcp: no such component.*otlp_grpc"),
        ("receivers: {otlp_grpc: {prt: 1}}", r"^receivers\.otlp_grpc\.prt: no such setting"),
        ("processors: [{limit: {max_attributes: 0}}]", r"^processors\.limit\.max_attributes: .*1.*got 0"),
        ("processors: [{limit: {}, redact: {}}]", r"^processors: .*one name"),
        ("port: [", "glasshouse.yaml"),
        ("storage: {dsn: 'clickhouse://u:pw@host:port/db'}", r"^storage\.dsn: the port is no number"),
        ("storage: {dsn: 'clickhouse://u:p#w@host/db'}", r"^storage\.dsn: .*%23"),
        ("port: 4317", r"grpc_port and port are both 4317"),
        ("just text", "settings by name"),
        ("- a list", "settings by name"),
        ("\x00", "glasshouse.yaml"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(text: str, names: str, tmp_path: Path) -> None:
    """Each mistake ends as one clear line, never a traceback."""
    with pytest.raises(ConfigurationError) as refused:
        load(_file(tmp_path, text), {})
    assert re.search(names, str(refused.value)), str(refused.value)


def test_check_prints_what_is_in_force_and_masks_secrets(tmp_path: Path) -> None:
    """Defaults of components are filled in; neither token nor password is shown."""
    path = _file(
        tmp_path,
        "auth_token: s3cr3t\nstorage: {dsn: 'clickhouse://bob:hunter2@db:8123/x', retention: {logs: 30d}}",
    )
    result = CliRunner().invoke(main, ["check", "--config", str(path)])
    assert result.exit_code == 0, result.output
    shown = yaml.safe_load(result.output)
    assert "s3cr3t" not in result.output
    assert "hunter2" not in result.output
    assert shown["storage"]["dsn"] == "clickhouse://bob:**********@db:8123/x"
    assert shown["storage"]["retention"]["logs"] == "P30D"
    assert shown["processors"][0]["limit"]["max_attributes"] == 128


@pytest.mark.parametrize("arguments", [["check"], ["serve"], ["migrate"], ["dlq", "list"]])
def test_a_command_with_a_wrong_setting_ends_with_exit_code_2(arguments: list[str], tmp_path: Path) -> None:
    """Every command that reads settings refuses wrong ones the same way."""
    path = _file(tmp_path, "port: x")
    result = CliRunner().invoke(main, [*arguments, "--config", str(path)])
    assert result.exit_code == 2
    assert "error: port:" in result.output
    assert "Traceback" not in result.output


def test_a_missing_file_is_named() -> None:
    """A file that is not there is no empty file."""
    with pytest.raises(ConfigurationError, match=r"--config: there is no file /no/such"):
        load(Path("/no/such"), {})


def test_what_check_prints_can_be_read_again(tmp_path: Path) -> None:
    """The effective settings are a valid file."""
    first = effective(load(None, {"data_dir": tmp_path}))
    assert effective(load(_file(tmp_path, first), {})) == first


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _names(annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


@pytest.mark.parametrize("name", sorted(_names(Settings)))
def test_every_setting_is_documented(name: str) -> None:
    """Each stands in the table of docs/configuration.md."""
    text = (DOCS / "configuration.md").read_text()
    section, _, leaf = name.rpartition(".")
    assert f"`{name}`" in text or (f"`{section}." in text and f"`.{leaf}`" in text)


@pytest.mark.parametrize(
    "text",
    [
        "storage: {dsn: 'postgres://u:s3cr3tpw@host/db'}",
        "storage: {dsn: 's3cr3tpw@host'}",
        "storage: 'clickhouse://u:s3cr3tpw@host/db'",
        "storage: {dsn: 'clickhouse://u:s3cr3tpw#x@host:8123/db'}",
        "storage: {dsn: 'clickhouse://u:x/s3cr3tpw@host:8123/db'}",
        "storage: {dsn: 'clickhouse://host:8123/db?user=u&password=s3cr3tpw'}",
        "auth_token: [s3cr3tpw]",
    ],
)
def test_a_wrong_secret_is_not_repeated(text: str, tmp_path: Path) -> None:
    """A mistake beside a password does not print the password."""
    with pytest.raises(ConfigurationError) as refused:
        load(_file(tmp_path, text), {})
    assert "s3cr3tpw" not in str(refused.value)


def test_a_variable_that_sets_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error shows; what the SDK and the alerts read is none."""
    for name in ("PROT", "PORT", "JOURNAL__DURABILITY", "API_KEY", "ALERT_EMAIL_TO", "CONFIGURATION"):
        monkeypatch.setenv(f"GLASSHOUSE_{name}", {"PORT": "1", "JOURNAL__DURABILITY": "os"}.get(name, "x"))
    ended = CliRunner().invoke(main, ["check"])
    assert ended.exit_code == 0
    assert ended.stderr == (
        "warning: GLASSHOUSE_CONFIGURATION is no setting, and changes nothing\n"
        "warning: GLASSHOUSE_PROT is no setting, and changes nothing\n"
    )


def test_a_variable_within_one_component_leaves_the_others_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To set something is not to choose; a file, or a whole variable, chooses."""
    monkeypatch.setenv("GLASSHOUSE_EXPORTERS__PROMETHEUS__MAX_SERIES", "5000")
    assert load(None, {}).exporters == {"clickhouse": {}, "prometheus": {"max_series": "5000"}}
    chosen = _file(tmp_path, "exporters: {discard: {}}")
    assert set(load(chosen, {}).exporters) == {"discard", "prometheus"}
    monkeypatch.delenv("GLASSHOUSE_EXPORTERS__PROMETHEUS__MAX_SERIES")
    assert set(load(chosen, {}).exporters) == {"discard"}
    monkeypatch.setenv("GLASSHOUSE_EXPORTERS", '{"clickhouse": {}}')
    assert set(load(None, {}).exporters) == {"clickhouse"}
