"""Projects and keys, as somebody manages them."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from control_time import Time
from glasshouse_collector.control import (
    Database,
    Keys,
    KeySettings,
    NotFound,
    Projects,
    Taken,
    Wrong,
)
from glasshouse_collector.control.keys import KEY, hashed
from glasshouse_collector.core.access import Scope

DAY = timedelta(days=1)


def made(projects: Projects) -> list[str]:
    """Return the ids of the projects that were made, beside those that are always there."""
    return [project.id for project in projects.list() if project.id not in {"default", "_self"}]


def test_a_project_gets_an_id_that_shows_its_name(projects: Projects, time: Time) -> None:
    """Unless it is given one; both are listed in the order they were made."""
    assert projects.create("My Service!", "Production").id == "my-service"
    time.passes(DAY)
    assert projects.create("日本", project_id="japan").id == "japan"
    assert made(projects) == ["my-service", "japan"]
    assert [projects.get(each).name for each in made(projects)] == ["My Service!", "日本"]


@pytest.mark.parametrize(
    ("name", "project_id", "field"),
    [
        ("", None, "name"),
        ("  ", None, "name"),
        ("x" * 501, None, "name"),
        ("nul\0", None, "name"),
        ("日本", None, "project_id"),
        ("shop", "", "project_id"),
        ("shop", "_self", "project_id"),
        ("shop", "Shop", "project_id"),
        ("shop", "-shop", "project_id"),
        ("shop", "x" * 64, "project_id"),
        ("shop", "shop'; DROP TABLE projects", "project_id"),
    ],
)
def test_a_wrong_field_is_named(projects: Projects, name: str, project_id: str | None, field: str) -> None:
    """Nothing is made."""
    with pytest.raises(Wrong) as told:
        projects.create(name, project_id=project_id)
    assert told.value.field == field
    assert made(projects) == []


def test_an_id_is_given_once(projects: Projects) -> None:
    """Also after the project is deleted: its records may still be there."""
    projects.create("shop")
    with pytest.raises(Taken, match="project shop"):
        projects.create("Shop")
    projects.delete("shop")
    assert made(projects) == []
    with pytest.raises(Taken):
        projects.create("shop")
    with pytest.raises(NotFound):
        projects.delete("shop")


@pytest.mark.parametrize("project", ["default", "_self"])
def test_two_projects_are_always_there(projects: Projects, keys: Keys, project: str) -> None:
    """They may have keys, and are not deleted."""
    assert keys.create(project).shown.project_id == project
    with pytest.raises(Wrong, match="is always there"):
        projects.delete(project)
    with pytest.raises((Taken, Wrong)):
        projects.create(project, project_id=project)


def test_a_key_is_shown_once_and_kept_as_a_hash(projects: Projects, keys: Keys, database: Database) -> None:
    """Nothing in the database gives the secret away."""
    projects.create("shop")
    new = keys.create("shop", KeySettings(name="checkout"))
    match = KEY.fullmatch(new.secret)
    assert match
    assert match[1] == new.shown.prefix
    with database.session() as session:
        row = dict(session.execute(text("SELECT * FROM api_keys")).mappings().one())
    assert row["secret_hash"] == hashed(new.secret)
    assert match[2] not in str(row)
    assert keys.get(new.shown.prefix) == new.shown
    assert new.secret not in repr(keys.list())


def test_a_key_ends_when_it_expires_or_is_revoked(projects: Projects, keys: Keys, time: Time) -> None:
    """A revocation for later may be brought forward, and not put off."""
    projects.create("shop")
    expiring = keys.create("shop", KeySettings(expires_at=time() + DAY)).shown
    revoked = keys.create("shop").shown
    assert expiring.opens_at(time())
    assert revoked.opens_at(time())
    assert not expiring.opens_at(time() + DAY)
    later = keys.revoke(revoked.prefix, DAY)
    assert later.opens_at(time())
    assert not later.opens_at(time() + DAY)
    assert keys.revoke(revoked.prefix, 2 * DAY).revoked_at == later.revoked_at
    assert not keys.revoke(revoked.prefix).opens_at(time())


def test_a_rotated_key_goes_on_for_the_overlap(projects: Projects, keys: Keys, time: Time) -> None:
    """The new one has the same scopes and limits, and as long a life."""
    projects.create("shop")
    settings = KeySettings("ci", frozenset({Scope.ADMIN}), time() + 10 * DAY, 100, 10**12)
    old = keys.create("shop", settings).shown
    time.passes(4 * DAY)
    new = keys.rotate(old.prefix, DAY).shown
    assert new.settings.scopes == settings.scopes
    assert new.settings.records_per_second == 100
    assert new.settings.bytes_per_day == 10**12
    assert new.settings.expires_at == time() + 10 * DAY
    assert keys.get(old.prefix).opens_at(time())
    time.passes(DAY)
    assert not keys.get(old.prefix).opens_at(time())
    with pytest.raises(Wrong, match="opens nothing any more"):
        keys.rotate(old.prefix, DAY)


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=91)])
def test_an_overlap_has_bounds(projects: Projects, keys: Keys, overlap: timedelta) -> None:
    """A key that is rotated does end."""
    projects.create("shop")
    with pytest.raises(Wrong, match="overlap: between 0 and 90 days"):
        keys.rotate(keys.create("shop").shown.prefix, overlap)


def test_a_key_that_could_open_nothing_is_not_made(projects: Projects, keys: Keys, time: Time) -> None:
    """The field is named."""
    projects.create("shop")
    for field, settings in {
        "scopes": KeySettings(scopes=frozenset()),
        "expires_at": KeySettings(expires_at=time()),
        "records_per_second": KeySettings(records_per_second=0),
        "bytes_per_day": KeySettings(bytes_per_day=-1),
        "name": KeySettings(name="x" * 501),
    }.items():
        with pytest.raises(Wrong) as told:
            keys.create("shop", settings)
        assert told.value.field == field
    assert keys.list() == []


def test_a_project_that_is_deleted_takes_its_keys_with_it(projects: Projects, keys: Keys, time: Time) -> None:
    """And no other project's."""
    projects.create("shop")
    projects.create("other")
    ours, theirs = keys.create("shop").shown, keys.create("other").shown
    projects.delete("shop")
    assert not keys.get(ours.prefix).opens_at(time())
    assert keys.get(theirs.prefix).opens_at(time())
    assert [key.prefix for key in keys.list("other")] == [theirs.prefix]
    for project in ("shop", "none"):
        with pytest.raises(NotFound):
            keys.create(project)
    with pytest.raises(NotFound, match="gh_Ab3dE5gH"):
        keys.get("gh_nothing")
