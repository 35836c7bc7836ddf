"""What the HTTP services of the shop share: who a request is for, health, and calls to each other."""

import os
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException

import glasshouse
from glasshouse.health.fastapi import router as health_endpoints

log = glasshouse.get_logger("shop")

_CARRIED = {"user.id": "X-User-Id", "session.id": "X-Session-Id"}
_PATIENCE_SECONDS = 10.0


async def _visitor(
    x_user_id: Annotated[str | None, Header(max_length=64)] = None,
    x_session_id: Annotated[str | None, Header(max_length=64)] = None,
) -> None:
    # Asynchronous, so that it runs in the context of the request and reaches the endpoint's thread.
    glasshouse.bind(user_id=x_user_id, session_id=x_session_id)


def application(title: str) -> FastAPI:
    """Return a service without endpoints yet but those of its health."""
    app = FastAPI(title=title, dependencies=[Depends(_visitor)])
    app.include_router(health_endpoints())
    return app


class Peer:
    """Another service of the shop, at the URL that the variable `SHOP_<NAME>_URL` names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._client = httpx.Client(
            base_url=os.environ[f"SHOP_{name.upper()}_URL"],
            timeout=_PATIENCE_SECONDS,
            event_hooks={"request": [_carry]},
        )

    def get(self, path: str) -> Any:
        """Return its answer; HTTPException 502 where it fails, its own status where it refuses."""
        return self._answer("GET", path, None)

    def post(self, path: str, body: object) -> Any:
        """Return its answer to `body`, which is sent as JSON; raises as `get` does."""
        return self._answer("POST", path, body)

    def delete(self, path: str) -> Any:
        """Return its answer; raises as `get` does."""
        return self._answer("DELETE", path, None)

    def _answer(self, method: str, path: str, body: object) -> Any:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.TransportError as failed:
            log.error("peer unreachable", peer=self.name, path=path, reason=str(failed))  # noqa: TRY400 - the cause says all
            raise HTTPException(502, f"{self.name} cannot be reached") from failed
        if answer.is_server_error:
            log.error("peer failed", peer=self.name, path=path, status_code=answer.status_code)
            raise HTTPException(502, f"{self.name} failed")
        if answer.is_client_error:
            raise HTTPException(answer.status_code, f"{self.name} refused")
        return answer.json()


def _carry(request: httpx.Request) -> None:
    for name, value in glasshouse.bound().items():
        if name in _CARRIED:
            request.headers[_CARRIED[name]] = str(value)
