"""All dashboards there are, and their JSON."""

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards.alerts_slos import alerts_slos
from glasshouse_dashboards.application import application
from glasshouse_dashboards.collector import collector
from glasshouse_dashboards.explorer import explorer
from glasshouse_dashboards.llm_cost import llm_cost
from glasshouse_dashboards.service import service
from glasshouse_dashboards.services import services


def boards() -> tuple[Dashboard, ...]:
    """Return every dashboard."""
    made = (services, service, application, explorer, llm_cost, alerts_slos, collector)
    return tuple(make() for make in made)


def files() -> dict[str, str]:
    """Return the dashboards' JSON by file name; the same bytes at each call."""
    return {f"{str(board.uid).removeprefix('glasshouse-')}.json": _json(board) for board in boards()}


def _json(board: Dashboard) -> str:
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
