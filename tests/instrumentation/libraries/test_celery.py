"""Celery: what sends a task and the worker that runs it are in one trace."""

from application_process import Programs
from collector_process import until
from otlp_listener import Listener
from sent_telemetry import Sent

TASKS = """
import logging
import os

from celery import Celery

app = Celery("shop", broker="filesystem://")
folder = os.environ["QUEUE"]
app.conf.broker_transport_options = {
    "data_folder_in": folder, "data_folder_out": folder, "control_folder": folder
}
app.conf.task_ignore_result = True
log = logging.getLogger("shop")

@app.task
def charge(order):
    log.warning("charging %d", order)

@app.task
def refuse(order):
    raise ValueError("refused")
"""
SEND = """
import tasks
from opentelemetry import trace

with trace.get_tracer("shop").start_as_current_span("checkout"):
    tasks.charge.delay(7)
    tasks.refuse.delay(8)
"""


def test_a_task_is_in_the_trace_of_its_sender(programs: Programs, listener: Listener) -> None:
    """From a process to a forked child of a worker, with the log records made there; a failure says so."""
    queue = programs.folder / "queue"
    queue.mkdir()
    programs.write("tasks.py", TASKS)
    program = str(programs.write("send.py", SEND))
    run = ("glasshouse", "run", "--endpoint", listener.url, "--service-name")
    worker = (
        "celery",
        "--app",
        "tasks",
        "worker",
        "--concurrency",
        "1",
        "--without-mingle",
        "--without-gossip",
    )
    fast = {"QUEUE": str(queue), "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100"}
    programs.start(*run, "worker", "--", *worker, **fast)
    returned, output = programs.run(*run, "sender", "--", "python", program, **fast)
    assert returned == 0, output
    sent = Sent(listener)
    until(lambda: len(sent.spans("CONSUMER")) == 2 and bool(sent.records("shop")), "both tasks are told")
    checkout = sent.span("INTERNAL", service="sender")
    for name, failed in (("charge", False), ("refuse", True)):
        (asked,) = [span for span in sent.spans("PRODUCER") if span.name == f"apply_async/tasks.{name}"]
        (done,) = [span for span in sent.spans("CONSUMER") if span.name == f"run/tasks.{name}"]
        assert (asked.service, done.service) == ("sender", "worker")
        assert (asked.parent, asked.trace_id) == (checkout.span_id, checkout.trace_id)
        assert (done.parent, done.trace_id) == (asked.span_id, checkout.trace_id)
        assert done.attributes["celery.task_name"] == f"tasks.{name}"
        assert done.attributes["celery.state"] == ("FAILURE" if failed else "SUCCESS")
        assert done.failed == failed
    (record,) = sent.records("shop")
    assert (record.body, record.trace_id) == ("charging 7", checkout.trace_id)
