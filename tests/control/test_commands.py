"""`glasshouse projects` and `glasshouse keys`, as a user types them."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from collector_process import CollectorProcess, until
from glasshouse.cli import main
from glasshouse_collector.control.keys import KEY

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command on the data folder of a collector that has no keys yet."""
    (tmp_path / "data" / "journal").mkdir(parents=True)
    monkeypatch.setenv("GLASSHOUSE_DATA_DIR", str(tmp_path / "data"))

    def command(line: str, *more: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(main, [*line.split(), *more], input=answer)

    return command


def secret_of(made: Result) -> str:
    """Return the key alone on standard output."""
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert KEY.fullmatch(secret)
    return secret


def shown(run: Run, *more: str) -> dict[str, dict[str, object]]:
    """Return the listed keys by their beginning."""
    listed = json.loads(run("keys list --json", *more).stdout)["keys"]
    return {key["prefix"]: key for key in listed}


def test_projects_are_made_listed_and_deleted(run: Run) -> None:
    """Deleting asks first."""
    assert run("projects create", "My Shop", "--description", "Of [red]mine[/red]").exit_code == 0
    assert run("projects create Bank --id the-bank --quiet").stdout == "the-bank\n"
    listed = run("projects list").stdout
    assert "my-shop" in listed
    assert "Of [red]mine[/red]" in listed
    key = secret_of(run("keys create --project my-shop --quiet"))
    refused = run("projects delete my-shop", answer="n\n")
    assert refused.exit_code == 1
    assert "1 of its keys work" in refused.stderr
    deleted = run("projects delete my-shop --yes --json")
    assert json.loads(deleted.stdout) == {"project_id": "my-shop", "revoked_keys": 1}
    found = json.loads(run("projects list --json").stdout)["projects"]
    assert [project["project_id"] for project in found] == ["default", "_self", "the-bank"]
    assert shown(run)[key[:11]]["state"] == "revoked"


def test_a_key_is_made_as_asked_and_shown_once(run: Run) -> None:
    """With what is to be known of it beside it, on standard error."""
    made = run(
        "keys create --scope ingest --scope read --expires 90d --records-per-second 100 --bytes-per-day 5GB",
        "--name",
        "checkout",
    )
    secret = secret_of(made)
    assert "not shown again" in made.stderr
    assert "This is the first key there is" in made.stderr
    (key,) = shown(run).values()
    assert (key["project_id"], key["name"], key["scopes"]) == ("default", "checkout", ["ingest", "read"])
    assert (key["records_per_second"], key["bytes_per_day"]) == (100, 5_000_000_000)
    left = datetime.fromisoformat(str(key["expires_at"])) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)
    table = run("keys list").stdout
    assert secret[:11] in table
    assert secret not in table
    assert "5.0GB/day" in table
    told = json.loads(run("keys create --json --expires 2100-01-31").stdout)
    assert (told["expires_at"], told["note"]) == ("2100-01-31T00:00:00Z", None)
    assert KEY.fullmatch(told["api_key"])


def test_the_operators_key_is_said_to_be_one(run: Run) -> None:
    """Made with `--project _self --scope admin`."""
    made = run("keys create --project _self --scope admin")
    secret_of(made)
    assert "manages every project" in made.stderr


def test_keys_end_when_they_are_told_to(run: Run) -> None:
    """By their beginning, or the whole key; at once or later."""
    first, second, third = (secret_of(run("keys create --quiet")) for _ in range(3))
    assert "opens nothing any more" in run("keys revoke", first).stdout
    assert re.search(r"ends at \d{4}-\d\d-\d\d", run("keys revoke --after 1h", second[:11]).stdout)
    rotated = secret_of(run("keys rotate --overlap 2h --quiet", third[:11]))
    states = {prefix: key["state"] for prefix, key in shown(run, "--project", "default").items()}
    assert states == {
        first[:11]: "revoked",
        second[:11]: "active",
        third[:11]: "active",
        rotated[:11]: "active",
    }
    assert run("keys rotate --overlap 0 --json", rotated).exit_code == 0
    assert shown(run)[rotated[:11]]["state"] == "revoked"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keys create --project nothing", "there is no project nothing"),
        ("keys list --project nothing", "there is no project nothing"),
        ("keys create --scope everything", "--scope"),
        ("keys create --expires soon", "90d or 2027-01-31"),
        ("keys create --expires 999999w", "--expires"),
        ("keys create --expires 2001-01-01", "expires_at: a time to come"),
        ("keys create --expires 0001-01-01T00:00:00+14:00", "--expires"),
        ("keys create --bytes-per-day lots", "500MB or 5GB"),
        ("keys create --bytes-per-day 99999999999TB", "--bytes-per-day"),
        ("keys create --records-per-second 0", "--records-per-second"),
        ("keys revoke gh_nothing1", "there is no key gh_nothing1"),
        ("keys revoke gh_nothing1 --after 91d", "up to 90d"),
        ("keys rotate gh_nothing1 --overlap x", "30m, 24h or 7d"),
        ("projects create shop --id Shop", "project_id"),
        ("projects create default", "choose another project_id"),
        ("projects delete default --yes", "always there"),
        ("projects delete nothing --yes", "there is no project nothing"),
        ("keys list --config /nowhere.yaml", "there is no file"),
    ],
)
def test_a_mistake_is_said_in_one_line(run: Run, line: str, said: str) -> None:
    """With exit code 2, and nothing on standard output."""
    refused = run(line)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert refused.stdout == ""
    assert "Traceback" not in refused.output
    assert shown(run) == {}


@pytest.mark.parametrize("line", ["keys create", "keys list", "projects create Shop", "projects list"])
def test_a_folder_that_is_no_collectors_is_refused(run: Run, tmp_path: Path, line: str) -> None:
    """A key in a new database there would open nothing; nothing is made, and the folder is named."""
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "typo", tmp_path / "empty"):
        refused = run(line, "--data-dir", str(folder))
        assert refused.exit_code == 2
        assert f"there is no collector's data in {folder}" in refused.stderr
        assert refused.stdout == ""
    assert not (tmp_path / "typo").exists()
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_database_elsewhere_needs_no_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `control.url` says where keys are, any machine manages them."""
    monkeypatch.setenv("GLASSHOUSE_CONTROL__URL", f"sqlite:///{tmp_path}/elsewhere.db")
    assert run("projects create Shop --quiet", "--data-dir", str(tmp_path / "none")).stdout == "shop\n"
    assert not (tmp_path / "none").exists()


def test_a_database_that_is_away_or_none_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the setting to change."""
    monkeypatch.setenv("GLASSHOUSE_CONTROL__URL", "mysql://nowhere")
    assert "control.url" in run("keys list").stderr
    monkeypatch.setenv("GLASSHOUSE_CONTROL__URL", "postgresql+psycopg://user@127.0.0.1:1/none")
    refused = run("keys list")
    assert (refused.exit_code, "does not answer" in refused.stderr) == (2, True)


@pytest.fixture
def collector(run: Run, tmp_path: Path) -> Iterator[CollectorProcess]:
    """Run a collector on the same data folder, which reads its keys again soon."""
    process = CollectorProcess(tmp_path / "data", env={"GLASSHOUSE_CONTROL__REFRESH_SECONDS": "0.1"})
    yield process
    process.kill()


def test_a_running_collector_obeys_within_moments(run: Run, collector: CollectorProcess) -> None:
    """The first key closes its open door; a revoked one opens nothing."""
    projects = f"http://{collector.endpoints()['api']}/api/v1/projects"

    def status(key: str = "") -> int:
        return httpx.get(projects, headers={"X-API-Key": key} if key else {}).status_code

    assert status() == 200
    operator = secret_of(run("keys create --project _self --scope admin --quiet"))
    until(lambda: status() == 401, "the door is closed")
    assert status(operator) == 200
    run("projects create Shop")
    admin = secret_of(run("keys create --project shop --scope admin --quiet"))
    until(lambda: status(admin) == 200, "the key opens the door")
    assert run("keys revoke", admin).exit_code == 0
    until(lambda: status(admin) == 401, "the key opens nothing")
    until(lambda: shown(run)[operator[:11]]["last_used_at"] is not None, "its use is written down")
