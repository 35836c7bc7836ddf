"""The worker: ships what was paid, one order after the other, in the trace of the request that placed it."""

import logging
import signal
import threading
from typing import TypeAlias

from opentelemetry import propagate, trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind
from sqlalchemy import Engine, Row, select, update
from sqlalchemy.exc import SQLAlchemyError

import glasshouse
from glasshouse.metrics import business
from glasshouse_shop.database import opened
from glasshouse_shop.orders import DATABASE, orders, tables
from glasshouse_shop.trouble import Trouble

Order: TypeAlias = Row[tuple[object, ...]]

log = logging.getLogger("shop.worker")
tracer = trace.get_tracer("glasshouse_shop")

_PAUSE_SECONDS = 0.1
_PACKING_SECONDS = 0.01


def main() -> None:
    """Ship until SIGTERM."""
    glasshouse.configure()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    engine = opened(DATABASE, tables)
    trouble = Trouble("worker", engine)
    while not ended.is_set():
        try:
            order = _next(engine)
            if order is not None:
                _work_on(order, engine, trouble)
                continue
        except SQLAlchemyError as failed:
            # As while the pool is exhausted: even to look for work, or to note what failed.
            log.error("no database: %s", failed)  # noqa: TRY400 - it is tried again at once
            trouble.recover()
        ended.wait(_PAUSE_SECONDS)


def _work_on(order: Order, engine: Engine, trouble: Trouble) -> None:
    parent = propagate.extract({"traceparent": order.traceparent})
    with tracer.start_as_current_span("ship order", context=parent, kind=SpanKind.CONSUMER):
        glasshouse.bind(order_id=order.id, session_id=order.session_id)
        try:
            with business.background_job("ship order"):
                ship(order, engine, trouble)
        except Exception as failed:  # noqa: BLE001 - the next order may fare better
            glasshouse.capture_exception(failed, operation="ship order")
            _mark(engine, order.id, "failed")


def ship(order: Order, engine: Engine, trouble: Trouble) -> None:
    """Ship one order."""
    trouble.strike()
    if trouble.cuts_short():
        _mark(engine, order.id, "lost")
        return
    with glasshouse.span("pack"):
        threading.Event().wait(_PACKING_SECONDS)
    with engine.begin() as connection:
        connection.execute(update(orders).where(orders.c.id == order.id).values(status="shipped"))
    log.info("order shipped")


def _next(engine: Engine) -> Order | None:
    # Looking for work is no work: it would be a trace ten times a second.
    with suppress_instrumentation(), engine.connect() as connection:
        return connection.execute(select(orders).where(orders.c.status == "paid").limit(1)).first()


def _mark(engine: Engine, order_id: object, status: str) -> None:
    with suppress_instrumentation(), engine.begin() as connection:
        connection.execute(update(orders).where(orders.c.id == order_id).values(status=status))


if __name__ == "__main__":
    main()
