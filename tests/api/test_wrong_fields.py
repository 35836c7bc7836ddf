"""What is wrong with a request's fields is said in words, never in a library's."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from controlled_api import ControlledApi, controlled_api
from glasshouse_collector.api.wrong_fields import wrong_fields
from glasshouse_collector.client_code import description
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status

OF_OTHERS = frozenset({"^[0-9A-Za-z_-]{1,64}$"})
"""What programs alone send: Alertmanager's fingerprints."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlledApi]:
    """Serve an API without a store, open to everyone."""
    services = services_without_a_store()
    with controlled_api(services, f"sqlite:///{tmp_path_factory.mktemp('words')}/control.db") as served:
        yield served


def services_without_a_store() -> Services:
    """Return what an API needs to refuse what is wrong."""
    offered = Services()
    for one in (Status(), Metrics(), MetricsPage()):
        offered.provide(type(one), one)
    return offered


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/errors/xyz", None, "error_id: an error's id, 16 digits of 0-9 and a-f, is expected"),
        ("/errors?limit=x", None, "limit: a whole number is expected, not 'x'"),
        ("/errors?sort=best", None, "sort: one of count, "),
        ("/logs?project=A%20B", None, "project: a project's id (a-z, 0-9, dashes), or *, is expected"),
        (
            "/projects/default/keys",
            {"scopes": ["everything"]},
            "scopes.0: one of ingest, read or admin",
        ),
        ("/projects/default/keys", {"scopes": []}, "scopes: at least 1 of them are expected"),
        ("/projects/default/keys", {"scopes": "read"}, "scopes: a list is expected, not 'read'"),
        (
            "/projects/default/keys",
            {"expires_at": "soon"},
            "expires_at: a time in RFC 3339 with its zone",
        ),
        ("/projects/default/keys", {"expires_at": "2999-01-01T00:00:00Z"}, "expires_at: a year up to 2199"),
        (
            "/projects/default/keys",
            {"records_per_second": 0},
            "records_per_second: 1 or more is expected",
        ),
        ("/projects/default/keys", {"name": 5}, "name: a text is expected, not 5"),
        ("/projects/default/keys", {"nmae": "x"}, "nmae: there is no such field"),
        ("/projects", {}, "name: a value is needed"),
        ("/projects", [], "the body should be a JSON object"),
        (
            "/sql",
            {"query": "SELECT 1", "parameters": {"a": [1]}},
            "parameters.a: a text, a whole number, ",
        ),
        ("/sql", {"query": "x", "parameters": 5}, "parameters: an object is expected, not 5"),
        ("/metrics/query", {"name": "a", "function": "rate", "step": "x"}, "step: a length such as 30s"),
    ],
)
def test_a_wrong_field_is_said_in_words(api: ControlledApi, path: str, body: Any, told: str) -> None:
    """Its name, what would be right, and what was sent where that is short."""
    answer = api.ask("GET" if body is None else "POST", path, json=body)
    assert answer.status_code == 400, answer.text
    detail = answer.json()["detail"]
    assert told in detail
    assert not re.search(r"Input should|String should|Value error|\^", detail)


def test_a_key_in_the_wrong_place_is_not_repeated(api: ControlledApi) -> None:
    """Where its beginning is expected somebody may write the whole of it."""
    whole = "gh_Ab3dE5gH_" + "x" * 43
    answer = api.ask("GET", f"/keys/{whole}")
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "prefix: a key's beginning, such as gh_Ab3dE5gH, is expected",
    )


def test_every_pattern_of_the_api_has_its_words() -> None:
    """None is answered with "another form", which tells nothing."""
    patterns = set(_patterns(description())) - OF_OTHERS
    assert len(patterns) >= 6
    for pattern in patterns:
        context = {"pattern": pattern}
        wrong = {"type": "string_pattern_mismatch", "loc": ("query", "x"), "input": "", "ctx": context}
        assert wrong_fields([wrong]) != ["x: another form is expected"], pattern


def _patterns(described: Any) -> Iterator[str]:
    """Return what stands as a pattern anywhere in the API's description."""
    for name, value in described.items() if isinstance(described, dict) else enumerate(described):
        if name == "pattern" and isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield from _patterns(value)
