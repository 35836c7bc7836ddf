"""Objectives become rules; their arithmetic is held against simulated traffic by promtool."""

import shutil
import subprocess
import tempfile
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from glasshouse.cli import main
from glasshouse_alerts.slo_objectives import Objectives, read
from glasshouse_alerts.slo_rules import render
from glasshouse_collector.core.errors import ConfigurationError

ALERTS = Path(__file__).parents[3] / "alerts"
_GOOD: dict[str, Any] = {"name": "shop", "service": "shop", "objective": 99, "sli": "availability"}
_SERVED = 'project="default",service_name="shop",span_name="GET /",span_kind="SPAN_KIND_SERVER",status_code='
_WINDOWS = {"5m": 5, "30m": 30, "1h": 60, "2h": 120, "6h": 360}


def test_the_rules_are_those_of_the_objectives(tmp_path: Path) -> None:
    """Who changes alerts/slo.yaml makes the rules anew: `glasshouse slo generate`."""
    output = tmp_path / "slo.yml"
    command = ["slo", "generate", "--input", str(ALERTS / "slo.yaml"), "--output", str(output)]
    answer = CliRunner().invoke(main, command)
    assert answer.exit_code == 0, answer.output
    assert output.read_text() == (ALERTS / "prometheus" / "rules" / "slo.yml").read_text()


def test_objectives_are_listed_with_their_budgets() -> None:
    """What 99 % means is easier to see in minutes."""
    answer = CliRunner().invoke(main, ["slo", "list", "--input", str(ALERTS / "slo.yaml")])
    assert answer.exit_code == 0, answer.output
    assert "checkout-availability: 99 % of checkout over 30 days: 432 minutes" in answer.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"objective": 100}, "slos.0.objective: "),
        ({"objective": 90}, "objective: should be above 93.06 over 30 days"),
        ({"objective": "much"}, "slos.0.objective: "),
        ({"window": "30"}, "slos.0.window: should be days or weeks, like 30d or 4w (got '30')"),
        ({"window": "1d"}, "slos.0.window: "),
        ({"sli": "speed"}, "slos.0.sli: should be availability, or {latency_milliseconds: 400}"),
        ({"sli": {"latency_milliseconds": 300}}, "slos.0.sli.latency_milliseconds: 300 is no bound"),
        ({"sli": {"latency_milliseconds": 400, "share": 1}}, "share: no such setting"),
        ({"name": "Shop Availability"}, "slos.0.name: should be small letters"),
        ({"service": "a\nb"}, "slos.0.service: should be one line"),
        ({"servce": "shop"}, "slos.0.servce: no such setting"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    """The field, what was wrong, and what would be right; exit code 2."""
    source = tmp_path / "slo.yaml"
    source.write_text(yaml.safe_dump({"slos": [_GOOD | change]}))
    answer = CliRunner().invoke(main, ["slo", "generate", "--input", str(source), "--output", "-"])
    assert answer.exit_code == 2
    assert told in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize("text", ["", "[]", "slos: {", "slos: [1]", "slos: [{}]", "\x00"])
def test_what_is_no_file_of_objectives_is_said(tmp_path: Path, text: str) -> None:
    """Any text gives rules or one clear error."""
    source = tmp_path / "slo.yaml"
    source.write_text(text)
    with pytest.raises(ConfigurationError):
        read(source)


def test_a_missing_file_and_a_name_that_is_taken_are_said(tmp_path: Path) -> None:
    """Both by name."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path / "typo.yaml")
    twice = tmp_path / "slo.yaml"
    twice.write_text(yaml.safe_dump({"slos": [_GOOD, _GOOD]}))
    with pytest.raises(ConfigurationError, match=r"slos\.1\.name: shop is taken by slos\.0"):
        read(twice)


def test_names_with_quotes_and_dots_stay_names(tmp_path: Path) -> None:
    """A service or operation may be called anything, and is matched literally."""
    odd = {"service": 'a"b\\c', "operations": ["GET /a.b/{id}", "x|y"], "environment": "eu (1)"}
    rules = _write(tmp_path, Objectives.model_validate({"slos": [_GOOD | odd]}))
    if (program := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed: make servers")
    checked = subprocess.run([program, "check", "rules", rules], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert 'span_name=~"GET /a\\\\.b/\\\\{id\\\\}|x\\\\|y"' in rules.read_text()


def _write(folder: Path, objectives: Objectives) -> Path:
    rules = folder / "slo.yml"
    rules.write_text(render(objectives), encoding="utf-8")
    return rules


# Each example runs promtool: to shrink one that fails would take minutes.
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    objective=st.sampled_from([95.0, 99.0, 99.5, 99.9]),
    phases=st.lists(st.tuples(st.integers(1, 7), st.integers(0, 100)), min_size=7, max_size=14),
)
def test_burn_rates_are_the_share_of_bad_requests(objective: float, phases: list[tuple[int, int]]) -> None:
    """Over half-hours with any share of errors, each window has its share, and the pager its word.

    Each phase has so many hundred requests a minute, and so many of a hundred fail.
    """
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: make servers")
    minutes = [phase for phase in phases for _ in range(60)]
    bad = [0, *accumulate(hundreds * failing for hundreds, failing in minutes)]
    good = [0, *accumulate(hundreds * (100 - failing) for hundreds, failing in minutes)]
    at = len(minutes)

    def share(window: str) -> float:
        start = at - _WINDOWS[window]
        failed, served = bad[at] - bad[start], good[at] - good[start]
        return failed / (failed + served)

    budget = (100 - objective) / 100
    fires = min(share("1h"), share("5m")) > 14.4 * budget or min(share("6h"), share("30m")) > 6 * budget
    # Where a share is on a limit, binary fractions decide.
    limits = {(w, f): abs(share(w) - f * budget) < 1e-9 for w in _WINDOWS for f in (14.4, 6)}
    if any(limits.values()):
        return
    with tempfile.TemporaryDirectory() as folder:
        objectives = Objectives.model_validate({"slos": [_GOOD | {"objective": objective}]})
        rules = _write(Path(folder), objectives)
        test = _simulation(rules, {"ERROR": bad, "UNSET": good}, at, {w: share(w) for w in _WINDOWS}, fires)
        (Path(folder) / "test.yml").write_text(yaml.safe_dump(test, width=10_000))
        command = [program, "test", "rules", "test.yml"]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _simulation(
    rules: Path, counts: dict[str, list[int]], at: int, shares: dict[str, float], fires: bool
) -> dict[str, Any]:
    """Return promtool's file: the shares as recorded, and whether anybody is paged."""
    series = [
        {
            "series": f'traces_span_metrics_calls_total{{{_SERVED}"STATUS_CODE_{status}"}}',
            "values": " ".join(map(str, values)),
        }
        for status, values in counts.items()
    ]
    questions = {
        f"abs(slo:sli_error:ratio_rate{window} - {value!r}) < bool 1e-9" for window, value in shares.items()
    }
    questions.add(f'(count(ALERTS{{alertname="SloBurnsFast"}}) or vector(0)) == bool {int(fires)}')
    groups = [group["name"] for group in yaml.safe_load(rules.read_text())["groups"]]
    return {
        "rule_files": [rules.name],
        "evaluation_interval": "5m",
        "group_eval_order": groups,
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": f"sum({question})",
                        "eval_time": f"{at}m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                    for question in sorted(questions)
                ],
            }
        ],
    }
