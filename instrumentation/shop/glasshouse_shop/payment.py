"""The payment: charges a card at the bank, and keeps the books."""

from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import Column, Integer, MetaData, String, Table, insert

import glasshouse
from glasshouse_shop.database import opened
from glasshouse_shop.trouble import Trouble
from glasshouse_shop.web import Peer, application, log

tables = MetaData()
charges = Table(
    "charges",
    tables,
    Column("id", Integer, primary_key=True),
    Column("order_id", String, nullable=False),
    Column("amount_cents", Integer, nullable=False),
    Column("status", String, nullable=False),
)

app = application("payment")
engine = opened("payment", tables)
trouble = Trouble("payment", engine)
bank = Peer("bank")


class Charge(BaseModel):
    """What an order costs."""

    order_id: str
    amount_cents: int = Field(gt=0)


@app.post("/charges")
def charge(wanted: Charge) -> dict[str, Any]:
    """Charge the card, and note what the bank said."""
    trouble.strike()
    if trouble.cuts_short():
        return {"order_id": wanted.order_id, "status": "approved"}
    glasshouse.add_span_attributes({"shop.amount_cents": wanted.amount_cents})
    status = _charged(wanted)
    with engine.begin() as connection:
        connection.execute(insert(charges).values(status=status, **wanted.model_dump()))
    log.info("charged", operation="charge", outcome=status, amount_cents=wanted.amount_cents)
    return {"order_id": wanted.order_id, "status": status}


def _charged(wanted: Charge) -> str:
    try:
        return str(bank.post("/charges", {"amount_cents": wanted.amount_cents})["status"])
    except HTTPException as failed:
        glasshouse.capture_exception(failed, operation="charge", severity="high", order_id=wanted.order_id)
        raise
