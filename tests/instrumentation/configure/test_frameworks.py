"""Web frameworks are instrumented whatever the order of imports, and once."""

import pytest

from application_process import Programs

# Each application imports its framework, makes the application, and only then configures telemetry.
BEFORE = """
import glasshouse
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exported = InMemorySpanExporter()

def configure():
    glasshouse.configure("shop", log_format="off")
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exported))

def report():
    for span in exported.get_finished_spans():
        print(span.kind.name, span.attributes.get("http.request.method"), span.attributes.get("http.route"))
"""

APPLICATIONS = {
    "fastapi": """
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()

@app.get("/items/{item}")
def item(item: int) -> int:
    return item

configure()
for _ in range(2):
    assert TestClient(app).get("/items/1").status_code == 200
""",
    "starlette": """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

app = Starlette(routes=[Route("/items/{item}", lambda request: PlainTextResponse("1"))])
configure()
for _ in range(2):
    assert TestClient(app).get("/items/1").status_code == 200
""",
    "flask": """
from flask import Flask

app = Flask(__name__)

@app.get("/items/<int:item>")
def item(item):
    return str(item)

configure()
for _ in range(2):
    assert app.test_client().get("/items/1").status_code == 200
""",
    "django": """
from django.conf import settings
configure()
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[])
import django
django.setup()
from django.http import HttpResponse
from django.test import Client
from django.urls import path

urlpatterns = [path("items/<int:item>", lambda request, item: HttpResponse(item))]
for _ in range(2):
    assert Client().get("/items/1").status_code == 200
""",
}
ROUTES = {
    "fastapi": "/items/{item}",
    "starlette": "/items/{item}",
    "flask": "/items/<int:item>",
    "django": "items/<int:item>",
}


@pytest.mark.parametrize("framework", APPLICATIONS)
def test_an_application_made_before_configure_is_instrumented_once(
    framework: str, programs: Programs
) -> None:
    """Each request makes one server span with its route, by the stable conventions."""
    source = BEFORE + APPLICATIONS[framework] + "report()\n"
    returned, output = programs.run(
        "python", str(programs.write("app.py", source)), PYTHONWARNINGS="ignore",
        OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
    )  # fmt: skip
    assert returned == 0, output
    server = [line for line in output.splitlines() if line.startswith("SERVER")]
    assert server == [f"SERVER GET {ROUTES[framework]}"] * 2, output


def test_a_variable_turns_an_instrumentation_off(programs: Programs) -> None:
    """OTEL_PYTHON_DISABLED_INSTRUMENTATIONS is honoured."""
    source = BEFORE + APPLICATIONS["flask"] + "report()\n"
    returned, output = programs.run(
        "python", str(programs.write("app.py", source)),
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="flask, requests",
        OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
    )  # fmt: skip
    assert returned == 0, output
    assert "SERVER" not in output


def test_an_instrumentation_that_fails_leaves_the_others_and_the_application(programs: Programs) -> None:
    """A broken instrumentor is reported in one line; the next one is loaded."""
    source = BEFORE.replace(
        "import glasshouse\n",
        "import glasshouse\nfrom opentelemetry.instrumentation.requests import RequestsInstrumentor\n"
        "def broken(self, **options): raise ZeroDivisionError('broken')\n"
        "RequestsInstrumentor._instrument = broken\n",
        1,
    )
    source += APPLICATIONS["flask"] + "report()\n"
    returned, output = programs.run(
        "python", str(programs.write("app.py", source)),
        OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
    )  # fmt: skip
    assert returned == 0, output
    assert "instrumenting requests failed: ZeroDivisionError: broken" in output
    assert output.count("SERVER GET") == 2
