"""Errors of requests in real servers: one event, with the ids of the server's span."""

import re

import httpx
import pytest

from application_process import Programs
from sentry_server import SentryServer

FASTAPI = """
import glasshouse
from fastapi import FastAPI
app = FastAPI()

@app.get("/ready")
def ready(): return "ready"

@app.get("/fail")
async def fail():
    glasshouse.bind(user_id="u1")
    raise ValueError("in a handler")

@app.get("/captured")
def captured():
    try:
        raise ValueError("in a thread")
    except ValueError as exc:
        glasshouse.capture_exception(exc)
        raise
"""
FLASK = """
import glasshouse
from flask import Flask
app = Flask(__name__)

@app.get("/ready")
def ready(): return "ready"

@app.get("/fail")
def fail():
    glasshouse.bind(user_id="u1")
    raise ValueError("in a handler")

@app.get("/captured")
def captured():
    try:
        raise ValueError("in a thread")
    except ValueError as exc:
        glasshouse.capture_exception(exc)
        raise
"""
DJANGO = """
import os, sys
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

def ready(request): return HttpResponse("ready")

def fail(request):
    import glasshouse
    glasshouse.bind(user_id="u1")
    raise ValueError("in a handler")

def captured(request):
    import glasshouse
    try:
        raise ValueError("in a thread")
    except ValueError as exc:
        glasshouse.capture_exception(exc)
        raise

urlpatterns = [path("ready", ready), path("fail", fail), path("captured", captured)]
ROOT_URLCONF, SECRET_KEY, ALLOWED_HOSTS, MIDDLEWARE = "app", "not a secret", ["*"], []

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "app"
    from django.core.management import execute_from_command_line
    execute_from_command_line(["app.py", "runserver", "--noreload", sys.argv[1]])
"""


@pytest.mark.parametrize(
    ("source", "command"),
    [
        (FASTAPI, ("glasshouse", "run", "--", "uvicorn", "app:app", "--port")),
        (FLASK, ("glasshouse", "run", "--", "flask", "run", "--port")),
        (DJANGO, ("glasshouse", "run", "--", "python", "app.py")),
    ],
    ids=["fastapi", "flask", "django"],
)
def test_a_failing_request_is_one_event_with_the_ids_of_its_span(
    source: str, command: tuple[str, ...], sentry: SentryServer, programs: Programs
) -> None:
    """Nothing in the application speaks of Sentry."""
    programs.write("app.py", source)
    port = programs.free_port()
    url = f"http://127.0.0.1:{port}"
    variables = {
        "SENTRY_DSN": sentry.dsn,
        "OTEL_EXPORTER_OTLP_ENDPOINT": sentry.listener.url,
        "OTEL_SERVICE_NAME": "shop",
        "GLASSHOUSE_ENVIRONMENT": "staging",
    }
    if source is DJANGO:
        variables["DJANGO_SETTINGS_MODULE"] = "app"
    server = programs.start(*command, str(port), **variables)
    programs.answers(f"{url}/ready")
    trace_ids = [f"{number:032x}" for number in (0xFA11, 0xCA97)]
    for path, trace_id in zip(("fail", "captured"), trace_ids, strict=True):
        headers = {"traceparent": f"00-{trace_id}-00000000000000aa-01"}
        assert httpx.get(f"{url}/{path}", headers=headers).status_code == 500
    failed, captured = sorted(
        sentry.events(at_least=2), key=lambda event: str(event["exception"]["values"][-1]["value"])
    )
    server.terminate()
    server.communicate(timeout=30)
    assert len(sentry.events()) == 2
    assert [event["contexts"]["trace"]["trace_id"] for event in (failed, captured)] == trace_ids
    assert failed["user"]["id"] == "u1"
    assert failed["environment"] == "staging"
    sent = b"".join(each.payload for each in sentry.listener.by_path("/v1/traces"))
    for event in (failed, captured):
        assert re.escape(bytes.fromhex(event["contexts"]["trace"]["span_id"])) in re.escape(sent)
