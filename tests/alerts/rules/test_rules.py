"""The alert and recording rules, by promtool, and what each alert has to have."""

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "alerts" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
CASES = sorted((PROMETHEUS / "tests").glob("*.yml"))
SEVERITIES = {"critical", "high", "medium", "low"}

_RECORDED = re.compile(r"\b((?:service|service_operation|edge|project|exporter|slo|limit):[a-zA-Z0-9_:]+)")


@functools.cache
def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in _load(path)["groups"] for rule in group["rules"]]


ALERTS = [rule for rule in _rules() if "alert" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})


@pytest.fixture(scope="session")
def promtool() -> str:
    """Return the program that checks and tries rules."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: make servers")
    return program


def _run(*command: str | Path, folder: Path = PROMETHEUS) -> str:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_rules_are_well_formed(promtool: str) -> None:
    """Prometheus takes them as they are; a warning (of a rule that is there twice) counts."""
    _run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("cases", CASES, ids=lambda path: str(path.stem))
def test_cases(promtool: str, cases: Path) -> None:
    """Each case makes its alert fire with these labels and annotations, or leaves it silent."""
    _run(promtool, "test", "rules", cases.name, folder=cases.parent)


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_tried_both_ways(name: str) -> None:
    """One case in which it fires, with labels and annotations, and one in which it stays silent."""
    tried = [
        each["exp_alerts"]
        for path in CASES
        for case in _load(path)["tests"]
        for each in case.get("alert_rule_test", [])
        if each["alertname"] == name
    ]
    assert any(tried), f"{name}: no case in which it fires"
    assert not all(tried), f"{name}: no case in which it stays silent"
    for fired in (each for alerts in tried for each in alerts):
        assert fired["exp_labels"]["severity"] in SEVERITIES
        assert {"summary", "description", "runbook_url"} == set(fired["exp_annotations"])
        assert "<no value>" not in str(fired), f"{name}: a label is missing in its text"


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_says_what_people_need(name: str) -> None:
    """A severity that is routed, two texts, and a runbook of its own name that is there."""
    for rule in (each for each in ALERTS if each["alert"] == name):
        assert rule["labels"]["severity"] in SEVERITIES
        assert {"summary", "description", "runbook_url"} == set(rule["annotations"])
        kebab = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{kebab}.md"
        page = (ROOT / rule["annotations"]["runbook_url"]).read_text(encoding="utf-8")
        assert page.startswith(f"# {name}\n")
        for heading in ("## What it means", "## Look at", "## What to do"):
            assert heading in page
        assert rule["labels"]["severity"] in page.split("##", 1)[0]


def test_no_runbook_is_left_over() -> None:
    """A page belongs to an alert, and the index names each."""
    folder = ROOT / "docs" / "runbooks"
    pages = {f"docs/runbooks/{path.name}" for path in folder.glob("*.md")} - {"docs/runbooks/README.md"}
    assert pages == {rule["annotations"]["runbook_url"] for rule in ALERTS}
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"[{name}](" not in index] == []


def test_what_is_asked_is_recorded() -> None:
    """A mistyped name of a recording rule gives no error in Prometheus, only silence."""
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    asked = {name for rule in _rules() for name in _RECORDED.findall(rule["expr"])}
    assert asked - recorded == set()


@pytest.mark.parametrize("environment", ["local", "compose"])
def test_configuration(promtool: str, tmp_path: Path, environment: str) -> None:
    """The folder that docs/alerts.md describes is one that Prometheus starts with, without a warning."""
    shutil.copy(PROMETHEUS / "prometheus.yml", tmp_path)
    shutil.copytree(PROMETHEUS / "rules", tmp_path / "rules")
    shutil.copytree(PROMETHEUS / "targets" / environment, tmp_path / "targets")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "collector-token").touch()
    told = _run(promtool, "check", "config", "prometheus.yml", folder=tmp_path)
    assert "WARNING" not in told
    assert told.count("SUCCESS") == 2 + len(RULES)
