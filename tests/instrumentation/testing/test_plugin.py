"""The pytest plugin and `glasshouse.testing`, in processes of their own: what they load and do there."""

import os
import subprocess
import sys
from pathlib import Path

LOADED = (
    "print(*(each for each in ('opentelemetry', 'pytest', 'glasshouse_collector') if each in sys.modules))"
)


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python as a user would, without what this test run has put into the environment."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "GLASSHOUSE"))
    }
    environ["GLASSHOUSE_SPOOL_DIR"] = str(folder / "spool")
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_run_that_does_not_use_it_loads_nothing(tmp_path: Path) -> None:
    """OpenTelemetry is not imported, and the fixture is listed all the same."""
    (tmp_path / "test_user.py").write_text(
        "import sys\n\ndef test_user():\n    assert 'opentelemetry' not in sys.modules\n"
        "    assert 'glasshouse.pytest_plugin' in sys.modules\n"
    )
    done = run("-m", "pytest", "-q", "-W", "error", "test_user.py", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    listed = run("-m", "pytest", "--fixtures", "test_user.py", folder=tmp_path)
    assert "captured_telemetry" in listed.stdout
    assert "captured_telemetry(**settings)" in run("-m", "pytest", "--markers", folder=tmp_path).stdout


def test_a_run_that_uses_it_captures(tmp_path: Path) -> None:
    """As in the tests of a user, with warnings as errors, and what fails in telemetry raised."""
    (tmp_path / "test_user.py").write_text(
        "import glasshouse\nimport pytest\n\n"
        "glasshouse.configure('shop', endpoint='http://127.0.0.1:9', shutdown_seconds=0.1)\n\n"
        "@pytest.mark.parametrize('number', range(3))\n"
        "def test_user(number, captured_telemetry):\n"
        "    with glasshouse.span('checkout'):\n"
        "        glasshouse.get_logger('shop').info('placed')\n"
        "    assert captured_telemetry.tree() == ['checkout']\n"
        "    assert captured_telemetry.log_record('placed').trace_id == 1\n"
        "    with pytest.raises(ValueError):\n"
        "        glasshouse.capture_exception(severity='odd')\n"
    )
    done = run("-m", "pytest", "-q", "-W", "error", "test_user.py", folder=tmp_path)
    assert "3 passed" in done.stdout, done.stdout


def test_pytest_does_not_mind_that_it_came_later(tmp_path: Path) -> None:
    """Under `glasshouse run` the package is imported before pytest wants to rewrite its plugins."""
    (tmp_path / "conftest.py").write_text(
        "import glasshouse\nimport pytest\n\npytest.register_assert_rewrite('glasshouse')\n"
    )
    (tmp_path / "test_user.py").write_text("def test_user():\n    pass\n")
    done = run("-m", "pytest", "-q", "-W", "error", "test_user.py", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_can_be_left_out(tmp_path: Path) -> None:
    """By pytest's own option."""
    (tmp_path / "test_user.py").write_text(
        "import sys\n\ndef test_user():\n    assert 'glasshouse' not in sys.modules\n"
    )
    done = run("-m", "pytest", "-q", "-p", "no:glasshouse", "test_user.py", folder=tmp_path)
    assert done.returncode == 0, done.stdout


def test_capturing_needs_neither_pytest_nor_the_server(tmp_path: Path) -> None:
    """So that unittest can use it."""
    code = f"import sys\nfrom glasshouse.testing import capture\nwith capture():\n    {LOADED}"
    done = run("-c", code, folder=tmp_path)
    assert (done.stdout, done.stderr) == ("opentelemetry\n", "")
