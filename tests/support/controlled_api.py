"""An API whose callers are told by real keys, in a database of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from json import dumps

import httpx
from fastapi import FastAPI

from glasshouse_collector.api import create_app
from glasshouse_collector.control import Database, Keyring, Keys, KeySettings, Projects
from glasshouse_collector.control.access import KeyAccess
from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.core.access import Authenticator, Scope
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.metrics import Metrics
from served_api import serving


@dataclass(frozen=True)
class ControlledApi:
    """The API at `client`, and its projects and keys."""

    client: httpx.Client
    projects: Projects
    keys: Keys
    keyring: Keyring

    def key(self, project: str, *scopes: Scope) -> str:
        """Return a new key, which the doors know."""
        secret = self.keys.create(project, KeySettings(scopes=frozenset(scopes))).secret
        self.keyring.refresh()
        return secret

    def ask(self, method: str, path: str, key: str = "", json: object = None) -> httpx.Response:
        """Ask below `/api/v1` with a key, or with none."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if json is None:
            return self.client.request(method, f"/api/v1{path}", headers=headers)
        headers["Content-Type"] = "application/json"
        return self.client.request(method, f"/api/v1{path}", headers=headers, content=dumps(json))


@contextmanager
def controlled_api(
    services: Services, url: str, token: str | None = None, *, app: FastAPI | None = None
) -> Iterator[ControlledApi]:
    """Serve the API on the database at `url`; open to everyone until there is a key or a token.

    An `app` of these services may be served again and again: it asks at each request what they offer.
    """
    database = Database.open(url)
    keyring = Keyring(database)
    keyring.refresh()
    access = KeyAccess(services.get(Metrics), SystemClock(), token=token, local=True)
    access.use(keyring)
    projects, keys = Projects(database), Keys(database)
    services.provide(Authenticator, access)  # type: ignore[type-abstract]
    services.provide(Database, database)
    services.provide(Projects, projects)
    services.provide(Keys, keys)
    services.provide(Keyring, keyring)
    services.provide(Incidents, Incidents(database))
    services.provide(Feedback, Feedback(database))
    try:
        with (
            serving(app or create_app(services)) as address,
            httpx.Client(base_url=address, timeout=60) as client,
        ):
            yield ControlledApi(client, projects, keys, keyring)
    finally:
        database.close()
