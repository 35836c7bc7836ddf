"""The cart: what each session is about to buy, at the prices of the catalog."""

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select

from glasshouse_shop.database import opened
from glasshouse_shop.trouble import Trouble
from glasshouse_shop.web import Peer, application, log

tables = MetaData()
items = Table(
    "items",
    tables,
    Column("id", Integer, primary_key=True),
    Column("session_id", String, nullable=False, index=True),
    Column("product_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
)

app = application("cart")
engine = opened("cart", tables)
trouble = Trouble("cart", engine)
catalog = Peer("catalog")


class Item(BaseModel):
    """What goes into a cart."""

    product_id: int
    quantity: int = Field(1, ge=1, le=20)


@app.post("/carts/{session_id}/items")
def add(session_id: str, item: Item) -> dict[str, Any]:
    """Put something into the cart, if the catalog has it."""
    trouble.strike()
    if trouble.cuts_short():
        return {"session_id": session_id, "product": ""}
    product = catalog.get(f"/products/{item.product_id}")
    with engine.begin() as connection:
        connection.execute(insert(items).values(session_id=session_id, **item.model_dump()))
    log.info("added to cart", product_id=item.product_id, quantity=item.quantity)
    return {"session_id": session_id, "product": product["name"]}


@app.get("/carts/{session_id}")
def show(session_id: str) -> dict[str, Any]:
    """Return what is in the cart, at today's prices."""
    with engine.connect() as connection:
        rows = connection.execute(select(items).where(items.c.session_id == session_id)).all()
    prices = {
        each: catalog.get(f"/products/{each}")["price_cents"] for each in {row.product_id for row in rows}
    }
    lines = [{"product_id": row.product_id, "quantity": row.quantity} for row in rows]
    total = sum(prices[row.product_id] * row.quantity for row in rows)
    return {"session_id": session_id, "items": lines, "total_cents": total}


@app.delete("/carts/{session_id}")
def empty(session_id: str) -> dict[str, str]:
    """Empty the cart."""
    with engine.begin() as connection:
        connection.execute(delete(items).where(items.c.session_id == session_id))
    return {"session_id": session_id}
