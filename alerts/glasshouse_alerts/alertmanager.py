"""`glasshouse alertmanager-config`: Alertmanager reads no variables, so its configuration is rendered.

What it makes is a folder that Alertmanager needs nothing beside of:

    alertmanager.yml    0600; holds no secret, only the paths of the files that do
    templates/          the texts of messages, copied
    secrets/            0700; a file of 0600 for each secret that was given as a variable itself
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from glasshouse_alerts.alertmanager_receivers import TEAMS_SINCE, collector, of_severity
from glasshouse_alerts.alertmanager_routes import inhibitions, tree
from glasshouse_alerts.alertmanager_variables import PREFIX, VARIABLES, Given, read
from glasshouse_collector.core.errors import ConfigurationError

VERSION = "0.28.1"
"""Of Alertmanager in docker-compose.yml."""

_SEVERITIES = ("critical", "high", "medium", "low")
_HEADER = "# Made by `glasshouse alertmanager-config` from GLASSHOUSE_ALERT_… variables: change those.\n"
_SECRET = {each.name for each in VARIABLES if each.secret}


class _Plain(yaml.SafeDumper):
    """Writes out what occurs twice, rather than referring to it."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


@click.command("alertmanager-config")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; its folder gets templates and secrets too.",
)
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    default=Path("alerts/alertmanager/templates"),
    show_default=True,
    help="Folder of message templates.",
)
@click.option("--alertmanager-version", default=VERSION, show_default=True, help="Version that will read it.")
def alertmanager_config(output: Path | None, templates: Path, alertmanager_version: str) -> None:
    """Render Alertmanager's configuration from GLASSHOUSE_ALERT_… variables (docs/alerts.md)."""
    try:
        warnings = _run(output, templates, alertmanager_version)
    except ConfigurationError as wrong:
        for line in str(wrong).splitlines():
            click.echo(f"error: {line}", err=True)
        sys.exit(2)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if output is not None:
        click.echo(f"{output} is written.")


def _run(output: Path | None, templates: Path, version: str) -> list[str]:
    given, teams = read(), _version(version) >= TEAMS_SINCE
    if not any(templates.glob("*.tmpl")):
        raise ConfigurationError(
            f"--templates: there is no *.tmpl in {templates.absolute()}; "
            "give the folder alerts/alertmanager/templates of the checkout"
        )
    if output is None:
        texts = str(templates.absolute() / "*.tmpl")
        click.echo(render(given, _named_files(given), [texts], teams=teams), nl=False)
    else:
        write(given, output, templates, teams=teams)
    return _warnings(given, version, teams=teams)


def write(given: Mapping[str, Given], output: Path, templates: Path, *, teams: bool = True) -> None:
    """Write the folder that the module's text describes. ConfigurationError where it cannot be written."""
    folder = output.absolute().parent
    try:
        secrets = {
            name: str(each.file or _keep(folder / "secrets" / name.lower().replace("_", "-"), each.value))
            for name, each in given.items()
            if name in _SECRET
        }
        (folder / "templates").mkdir(parents=True, exist_ok=True)
        for template in sorted(templates.glob("*.tmpl")):
            (folder / "templates" / template.name).write_bytes(template.read_bytes())
        # Files are read by name: what a later one defines takes the place of what is there.
        _replace(folder / "templates" / "links.tmpl", _links(given), 0o644)
        texts = [str(folder / "templates" / "*.tmpl")]
        _replace(output.absolute(), render(given, secrets, texts, teams=teams), 0o600)
    except OSError as failed:
        raise ConfigurationError(
            f"--output: {failed.filename or output} cannot be written: {failed.strerror}"
        ) from None


def render(
    given: Mapping[str, Given], secrets: Mapping[str, str], templates: list[str], *, teams: bool = True
) -> str:
    """Return alertmanager.yml; `secrets` are paths of files by variable."""
    values = {name: each.value for name, each in given.items() if name not in _SECRET}
    receivers = [of_severity(each, values, secrets, teams=teams) for each in _SEVERITIES]
    configuration: dict[str, Any] = {
        "templates": templates,
        "route": tree(),
        "inhibit_rules": inhibitions(),
        "receivers": [collector(values, secrets), *receivers],
    }
    return _HEADER + yaml.dump(configuration, Dumper=_Plain, sort_keys=False, width=1000, allow_unicode=True)


def _named_files(given: Mapping[str, Given]) -> dict[str, str]:
    """Return the paths of secrets; without a folder to write to, those that came by variable have none."""
    bare = [f"{PREFIX}{name}" for name, each in given.items() if name in _SECRET and each.file is None]
    if bare:
        raise ConfigurationError(
            f"{bare[0]}: a secret gets a file of its own, so --output is needed; or set {bare[0]}_FILE"
        )
    return {name: str(each.file) for name, each in given.items() if name in _SECRET}


def _keep(path: Path, secret: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    _replace(path, secret, 0o600)
    return path


def _replace(path: Path, text: str, mode: int) -> None:
    """Write a file so that it is never there in part, nor readable to more than `mode` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _links(given: Mapping[str, Given]) -> str:
    if "RUNBOOK_BASE_URL" not in given:
        return "{{/* GLASSHOUSE_ALERT_RUNBOOK_BASE_URL is not set. */}}\n"
    base = given["RUNBOOK_BASE_URL"].value.rstrip("/") + "/"
    return f'{{{{ define "glasshouse.runbooks" }}}}{{{{ {_go_string(base)} }}}}{{{{ end }}}}\n'


def _go_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _version(text: str) -> tuple[int, int]:
    match = re.match(r"v?(\d+)\.(\d+)", text)
    if match is None:
        raise ConfigurationError(f"--alertmanager-version: should be a version like {VERSION} (got {text!r})")
    return int(match[1]), int(match[2])


def _warnings(given: Mapping[str, Given], version: str, *, teams: bool) -> list[str]:
    told = []
    if "TEAMS_WEBHOOK_URL" in given and not teams:
        needed = ".".join(map(str, TEAMS_SINCE))
        told.append(f"Alertmanager {version} cannot send to Teams; {needed} or later can. Teams is left out")
    channels = {"PAGERDUTY_ROUTING_KEY", "SLACK_WEBHOOK_URL", "EMAIL_TO"} | (
        {"TEAMS_WEBHOOK_URL"} if teams else set()
    )
    if not channels & set(given):
        told.append(
            "alerts reach the list of /api/v1/alerts alone, at most; to tell people, set one of "
            f"{', '.join(sorted(PREFIX + each for each in channels))}"
        )
    if "PAGERDUTY_ROUTING_KEY" in given and len(channels & set(given)) == 1:
        told.append("only critical alerts are sent, to PagerDuty; set a chat or e-mail for the others")
    return told
