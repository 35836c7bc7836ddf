"""A Flask application that knows nothing of telemetry; it asks the prices over requests."""

import logging
import os

import requests
from flask import Flask

app = Flask(__name__)
log = logging.getLogger("stock")


@app.get("/stock/<int:number>")
def stock(number: int) -> dict[str, int]:
    """Return how many there are, with the price that another service knows."""
    log.warning("few are left of %d", number)
    price = requests.get(f"{os.environ['PRICES_URL']}/prices/{number}", timeout=30).json()
    return {"number": number, "left": 2, "price": price["price"]}
