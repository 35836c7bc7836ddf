"""The pages for each framework are held to what they say: each way of starting makes a request visible."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from application_process import Collected, Programs
from collector_process import CollectorProcess, until

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {page: (DOCS / f"instrument-{page}.md").read_text() for page in ("fastapi", "flask", "django")}
COMMANDS = [
    (page, command)
    for page in PAGES
    for command in re.findall("^glasshouse run .*", PAGES[page], re.MULTILINE)
]


def _block(page: str, language: str) -> str:
    """Return the page's first block in this language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    """Run one collector for all pages."""
    collector = CollectorProcess(tmp_path_factory.mktemp("collector") / "data")
    yield Collected(collector)
    collector.stop()


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda said: said.split("--")[-1].strip())
def test_a_command_makes_the_application_visible(
    page: str, command: str, stored: Collected, programs: Programs
) -> None:
    """The page's question to the store finds the page's request, with its log record."""
    service = f"hello-{COMMANDS.index((page, command))}"
    port = programs.free_port()
    programs.write("app.py", _block(page, "python"))
    command = command.replace("--service-name hello", f"--service-name {service}")
    command = command.replace("http://localhost:4318", stored.endpoint).replace("8080", str(port))
    programs.start(*shlex.split(command), OTEL_BSP_SCHEDULE_DELAY="200")
    said = programs.answers(f"http://localhost:{port}/hello/you")
    assert said.strip('"') == "hello you"
    question = _block(page, "sql").replace("'hello'", f"'{service}'")
    until(lambda: bool(stored.process.ask(question)), "the request is in the store")
    ((name, body),) = stored.process.ask(question)
    assert f"a span `{name}`" in PAGES[page]
    assert body == "greeting you"
