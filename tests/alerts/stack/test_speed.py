"""The files of alerts/ with their durations divided: the same rules, sooner."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_alerts.stack_files import SOURCE, StackFiles, auth_token
from glasshouse_alerts.stack_speed import divided, hastened

FILES = sorted((SOURCE / "prometheus").glob("*.yml")) + sorted(
    (SOURCE / "prometheus" / "rules").glob("*.yml")
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_at_the_speed_of_one_a_file_is_the_very_same(file: Path) -> None:
    """Comments and all."""
    text = file.read_text()
    assert hastened(text, 1) == text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_durations_change(file: Path) -> None:
    """Whoever takes the durations out of both finds the same file."""
    once, faster = yaml.safe_load(file.read_text()), yaml.safe_load(hastened(file.read_text(), 30))
    assert _without_durations(faster) == _without_durations(once)


def _without_durations(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_durations(each) for name, each in value.items() if name != "scrape_timeout"}
    if isinstance(value, list):
        return [_without_durations(each) for each in value]
    return re.sub(r"\b(\d+(ms|[smhdwy]))+\b", "…", value) if isinstance(value, str) else value


PROMQL = [
    ("rate(a[5m])", "rate(a[10000ms])"),
    ("rate(a[1h30m])", "rate(a[180000ms])"),
    ("a offset 1d", "a offset 2880000ms"),
    ("a offset -1m", "a offset -2000ms"),
    ("max_over_time(rate(a[5m])[1h:1m])", "max_over_time(rate(a[10000ms])[120000ms:2000ms])"),
    ("max_over_time(a[1h:])", "max_over_time(a[120000ms:])"),
    ('a{b=~"[0-9]+m",c="5m"} > 300', 'a{b=~"[0-9]+m",c="5m"} > 300'),
    ("service:errors:rate5m > 0", "service:errors:rate5m > 0"),
    ("a > 300", "a > 300"),
]


@pytest.mark.parametrize(("expression", "sooner"), PROMQL)
def test_ranges_and_offsets_of_promql_are_divided(expression: str, sooner: str) -> None:
    """Names, numbers and label values are none."""
    rule = yaml.safe_dump({"groups": [{"rules": [{"expr": expression, "for": "5m"}]}]})
    [group] = yaml.safe_load(hastened(rule, 30))["groups"]
    assert group["rules"] == [{"expr": sooner, "for": "10000ms"}]


def test_the_timeout_of_a_scrape_is_left_to_its_interval() -> None:
    """A scrape takes as long as it did before, and Prometheus refuses a timeout above the interval."""
    faster = yaml.safe_load(hastened("global: {scrape_interval: 15s, scrape_timeout: 10s}", 30))
    assert faster == {"global": {"scrape_interval": "500ms"}}


@given(
    st.lists(st.tuples(st.integers(1, 500), st.sampled_from("wdhms")), min_size=1, max_size=4),
    st.integers(1, 60),
)
def test_a_duration_is_divided_to_the_millisecond(parts: list[tuple[int, str]], speed: int) -> None:
    """Whatever its units are."""
    seconds = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
    written = "".join(f"{count}{unit}" for count, unit in parts)
    total = sum(count * seconds[unit] for count, unit in parts) * 1000
    assert abs(int(divided(written, speed).removesuffix("ms")) - total / speed) <= 0.5


@pytest.fixture(params=[1, 30])
def laid_out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return Prometheus's configuration in a folder of the stack, at one speed and another."""
    files = StackFiles(tmp_path, request.param)
    return files.write_prometheus(collector="127.0.0.1:1", alertmanager="127.0.0.1:2", token="secret-key")


def test_promtool_takes_the_whole_folder(laid_out: Path) -> None:
    """Configuration, rules, targets and the key's file, which nobody else may read."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: `make servers`")
    done = subprocess.run(
        [promtool, "check", "config", laid_out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rules = list((SOURCE / "prometheus" / "rules").glob("*.yml"))
    assert len(list((laid_out.parent / "rules").glob("*.yml"))) == len(rules) > 0
    secret = laid_out.parent / "secrets" / "collector-token"
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("secret-key", 0o600)


def test_what_an_earlier_run_left_is_gone(tmp_path: Path) -> None:
    """A rule that was taken out of the repository does not live on."""
    files = StackFiles(tmp_path, 1)
    written = files.write_prometheus(collector="a:1", alertmanager="b:2", token="")
    (written.parent / "rules" / "old.yml").write_text("groups: []")
    files.write_prometheus(collector="c:3", alertmanager="d:4", token="")
    assert not (written.parent / "rules" / "old.yml").exists()
    assert yaml.safe_load((written.parent / "targets" / "collector.yml").read_text()) == [
        {"targets": ["c:3"]}
    ]


def test_the_collector_s_key_is_found_where_it_finds_it(tmp_path: Path) -> None:
    """In the variable, else in the file; a file that is wrong is for the collector to refuse."""
    file = tmp_path / "settings.yaml"
    file.write_text("auth_token: of-the-file\n")
    assert auth_token(file, {"GLASSHOUSE_AUTH_TOKEN": "of-the-variable"}) == "of-the-variable"
    assert auth_token(file, {}) == auth_token(None, {"GLASSHOUSE_CONFIG": str(file)}) == "of-the-file"
    assert auth_token(None, {}) == ""
    file.write_text("{")
    assert auth_token(file, {}) == ""
