"""Threads: what is started in a span is in its trace."""

from collections.abc import Callable

from sent_telemetry import Sent

PROGRAM = """
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from opentelemetry import trace

log = logging.getLogger("shop")
tracer = trace.get_tracer("shop")
with ThreadPoolExecutor(1) as pool:
    for order in (1, 2):
        with tracer.start_as_current_span(f"checkout {order}"):
            thread = threading.Thread(target=log.warning, args=(f"thread of {order}",))
            thread.start()
            thread.join()
            pool.submit(log.warning, f"pool of {order}").result()
"""


def test_a_context_reaches_threads(run: Callable[..., Sent]) -> None:
    """Those of a pool, which outlive a request, have the context of each task and none from before."""
    sent = run(PROGRAM)
    spans = {span.name: span.span_id for span in sent.spans("INTERNAL")}
    told = {record.body: record.span_id for record in sent.records("shop")}
    assert told == {
        f"{where} of {order}": spans[f"checkout {order}"] for where in ("thread", "pool") for order in (1, 2)
    }
