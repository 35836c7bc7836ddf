"""The dashboards' files: as generated, complete, without overlaps or dead ends."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from dashboard_files import FOLDER, dashboards, panels
from glasshouse_dashboards.__main__ import main
from glasshouse_dashboards.boards import files

_PROVISIONING = FOLDER.parent / "provisioning"
_BUILT_IN = re.compile(
    r"^__(?:all|value|data|field|url_time_range|interval|interval_s|rate_interval|range|from|to)"
)
_MACROS = {"timeFilter", "timeInterval", "interval_s", "conditionalAll", "rate_interval", "range", "interval"}
_USED = re.compile(r"\$\{(\w+)[^}]*\}|\$(\w+)")
_SEED = {
    "Request rate",
    "Error rate",
    "P95/P99 latency",
    "Active users",
    "Credits consumed",
    "Database connections",
    "Cache hit rate",
    "Background jobs",
    "Request distribution",
    "WebSocket connections",
    "Database query performance",
    "Export performance",
    "Memory usage",
    "CPU usage",
    "Alert status",
    "Request rate now",
    "Average response time",
}

EACH = pytest.mark.parametrize("name", sorted(dashboards()))


def test_the_files_are_as_generated() -> None:
    """Whoever changes a dashboard commits its JSON too."""
    written = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert written == files() == files()


def test_check_names_the_file_that_differs(tmp_path: Path) -> None:
    """A changed, a missing and a foreign file fail the check; writing mends all three."""
    run = CliRunner()
    assert run.invoke(main, ["--output", str(tmp_path)]).exit_code == 0
    assert run.invoke(main, ["--check", "--output", str(tmp_path)]).exit_code == 0
    (tmp_path / "service.json").write_text("{}")
    (tmp_path / "explorer.json").unlink()
    (tmp_path / "old.json").write_text("{}")
    checked = run.invoke(main, ["--check", "--output", str(tmp_path)])
    assert checked.exit_code == 1
    named = re.findall(r"(\w+)\.json differs", checked.output)
    assert named == ["explorer", "old", "service"]
    assert run.invoke(main, ["--output", str(tmp_path)]).exit_code == 0
    assert run.invoke(main, ["--check", "--output", str(tmp_path)]).exit_code == 0


@EACH
def test_each_panel_is_complete(name: str) -> None:
    """Title, description, unit, data source and a query each; ids and titles are not given twice."""
    board = dashboards()[name]
    assert board["title"]
    assert board["description"]
    assert "glasshouse" in board["tags"]
    found = list(panels(board))
    for panel in found:
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] in {"${prometheus}", "${clickhouse}"}
        assert panel["targets"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
    assert len({panel["title"] for panel in found}) == len(found)
    rows = [panel for panel in board["panels"] if panel["type"] == "row"]
    ids = [panel["id"] for panel in [*found, *rows]]
    assert sorted(ids) == list(range(1, len(ids) + 1))


@EACH
def test_panels_do_not_overlap(name: str) -> None:
    """Each field of the grid belongs to one panel, and none lies outside."""
    board = dashboards()[name]
    places = [panel["gridPos"] for panel in board["panels"]]
    places += [inner["gridPos"] for row in board["panels"] if row["type"] == "row" for inner in row["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
        assert place["h"] > 0
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@EACH
def test_lines_are_full(name: str) -> None:
    """Panels side by side fill the width."""
    board = dashboards()[name]
    rows: dict[int, int] = {}
    for panel in board["panels"]:
        at = panel["gridPos"]
        rows[at["y"]] = rows.get(at["y"], 0) + at["w"]
    assert set(rows.values()) == {24}


@EACH
def test_variables_that_are_used_exist(name: str) -> None:
    """In queries, titles and links; and each that exists is used."""
    board = dashboards()[name]
    declared = {variable["name"] for variable in board["templating"]["list"]}
    used = set()
    for text in _texts({key: value for key, value in board.items() if key != "links"}):
        for first, second in _USED.findall(text):
            variable = first or second
            if not _BUILT_IN.match(variable) and variable.removeprefix("__") not in _MACROS:
                used.add(variable)
    assert used == declared


def test_links_lead_to_dashboards_and_variables_that_exist() -> None:
    """A link that names a dashboard or one of its variables is right."""
    boards = {board["uid"]: board for board in dashboards().values()}
    links = re.findall(r"/d/([\w-]+)\?([^\"\s]*)", (_PROVISIONING / "datasources/glasshouse.yml").read_text())
    for board in boards.values():
        for text in _texts(board):
            links += re.findall(r"/d/([\w-]+)\?(.*)", text)
    assert len(links) > 10
    for uid, query in links:
        variables = {variable["name"] for variable in boards[uid]["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", query)) <= variables, (uid, query)


def test_the_application_overview_has_all_that_its_forerunner_had() -> None:
    """Seventeen panels, by name."""
    titles = {panel["title"] for panel in panels(dashboards()["application"])}
    assert titles >= _SEED
    assert len(_SEED) == 17


def test_provisioning_and_dashboards_name_the_same_data_sources() -> None:
    """The uids that variables choose at first are provisioned, and nothing secret is written down."""
    text = (_PROVISIONING / "datasources/glasshouse.yml").read_text()
    provisioned = {source["uid"]: source for source in yaml.safe_load(text)["datasources"]}
    chosen = {
        variable["current"]["value"]: variable["query"]
        for board in dashboards().values()
        for variable in board["templating"]["list"]
        if variable["type"] == "datasource"
    }
    for uid, kind in chosen.items():
        assert provisioned[uid]["type"] == kind
    prometheus = provisioned["glasshouse-prometheus"]["jsonData"]
    assert prometheus["alertmanagerUid"] in provisioned
    (exemplar,) = prometheus["exemplarTraceIdDestinations"]
    assert exemplar["name"] == "trace_id"
    secret = provisioned["glasshouse-clickhouse"]["secureJsonData"]["password"]
    assert re.fullmatch(r"\$\{\w+\}", secret)
    described = set(re.findall(r"^#   (GLASSHOUSE_\w+)", text, re.MULTILINE))
    assert set(re.findall(r"\$\{(GLASSHOUSE_\w+)\}", text)) == described


def test_the_dashboards_are_provided_from_where_they_are_mounted() -> None:
    """Grafana reads the folder that docker-compose.yml mounts the JSON at."""
    provided = yaml.safe_load((_PROVISIONING / "dashboards/glasshouse.yml").read_text())
    (provider,) = provided["providers"]
    compose = yaml.safe_load((FOLDER.parents[2] / "docker-compose.yml").read_text())
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounts["./dashboards/grafana/json"] == provider["options"]["path"]
    assert mounts["./dashboards/grafana/provisioning"] == "/etc/grafana/provisioning"


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return []


def test_queries_are_of_the_plugin_that_is_installed() -> None:
    """The version that the queries say they were written with is the one in docker-compose.yml."""
    compose = yaml.safe_load((FOLDER.parents[2] / "docker-compose.yml").read_text())
    installed = compose["services"]["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"]
    targets = [
        target for board in dashboards().values() for panel in panels(board) for target in panel["targets"]
    ]
    written = {target["pluginVersion"] for target in targets if "rawSql" in target}
    assert {f"grafana-clickhouse-datasource@{version}" for version in written} == {installed}
