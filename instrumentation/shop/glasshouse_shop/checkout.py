"""The checkout: an order from a cart, paid, and left for the worker to ship."""

import uuid
from typing import Any

from fastapi import HTTPException
from opentelemetry import propagate
from pydantic import BaseModel
from sqlalchemy import insert

import glasshouse
from glasshouse_shop.database import opened
from glasshouse_shop.orders import DATABASE, orders, tables
from glasshouse_shop.trouble import Trouble
from glasshouse_shop.web import Peer, application, log

app = application("checkout")
engine = opened(DATABASE, tables)
trouble = Trouble("checkout", engine)
cart, payment = Peer("cart"), Peer("payment")

_placed = glasshouse.counter("shop.orders", "{order}", "Orders, by outcome.")
_revenue = glasshouse.counter("shop.revenue", "EUR", "What was paid.")


class Order(BaseModel):
    """What is bought: the cart of a session."""

    session_id: str


@app.post("/orders", status_code=201)
def order(wanted: Order) -> dict[str, Any]:
    """Have the cart paid, and queue its shipping."""
    trouble.strike()
    order_id = uuid.uuid4().hex
    glasshouse.bind(order_id=order_id)
    if trouble.cuts_short():
        return {"order_id": order_id, "status": "confirmed", "total_cents": 0}
    total = cart.get(f"/carts/{wanted.session_id}")["total_cents"]
    if not total:
        raise HTTPException(409, "the cart is empty")
    paid = payment.post("/charges", {"order_id": order_id, "amount_cents": total})["status"]
    if paid != "approved":
        _placed.add(outcome="declined")
        log.warning("payment declined", total_cents=total)
        raise HTTPException(402, "the payment was declined")
    _queue(order_id, wanted.session_id, total)
    cart.delete(f"/carts/{wanted.session_id}")
    _placed.add(outcome="confirmed")
    _revenue.add(total / 100)
    log.info("order confirmed", operation="order", total_cents=total)
    return {"order_id": order_id, "status": "confirmed", "total_cents": total}


@glasshouse.span("queue order")
def _queue(order_id: str, session_id: str, total_cents: int) -> None:
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    with engine.begin() as connection:
        connection.execute(
            insert(orders).values(
                id=order_id,
                session_id=session_id,
                total_cents=total_cents,
                status="paid",
                traceparent=carrier.get("traceparent", ""),
            )
        )
