"""What `glasshouse alertmanager-config` renders, by amtool and by a real Alertmanager."""

import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from glasshouse.cli import main
from glasshouse_alerts.alertmanager_variables import PREFIX, VARIABLES

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "alerts" / "alertmanager" / "templates"
CHANNELS = {
    "pagerduty": {"PAGERDUTY_ROUTING_KEY": "0123456789abcdef0123456789abcdef"},
    "slack": {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/S3CRET", "SLACK_CHANNEL": "#alerts"},
    "teams": {"TEAMS_WEBHOOK_URL": "https://teams.example.com/S3CRET"},
    "mail": {
        "EMAIL_TO": "a@example.com, b@example.com",
        "EMAIL_FROM": "Alerts <alerts@example.com>",
        "EMAIL_SMARTHOST": "mail.example.com:587",
        "EMAIL_USERNAME": "alerts",
        "EMAIL_PASSWORD": "S3CRET: 'quoted' {{ and }} odd",
    },
    "webhook": {
        "WEBHOOK_URL": "http://127.0.0.1:8000/api/v1/alerts/webhook",
        "WEBHOOK_TOKEN": "S3CRET-token",
    },
}
ALL = {name: value for channel in CHANNELS.values() for name, value in channel.items()}


def render(values: dict[str, str], *options: str) -> Result:
    """Run the command with these variables, by their names without the prefix."""
    clear: dict[str, str | None] = {PREFIX + each.name: None for each in VARIABLES}
    environment = clear | {PREFIX + name: value for name, value in values.items()}
    command = ["alertmanager-config", "--templates", str(TEMPLATES), *options]
    return CliRunner().invoke(main, command, env=environment)


def written(folder: Path, values: dict[str, str], *options: str) -> Path:
    """Return the file that the command has written."""
    output = folder / "alertmanager.yml"
    answer = render(values, "--output", str(output), *options)
    assert answer.exit_code == 0, answer.output
    return output


def receivers(file: Path) -> dict[str, dict[str, Any]]:
    """Return what is in each receiver, by its name."""
    return {each["name"]: each for each in yaml.safe_load(file.read_text())["receivers"]}


@pytest.fixture(scope="session")
def amtool() -> str:
    """Return the program that checks configurations."""
    program = shutil.which("amtool")
    if program is None:
        pytest.skip("amtool is not installed: make servers")
    return program


COMBINATIONS = [
    chosen for count in range(len(CHANNELS) + 1) for chosen in itertools.combinations(sorted(CHANNELS), count)
]


@pytest.mark.parametrize("chosen", COMBINATIONS, ids=lambda chosen: "-".join(chosen) or "none")
def test_every_combination_is_taken(amtool: str, tmp_path: Path, chosen: tuple[str, ...]) -> None:
    """Debian's Alertmanager, 0.25, starts with any set of channels."""
    values = {name: value for channel in chosen for name, value in CHANNELS[channel].items()}
    file = written(tmp_path, values, "--alertmanager-version", "0.25")
    checked = subprocess.run([amtool, "check-config", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    sendable = set(chosen) - {"teams"}
    if sendable - {"webhook", "pagerduty"}:
        assert all(len(each) > 1 for name, each in receivers(file).items() if name != "collector")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["severity=critical", "service_name=shop"], "collector,critical"),
        (["severity=high"], "collector,high"),
        (["severity=medium"], "collector,medium"),
        (["severity=low"], "collector,low"),
        (["severity=warning"], "collector,high"),
        ([], "collector,high"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "+".join(value) or "nothing",
)
def test_routes(amtool: str, tmp_path: Path, labels: list[str], expected: str) -> None:
    """The collector hears of everything, people by severity; nothing goes nowhere."""
    file = written(tmp_path, ALL, "--alertmanager-version", "0.25")
    command = [amtool, "config", "routes", "test", "--config.file", str(file), *labels]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == expected


def test_severities_reach_their_channels(tmp_path: Path) -> None:
    """PagerDuty for the critical alone; low ones by mail alone."""
    found = receivers(written(tmp_path, ALL))
    channels = {name: sorted(key for key in each if key != "name") for name, each in found.items()}
    chat = ["msteamsv2_configs", "slack_configs"]
    assert channels == {
        "collector": ["webhook_configs"],
        "critical": sorted([*chat, "email_configs", "pagerduty_configs"]),
        "high": sorted([*chat, "email_configs"]),
        "medium": chat,
        "low": ["email_configs"],
    }


def test_secrets_are_in_files_of_their_own(tmp_path: Path) -> None:
    """No secret stands in the configuration; each is in a file that its owner alone can read."""
    file = written(tmp_path / "new" / "folder", ALL)
    secrets = {name: value for name, value in ALL.items() if name in {v.name for v in VARIABLES if v.secret}}
    text = file.read_text()
    assert not any(secret in text for secret in secrets.values())
    assert file.stat().st_mode & 0o777 == 0o600
    folder = file.parent / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    assert kept == {name.lower().replace("_", "-"): value for name, value in secrets.items()}
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert str(path) in text


def test_secrets_that_are_files_already_stay_where_they_are(tmp_path: Path) -> None:
    """As containers get them: the configuration names the same files, and nothing is copied."""
    values = {}
    for name, value in ALL.items():
        (tmp_path / name).write_text(value + "\n")
        values[name + "_FILE"] = str(tmp_path / name)
    direct = written(tmp_path / "direct", ALL).read_text()
    filed = written(tmp_path / "filed", values)
    assert not (filed.parent / "secrets").exists()
    assert filed.read_text().count(str(tmp_path / "SLACK_WEBHOOK_URL")) == direct.count("slack-webhook-url")
    assert render(values).exit_code == 0
    assert "api_url_file" in render(values).output


def test_teams_needs_a_newer_alertmanager(tmp_path: Path) -> None:
    """For an older one it is left out, and said."""
    answer = render(
        CHANNELS["teams"], "--output", str(tmp_path / "a.yml"), "--alertmanager-version", "v0.27.0"
    )
    assert answer.exit_code == 0
    assert "0.28 or later can. Teams is left out" in answer.output
    assert "to tell people, set one of GLASSHOUSE_ALERT_" in answer.output
    assert "msteams" not in (tmp_path / "a.yml").read_text()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"SLACK_WEBHOOK_URL": "hooks.slack.com/S3CRET"}, "SLACK_WEBHOOK_URL: should be an address"),
        (
            {"WEBHOOK_URL": "ftp://x"},
            "WEBHOOK_URL: should be an address like https://example.com/path (got 'ftp://x')",
        ),
        ({"EMAIL_TO": "a@example.com"}, "EMAIL_FROM: is needed, since GLASSHOUSE_ALERT_EMAIL_TO is set"),
        (CHANNELS["mail"] | {"EMAIL_TO": "nobody"}, "EMAIL_TO: should be e-mail addresses"),
        (CHANNELS["mail"] | {"EMAIL_SMARTHOST": "mail:99999"}, "EMAIL_SMARTHOST: should be host:port"),
        (CHANNELS["mail"] | {"EMAIL_STARTTLS": "no"}, "EMAIL_STARTTLS: should be true or false (got 'no')"),
        ({"SLACK_CHANEL": "#x"}, "SLACK_CHANEL: there is no such variable"),
        ({"WEBHOOK_TOKEN": "S3CRET"}, "WEBHOOK_URL: is needed"),
        (
            {"PAGERDUTY_ROUTING_KEY_FILE": "/nowhere/key"},
            "KEY_FILE: /nowhere/key cannot be read: No such file",
        ),
        ({"PAGERDUTY_ROUTING_KEY_FILE": "/dev/null"}, "KEY_FILE: /dev/null is empty"),
        (
            {"PAGERDUTY_ROUTING_KEY_FILE": "/dev/null", "PAGERDUTY_ROUTING_KEY": "x"},
            "PAGERDUTY_ROUTING_KEY: is set, and GLASSHOUSE_ALERT_PAGERDUTY_ROUTING_KEY_FILE too",
        ),
        (CHANNELS["pagerduty"], "a secret gets a file of its own, so --output is needed"),
    ],
    ids=lambda value: value.partition(":")[0].lower() if isinstance(value, str) else "",
)
def test_mistakes_are_named(values: dict[str, str], told: str) -> None:
    """The variable, what was wrong, what would be right; exit code 2, and never a secret."""
    answer = render(values)
    assert answer.exit_code == 2
    assert told in answer.output
    assert "S3CRET" not in answer.output


def test_a_folder_without_templates_is_said(tmp_path: Path) -> None:
    """Messages would come without text."""
    answer = render(ALL, "--output", str(tmp_path / "a.yml"), "--templates", str(tmp_path))
    assert answer.exit_code == 2
    assert "--templates: " in answer.output


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """By its path."""
    (tmp_path / "file").touch()
    answer = render(ALL, "--output", str(tmp_path / "file" / "alertmanager.yml"))
    assert answer.exit_code == 2
    assert "--output: " in answer.output
    assert "Traceback" not in answer.output


def test_empty_means_unset(tmp_path: Path) -> None:
    """Compose hands over variables that nobody has set as empty ones."""
    nothing = {each.name + suffix: "" for each in VARIABLES for suffix in ("", "_FILE")}
    found = receivers(written(tmp_path, nothing))
    assert [list(each) for each in found.values()] == [["name"]] * 5


def test_the_documentation_has_every_variable() -> None:
    """The table in docs/alerts.md, word for word."""
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    for each in VARIABLES:
        assert f"| `{PREFIX}{each.name}` | {each.meaning} |" in text
