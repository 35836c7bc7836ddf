"""The committed dashboards, read as Grafana reads them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "dashboards" / "grafana" / "json"
PROMETHEUS, CLICKHOUSE = "${prometheus}", "${clickhouse}"


@dataclass(frozen=True)
class Question:
    """A query of a panel, a variable or an annotation; `where` names it in the test's id."""

    where: str
    text: str
    dashboard: str
    kind: str = ""
    exemplars: bool = False


def dashboards() -> dict[str, dict[str, Any]]:
    """Return every dashboard by the name of its file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a dashboard's panels without its rows, those inside folded rows included."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def promql() -> list[Question]:
    """Return every PromQL expression of panels."""
    return [question for question in _targets() if question.kind == PROMETHEUS]


def annotations() -> list[Question]:
    """Return every PromQL expression of annotations."""
    return [
        Question(f"{name}: annotation {each['name']}", each["expr"], name, PROMETHEUS)
        for name, board in dashboards().items()
        for each in board["annotations"].get("list", [])
    ]


def sql() -> list[Question]:
    """Return every SQL query of panels and variables."""
    found = [question for question in _targets() if question.kind == CLICKHOUSE]
    for name, board in dashboards().items():
        found += [
            Question(f"{name}: variable {each['name']}", each["query"]["rawSql"], name, CLICKHOUSE)
            for each in board["templating"]["list"]
            if each["type"] == "query" and each["datasource"]["uid"] == CLICKHOUSE
        ]
    return found


def with_exemplars() -> list[Question]:
    """Return the PromQL expressions for whose traces Grafana asks too."""
    return [question for question in promql() if question.exemplars]


def label_values() -> list[Question]:
    """Return what every variable asks of Prometheus."""
    return [
        Question(f"{name}: variable {each['name']}", each["query"]["query"], name, PROMETHEUS)
        for name, board in dashboards().items()
        for each in board["templating"]["list"]
        if each["type"] == "query" and each["datasource"]["uid"] == PROMETHEUS
    ]


def _targets() -> Iterator[Question]:
    for name, board in dashboards().items():
        for panel in panels(board):
            for target in panel["targets"]:
                text = target.get("expr", target.get("rawSql"))
                where = f"{name}: {panel['title']} {target['refId']}"
                yield Question(where, text, name, panel["datasource"]["uid"], target.get("exemplar", False))
