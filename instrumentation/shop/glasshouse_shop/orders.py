"""The table of orders, which is also the queue between checkout and worker."""

from sqlalchemy import Column, Integer, MetaData, String, Table

DATABASE = "orders"

tables = MetaData()
orders = Table(
    "orders",
    tables,
    Column("id", String, primary_key=True),
    Column("session_id", String, nullable=False),
    Column("total_cents", Integer, nullable=False),
    Column("status", String, nullable=False, index=True),
    # The W3C context of the request that placed it: the worker goes on in its trace.
    Column("traceparent", String, nullable=False),
)
