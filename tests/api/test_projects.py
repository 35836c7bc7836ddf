"""Projects by API: who may make, see and delete which."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from controlled_api import ControlledApi, controlled_api
from glasshouse_collector.api import create_app
from glasshouse_collector.control.keys import KEY
from glasshouse_collector.core.access import SELF_PROJECT, Scope
from glasshouse_collector.core.components import Services


@pytest.fixture
def api(shared_services: Services, shared_app: FastAPI, tmp_path: Path) -> Iterator[ControlledApi]:
    """Serve an API with the projects `default` and `_self` alone, and no key."""
    url = f"sqlite:///{tmp_path / 'control.db'}"
    with controlled_api(shared_services, url, app=shared_app) as served:
        yield served


@pytest.fixture
def operator(api: ControlledApi) -> str:
    """Return a key of the operator's."""
    return api.key(SELF_PROJECT, Scope.ADMIN)


def ids(answer: httpx.Response) -> list[str]:
    """Return the ids of listed projects."""
    assert answer.status_code == 200, answer.text
    return [project["project_id"] for project in answer.json()["projects"]]


def test_the_first_project_is_made_without_a_key_and_closes_the_door(api: ControlledApi) -> None:
    """The answer has `project_id` and `api_key`, as project-monitor's; from then on its key is needed."""
    made = api.ask("POST", "/projects", json={"name": "My Service", "description": "Production backend"})
    assert made.status_code == 201
    told = made.json()
    assert (told["project_id"], told["name"], told["description"]) == (
        "my-service",
        "My Service",
        "Production backend",
    )
    assert KEY.fullmatch(told["api_key"])
    assert "every request needs a key" in told["note"]
    assert api.ask("POST", "/projects", json={"name": "Another"}).status_code == 401
    key = api.keys.get(told["api_key"][:11])
    assert (key.project_id, key.settings.scopes) == ("my-service", frozenset({Scope.INGEST, Scope.READ}))
    assert api.ask("GET", "/projects", told["api_key"]).status_code == 403  # no admin key


def test_the_operator_sees_and_makes_every_project(api: ControlledApi, operator: str) -> None:
    """With no note: the door was closed before."""
    made = api.ask("POST", "/projects", operator, {"name": "Shop", "project_id": "the-shop"})
    assert (made.status_code, made.json()["note"]) == (201, None)
    assert ids(api.ask("GET", "/projects", operator)) == ["default", "_self", "the-shop"]
    one = api.ask("GET", "/projects/the-shop", operator)
    assert one.json() == {
        name: made.json()[name] for name in ("project_id", "name", "description", "created_at")
    }


def test_the_operators_token_manages_too(
    shared_services: Services, shared_app: FastAPI, tmp_path: Path
) -> None:
    """As the setting `auth_token` has it."""
    url = f"sqlite:///{tmp_path / 'control.db'}"
    with controlled_api(shared_services, url, token="operator", app=shared_app) as api:
        assert api.ask("GET", "/projects").status_code == 401
        made = api.ask("POST", "/projects", "operator", {"name": "Shop"})
        assert (made.status_code, made.json()["note"]) == (201, None)


def test_an_admin_key_of_a_project_sees_its_own_alone(api: ControlledApi) -> None:
    """Others look as if they were not there; making and deleting are the operator's."""
    for name in ("shop", "bank"):
        api.projects.create(name)
    admin = api.key("shop", Scope.ADMIN)
    assert ids(api.ask("GET", "/projects", admin)) == ["shop"]
    assert api.ask("GET", "/projects/shop", admin).status_code == 200
    for other in ("bank", "default", "_self", "nothing"):
        for method in ("GET", "DELETE"):
            refused = api.ask(method, f"/projects/{other}", admin)
            assert (refused.status_code, refused.json()["detail"]) == (404, f"there is no project {other}")
    for refused in (
        api.ask("POST", "/projects", admin, {"name": "Mine"}),
        api.ask("DELETE", "/projects/shop", admin),
    ):
        assert refused.status_code == 403
        assert "operator" in refused.json()["detail"]
    assert [project.id for project in api.projects.list()] == ["default", "_self", "shop", "bank"]


def test_a_deleted_project_is_gone_and_its_keys_at_once(api: ControlledApi, operator: str) -> None:
    """Its id is not given again; the two that are always there stay."""
    made = api.ask("POST", "/projects", operator, {"name": "shop"}).json()
    admin = api.key("shop", Scope.ADMIN)
    assert api.ask("GET", "/projects", admin).status_code == 200
    deleted = api.ask("DELETE", "/projects/shop", operator)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for key in (admin, made["api_key"]):
        assert api.ask("GET", "/projects", key).status_code == 401
    assert api.ask("GET", "/projects/shop", operator).status_code == 404
    again = api.ask("POST", "/projects", operator, {"name": "Shop"})
    assert (again.status_code, "choose another project_id" in again.json()["detail"]) == (409, True)
    assert api.ask("DELETE", "/projects/default", operator).status_code == 400


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 501}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": 5}, "name"),
        ({"name": "shop", "project_id": "_mine"}, "project_id"),
        ({"name": "shop", "project_id": "shop'; DROP TABLE projects"}, "project_id"),
        ({"name": "shop", "project_id": "x" * 10_000}, "project_id"),
        ({"name": "日本"}, "project_id"),
        ({"name": "shop", "description": "x" * 501}, "description"),
        ({"name": "shop", "colour": "red"}, "colour"),
        ([], "body"),
    ],
)
def test_a_wrong_field_is_named(api: ControlledApi, body: object, named: str) -> None:
    """In one line; nothing is made, and the door stays open."""
    refused = api.ask("POST", "/projects", json=body)
    assert refused.status_code == 400
    assert named in refused.json()["detail"]
    assert "\n" not in refused.json()["detail"]
    assert api.ask("GET", "/projects").status_code == 200


@pytest.mark.parametrize("given", ["%00", "a%27%20OR%201=1", "..%2Fkeys", "x" * 10_000, "%FF"])
def test_hostile_ids_are_refused(api: ControlledApi, given: str) -> None:
    """Whatever stands in the path."""
    for method in ("GET", "DELETE"):
        assert api.ask(method, f"/projects/{given}").status_code in (400, 404, 405)


def test_without_the_database_it_says_to_come_back(
    services: Services, serve: Callable[..., httpx.Client]
) -> None:
    """Where it was not reached yet."""
    client = serve(create_app(services))
    away = client.get("/api/v1/projects")
    assert (away.status_code, away.headers["Retry-After"]) == (503, "2")
    assert "not connected yet" in away.json()["detail"]


def test_health_is_open_to_everyone_below_the_api_too(api: ControlledApi, operator: str) -> None:
    """Where project-monitor's clients look for it."""
    del operator  # there are keys, and it needs none
    told = api.ask("GET", "/health")
    assert (told.status_code, told.json().keys()) == (200, api.client.get("/health").json().keys())


def test_a_project_that_never_was_is_told(api: ControlledApi, operator: str) -> None:
    """To who may name one: an empty answer would look right. A deleted one's records stay."""
    api.ask("POST", "/projects", operator, {"name": "Gone"})
    assert api.ask("DELETE", "/projects/gone", operator).status_code == 204
    asked = {
        name: api.ask("GET", f"/logs?project={name}", operator) for name in ("tpyo", "default", "gone", "*")
    }
    # 503: there is no store here, which is asked next
    assert {name: answer.status_code for name, answer in asked.items()} == {
        "tpyo": 404,
        "default": 503,
        "gone": 503,
        "*": 503,
    }
    assert (
        "there is no project tpyo; GET /api/v1/projects and `glasshouse projects list`" in asked["tpyo"].text
    )
    reader = api.key("default", Scope.READ)
    assert api.ask("GET", "/logs?project=tpyo", reader).status_code == 403


def test_without_keys_a_project_that_never_was_is_told_too(api: ControlledApi) -> None:
    """As long as the door is open, everyone may name one."""
    assert api.ask("GET", "/logs?project=tpyo").status_code == 404
    assert api.ask("GET", "/logs?project=default").status_code == 503
