"""A FastAPI application that knows nothing of telemetry; it asks the stock over httpx."""

import logging
import os

import httpx
from fastapi import FastAPI

app = FastAPI()
log = logging.getLogger("front")


@app.get("/items/{number}")
async def item(number: int) -> dict[str, int]:
    """Return an item with what the stock says of it."""
    log.info("item %d is asked for", number)
    if "STOCK_URL" not in os.environ:
        return {"number": number}
    async with httpx.AsyncClient(base_url=os.environ["STOCK_URL"]) as stock:
        answer = await stock.get(f"/stock/{number}")
    found: dict[str, int] = answer.raise_for_status().json()
    return found
