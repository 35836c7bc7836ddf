"""The gateway: what visitors reach, which asks the other services."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, Field

from glasshouse_shop.trouble import Trouble
from glasshouse_shop.web import Peer, application, log

app = application("gateway")
trouble = Trouble("gateway")
catalog, cart, checkout = Peer("catalog"), Peer("cart"), Peer("checkout")

SessionId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class Item(BaseModel):
    """What goes into a cart."""

    product_id: int
    quantity: int = Field(1, ge=1, le=20)


class Order(BaseModel):
    """What a visitor buys: the cart of a session."""

    session_id: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")


class Question(BaseModel):
    """What a visitor asks about the products."""

    text: str = Field(min_length=1, max_length=500)


@app.get("/products")
def products() -> Any:
    """List the products."""
    return catalog.get("/products")


@app.get("/products/{product_id}")
def product(product_id: int) -> Any:
    """Show one product."""
    return catalog.get(f"/products/{product_id}")


@app.post("/questions")
def ask(question: Question) -> Any:
    """Have a question about the products answered."""
    return catalog.post("/questions", question.model_dump())


@app.post("/carts/{session_id}/items")
def add(session_id: SessionId, item: Item) -> Any:
    """Put something into the cart."""
    return cart.post(f"/carts/{session_id}/items", item.model_dump())


@app.get("/carts/{session_id}")
def show(session_id: SessionId) -> Any:
    """Show the cart."""
    return cart.get(f"/carts/{session_id}")


@app.post("/orders", status_code=201)
def order(wanted: Order) -> Any:
    """Buy what is in the cart."""
    trouble.strike()
    if trouble.cuts_short():
        return {"order_id": "", "status": "confirmed", "total_cents": 0}
    placed = checkout.post("/orders", wanted.model_dump())
    log.info("order placed", order_id=placed["order_id"], total_cents=placed["total_cents"])
    return placed
