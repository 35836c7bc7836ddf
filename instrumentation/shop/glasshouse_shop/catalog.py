"""The catalog: products and their prices, and a language model that answers questions about them."""

from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from glasshouse_shop.database import opened
from glasshouse_shop.language_model import LanguageModel
from glasshouse_shop.trouble import Trouble
from glasshouse_shop.web import application, log

_THINGS = ("lamp", "kettle", "chair", "notebook", "backpack", "umbrella", "teapot", "blanket")
_LOOKS = ("plain", "striped", "folding", "blue", "large")

tables = MetaData()
stock = Table(
    "products",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("category", String, nullable=False),
    Column("price_cents", Integer, nullable=False),
)

app = application("catalog")
engine = opened("catalog", tables)
trouble = Trouble("catalog", engine)
model = LanguageModel()


def _fill() -> None:
    names = [(look, thing) for look in _LOOKS for thing in _THINGS]
    with engine.begin() as connection:
        if connection.execute(select(stock.c.id).limit(1)).first() is None:
            rows = [
                {"name": f"{look} {thing}", "category": thing, "price_cents": 500 + 173 * number % 9000}
                for number, (look, thing) in enumerate(names)
            ]
            connection.execute(insert(stock), rows)


_fill()


class Question(BaseModel):
    """What a visitor asks."""

    text: str = Field(min_length=1, max_length=500)


@app.get("/products")
def products() -> list[dict[str, Any]]:
    """List the products."""
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(select(stock))]  # noqa: SLF001 - its API


@app.get("/products/{product_id}")
def product(product_id: int) -> dict[str, Any]:
    """Return one product with its price."""
    trouble.strike()
    if trouble.cuts_short():
        return {"id": product_id, "name": "", "category": "", "price_cents": 0}
    with engine.connect() as connection:
        row = connection.execute(select(stock).where(stock.c.id == product_id)).first()
    if row is None:
        raise HTTPException(404, "there is no such product")
    return dict(row._mapping)  # noqa: SLF001


@app.post("/questions")
def ask(question: Question) -> dict[str, str]:
    """Answer a question about the products."""
    with engine.connect() as connection:
        names = connection.execute(select(stock.c.name)).scalars().all()
    answer = model.chat(f"We sell: {', '.join(names)}.", question.text)
    log.info("question answered", characters=len(answer))
    return {"answer": answer}
