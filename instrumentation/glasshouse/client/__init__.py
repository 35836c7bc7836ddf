"""Ask a Glasshouse collector from Python, in step or with asyncio.

    from glasshouse.client import Client

    with Client("http://127.0.0.1:8000", key="gh_…") as glasshouse:
        for log in glasshouse.each_log(service_name=["checkout"], level=["error"], start_time="now-1h"):
            print(log["timestamp"], log["body"])

`AsyncClient` has the same methods, to be awaited. Answers are dictionaries whose fields
`glasshouse.client.models` types; `operations` and `models` are made of the API's own description.
Needs httpx: `pip install 'glasshouse[client]'`.
"""

from glasshouse.client.asynchronous import AsyncClient
from glasshouse.client.errors import ApiError, Unreachable
from glasshouse.client.in_step import Client

__all__ = ["ApiError", "AsyncClient", "Client", "Unreachable"]
