"""The page about the dashboards names what there is."""

import re
from pathlib import Path

from dashboard_files import dashboards, panels

_PAGE = (Path(__file__).parents[2] / "docs" / "dashboards.md").read_text()


def test_each_dashboard_is_described() -> None:
    """By its title, in the order in which they are made or any other."""
    described = re.findall(r"^\| \*\*(.+?)\*\* \|", _PAGE, re.MULTILINE)
    assert sorted(described) == sorted(board["title"] for board in dashboards().values())


def test_the_panels_it_sends_to_exist() -> None:
    """Each question leads to a panel, and each dashboard answers some."""
    there = {board["title"]: {panel["title"] for panel in panels(board)} for board in dashboards().values()}
    table = _PAGE.split("## Where to look")[1].split("## Variables")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines() if row.startswith("| ")][1:]
    for question, board, panel in rows:
        assert panel in there[board], question
    assert {board for _, board, _ in rows} == there.keys()


def test_each_variable_is_explained() -> None:
    """As many as the dashboards have."""
    table = _PAGE.split("## Variables")[1].split("\n## ")[0]
    explained = {
        name for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) for name in re.findall(r"\w+", row)
    }
    assert explained == {
        variable["name"] for board in dashboards().values() for variable in board["templating"]["list"]
    }
