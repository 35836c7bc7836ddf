"""The pages for users of the SDK: each example runs as it stands, and each public name has one."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import glasshouse
import glasshouse.testing

DOCS = Path(__file__).parents[3] / "docs"
PAGES = sorted(
    page for pattern in ("instrument*.md", "sdk-*.md", "migrat*.md") for page in DOCS.glob(pattern)
)
# Written above a block that cannot run here: <!-- not run: why -->
BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^>]+) -->\n)?```python\n(?P<source>.*?)```", re.DOTALL)
# They have no example of their own.
SHOWN_ELSEWHERE = {
    "Settings": "what `configure` takes, in the table of instrument.md",
    "__version__": "says itself what it is",
}


class Example(NamedTuple):
    """One block of a page."""

    name: str
    source: str
    why_not: str | None


EXAMPLES = [
    Example(f"{page.stem}-{number}", block["source"], block["why"])
    for page in PAGES
    for number, block in enumerate(BLOCK.finditer(page.read_text()))
]


def run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run an example in a process and a folder of its own, with no collector anywhere."""
    source = source.replace("http://localhost:4318", "http://127.0.0.1:9").replace("/tmp/", f"{folder}/")
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "OTEL_", "GLASSHOUSE_", "SENTRY_"))
    }
    environ |= {
        "GLASSHOUSE_SPOOL_DIR": str(folder / "spool"),
        "GLASSHOUSE_SHUTDOWN_SECONDS": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }
    is_test = re.search(r"^(async )?def test_", source, re.MULTILINE)
    (folder / "test_example.py").write_text(source)
    command = [sys.executable, *(["-m", "pytest", "-q", "-W", "error"] if is_test else []), "test_example.py"]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_every_example_runs_as_it_stands(example: Example, tmp_path: Path) -> None:
    """It ends well, prints what it says that it prints, and no telemetry fails in it."""
    if example.why_not:
        pytest.skip(example.why_not)
    done = run(tmp_path, example.source)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " failed: " not in done.stderr
    for printed in re.findall(r"print\(.*\)  # (.*)", example.source):
        assert printed in done.stdout + done.stderr


def test_the_pages_are_found() -> None:
    """Those of each part of the SDK, and each with an example."""
    found = {example.name.rpartition("-")[0] for example in EXAMPLES}
    parts = ("delivery", "logging", "metrics-health", "testing", "tracing-errors")
    assert {"instrument", *(f"sdk-{part}" for part in parts)} <= found


@pytest.mark.parametrize("name", sorted(set(glasshouse.__all__) - SHOWN_ELSEWHERE.keys()))
def test_every_public_name_has_an_example(name: str) -> None:
    """As `glasshouse.name`, or imported from there."""
    used = re.compile(rf"\bglasshouse\.{name}\b|^from glasshouse import .*\b{name}\b", re.MULTILINE)
    assert [example.name for example in EXAMPLES if not example.why_not and used.search(example.source)]


@pytest.mark.parametrize("name", glasshouse.testing.__all__)
def test_every_name_of_the_testing_kit_has_an_example(name: str) -> None:
    """Imported from `glasshouse.testing`."""
    used = re.compile(rf"^from glasshouse\.testing import .*\b{name}\b", re.MULTILINE)
    assert [example.name for example in EXAMPLES if used.search(example.source)]


@pytest.mark.parametrize("name", sorted(set(glasshouse.__all__) - {"__version__"}))
def test_every_public_name_says_what_it_is(name: str) -> None:
    """In its docstring."""
    assert getattr(glasshouse, name).__doc__
