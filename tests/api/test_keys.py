"""Keys by API: made and shown once, listed, revoked, rotated, each project's by its own admin."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from controlled_api import ControlledApi, controlled_api
from glasshouse_collector.control.usage import KeyDay, Sent, add_usage
from glasshouse_collector.core.access import SELF_PROJECT, Scope
from glasshouse_collector.core.components import Services

END = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)


@pytest.fixture
def api(shared_services: Services, shared_app: FastAPI, tmp_path: Path) -> Iterator[ControlledApi]:
    """Serve an API with the projects `shop` and `bank`."""
    url = f"sqlite:///{tmp_path / 'control.db'}"
    with controlled_api(shared_services, url, app=shared_app) as served:
        for name in ("shop", "bank"):
            served.projects.create(name)
        yield served


@pytest.fixture
def admin(api: ControlledApi) -> str:
    """Return an admin key of `shop`."""
    return api.key("shop", Scope.ADMIN)


def test_a_key_is_made_as_asked_and_told_once(api: ControlledApi, admin: str) -> None:
    """It works at once; no answer after the first has the secret."""
    asked = {
        "name": "checkout",
        "scopes": ["admin", "ingest"],
        "expires_at": END.isoformat(),
        "records_per_second": 100,
        "bytes_per_day": 5_000_000_000,
    }
    made = api.ask("POST", "/projects/shop/keys", admin, asked)
    assert made.status_code == 201
    told = made.json()
    assert datetime.fromisoformat(told["expires_at"]) == END
    assert {**asked, "expires_at": told["expires_at"]}.items() <= told.items()
    assert (told["project_id"], told["state"], told["note"]) == ("shop", "active", None)
    assert told["api_key"].startswith(told["prefix"] + "_")
    assert api.ask("GET", "/projects", told["api_key"]).status_code == 200
    for path in ("/projects/shop/keys", f"/keys/{told['prefix']}"):
        assert told["api_key"] not in api.ask("GET", path, admin).text
    listed = api.ask("GET", "/projects/shop/keys", admin).json()["keys"]
    assert [key["prefix"] for key in listed] == [admin[:11], told["prefix"]]


def test_the_first_key_closes_the_open_door(api: ControlledApi) -> None:
    """And the answer says so, and how to manage everything from then on."""
    made = api.ask("POST", "/projects/shop/keys", json={}).json()
    assert made["scopes"] == ["ingest", "read"]
    assert "--project _self --scope admin" in made["note"]
    assert api.ask("GET", "/projects/shop/keys").status_code == 401


def test_an_admin_manages_the_keys_of_its_project_alone(api: ControlledApi, admin: str) -> None:
    """Another project's look as if they were not there, and stay as they are."""
    theirs = api.keys.get(api.key("bank", Scope.READ)[:11])
    refusals = [
        api.ask("GET", f"/keys/{theirs.prefix}", admin),
        api.ask("DELETE", f"/keys/{theirs.prefix}", admin),
        api.ask("POST", f"/keys/{theirs.prefix}/rotate", admin),
        api.ask("GET", "/projects/bank/keys", admin),
        api.ask("POST", "/projects/bank/keys", admin, {}),
        api.ask("POST", "/projects/_self/keys", admin, {"scopes": ["admin"]}),
        api.ask("GET", "/keys/gh_nothing1", admin),
    ]
    assert [refused.status_code for refused in refusals] == [404] * len(refusals)
    same, missing = refusals[0].json(), refusals[-1].json()
    assert same["detail"].startswith(f"there is no key {theirs.prefix}")
    assert re.sub("gh_.{8}", "", same["detail"]) == re.sub("gh_.{8}", "", missing["detail"])
    assert api.keys.list("bank") == [theirs]
    assert api.keys.list("_self") == []


@pytest.mark.parametrize("scopes", [(Scope.READ,), (Scope.INGEST,), (Scope.INGEST, Scope.READ)])
def test_other_keys_manage_nothing(api: ControlledApi, scopes: tuple[Scope, ...]) -> None:
    """Not even their own project's."""
    key = api.key("shop", *scopes)
    for method, path in (
        ("GET", "/projects/shop/keys"),
        ("POST", "/projects/shop/keys"),
        ("DELETE", f"/keys/{key[:11]}"),
        ("POST", f"/keys/{key[:11]}/rotate"),
    ):
        refused = api.ask(method, path, key, {} if method == "POST" else None)
        assert refused.status_code == 403
        assert "this needs admin" in refused.json()["detail"]


def test_a_revoked_key_opens_nothing_at_once(api: ControlledApi, admin: str) -> None:
    """Or when it was told to end; a key may end itself."""
    second = api.key("shop", Scope.ADMIN)
    later = api.ask("DELETE", f"/keys/{second[:11]}?after_seconds=3600", admin).json()
    assert later["state"] == "active"
    assert datetime.fromisoformat(later["revoked_at"]) > datetime.now(UTC) + timedelta(minutes=59)
    assert api.ask("GET", "/projects", second).status_code == 200
    ended = api.ask("DELETE", f"/keys/{second[:11]}", admin)
    assert (ended.status_code, ended.json()["state"]) == (200, "revoked")
    assert api.ask("GET", "/projects", second).status_code == 401
    assert api.ask("DELETE", f"/keys/{admin[:11]}", admin).status_code == 200
    assert api.ask("GET", "/projects", admin).status_code == 401


def test_a_rotated_key_works_on_beside_the_new_one(api: ControlledApi, admin: str) -> None:
    """For a day, or as long as is said; the new one is like it."""
    new = api.ask("POST", f"/keys/{admin[:11]}/rotate", admin)
    assert new.status_code == 201
    assert (new.json()["scopes"], new.json()["project_id"]) == (["admin"], "shop")
    assert admin[:11] in new.json()["note"]
    old = api.ask("GET", f"/keys/{admin[:11]}", admin).json()
    assert (
        timedelta(hours=23)
        < datetime.fromisoformat(old["revoked_at"]) - datetime.now(UTC)
        < timedelta(days=1)
    )
    secret = new.json()["api_key"]
    last = api.ask("POST", f"/keys/{new.json()['prefix']}/rotate", secret, {"overlap_seconds": 0}).json()
    assert api.ask("GET", "/projects", secret).status_code == 401
    assert api.ask("GET", "/projects", last["api_key"]).status_code == 200
    ended = api.ask("POST", f"/keys/{new.json()['prefix']}/rotate", last["api_key"], {})
    assert (ended.status_code, "opens nothing any more" in ended.json()["detail"]) == (400, True)


def test_a_key_tells_what_it_sent(api: ControlledApi, admin: str) -> None:
    """By day of UTC, as the collectors wrote it down."""
    prefix, today = admin[:11], datetime.now(UTC).date()
    with api.keys._database.session() as session:
        add_usage(session, {KeyDay(prefix, today): Sent(7, 900)})
    api.keyring.refresh()
    told = api.ask("GET", f"/keys/{prefix}", admin).json()
    assert told["usage"] == [{"day": today.isoformat(), "records": 7, "bytes": 900}]
    api.keyring.refresh()
    assert api.ask("GET", f"/keys/{prefix}", admin).json()["last_used_at"] is not None


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": ["read"] * 4}, "scopes"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+23:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-23:00"}, "expires_at"),
        ({"expires_at": "2100-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"records_per_second": 0}, "records_per_second"),
        ({"records_per_second": 1 << 31}, "records_per_second"),
        ({"bytes_per_day": 1 << 63}, "bytes_per_day"),
        ({"bytes_per_day": -1}, "bytes_per_day"),
        ({"name": "nul\0"}, "name"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_a_wrong_field_is_named(api: ControlledApi, admin: str, body: object, named: str) -> None:
    """And no key is made."""
    refused = api.ask("POST", "/projects/shop/keys", admin, body)
    assert refused.status_code == 400
    assert named in refused.json()["detail"]
    assert len(api.keys.list("shop")) == 1


@pytest.mark.parametrize("given", ["%00", "gh_%27%20OR%201", "gh_........", "x" * 10_000, "%FF"])
def test_hostile_names_of_keys_are_refused(api: ControlledApi, admin: str, given: str) -> None:
    """Whatever stands in the path."""
    asked = (("GET", ""), ("DELETE", ""), ("DELETE", "?after_seconds=1e99"), ("POST", "/rotate"))
    for method, rest in asked:
        assert api.ask(method, f"/keys/{given}{rest}", admin).status_code in (400, 404)


def test_the_operator_manages_every_projects_keys(api: ControlledApi) -> None:
    """Those of the collector's own project too."""
    operator = api.key(SELF_PROJECT, Scope.ADMIN)
    for project in ("shop", "bank", "default", "_self"):
        assert api.ask("POST", f"/projects/{project}/keys", operator, {}).status_code == 201
        assert api.ask("GET", f"/projects/{project}/keys", operator).status_code == 200
    assert api.ask("POST", "/projects/nothing/keys", operator, {}).status_code == 404


def test_a_body_has_its_limit(api: ControlledApi, admin: str) -> None:
    """Of the API's, 1 MiB."""
    refused = api.ask("POST", "/projects/shop/keys", admin, {"name": "x" * (2 << 20)})
    assert (refused.status_code, "larger than" in refused.json()["detail"]) == (413, True)
