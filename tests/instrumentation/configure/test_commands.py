"""`glasshouse run`, `config` and `bootstrap` as a user meets them."""

import json
from importlib.metadata import entry_points

import pytest

from application_process import Collected, Programs
from glasshouse.commands.bootstrap import found
from glasshouse.commands.run import say

SHOW = "import os; print(os.environ.get('OTEL_SERVICE_NAME'), os.environ.get('OTEL_RESOURCE_ATTRIBUTES'))"


def test_config_shows_each_setting_and_no_secret(programs: Programs) -> None:
    """Values, where they came from, and what else OpenTelemetry is told; secrets are masked."""
    returned, output = programs.run(
        "glasshouse", "config",
        OTEL_SERVICE_NAME="shop", GLASSHOUSE_API_KEY="hush-1", SENTRY_DSN="https://hush-2@sentry.example/1",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=hush-3", OTEL_TRACES_SAMPLER="always_on",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://user:hush-4@collector:4318",
    )  # fmt: skip
    assert returned == 0, output
    assert "hush" not in output
    assert "service_name = shop" in output
    assert "from OTEL_SERVICE_NAME; variables: OTEL_SERVICE_NAME, " in output
    assert "api_key = **********" in output
    assert "OTEL_TRACES_SAMPLER=always_on" in output


def test_config_answers_in_json(programs: Programs) -> None:
    """For scripts."""
    returned, output = programs.run("glasshouse", "config", "--json", GLASSHOUSE_LOG_LEVELS="urllib3=ERROR")
    assert returned == 0, output
    row = json.loads(output)["settings"]["log_levels"]
    assert row == {"value": {"urllib3": "ERROR"}, "source": "GLASSHOUSE_LOG_LEVELS"}


@pytest.mark.parametrize(
    "command", [["config"], ["run", "python", "-c", "print('ran')"], ["run", "--spool-bytes", "x", "python"]]
)
def test_a_wrong_setting_ends_a_command_with_its_name(command: list[str], programs: Programs) -> None:
    """Exit code 2, the setting, what would be right; no traceback, and the program is not run."""
    returned, output = programs.run("glasshouse", *command, GLASSHOUSE_SPOOL_BYTES="many")
    assert returned == 2, output
    assert "GLASSHOUSE_SPOOL_BYTES: should be a whole number" in output
    assert "Traceback" not in output
    assert "ran" not in output.splitlines()


def test_run_says_which_program_is_missing(programs: Programs) -> None:
    """A name that is no program, or none at all, is a mistake that is told."""
    returned, output = programs.run("glasshouse", "run", "--", "nosuchprogram")
    assert returned == 2
    assert "there is no program 'nosuchprogram'" in output
    assert programs.run("glasshouse", "run")[0] == 2


def test_run_gives_its_options_to_the_program_as_variables(programs: Programs) -> None:
    """An option beats what the variable said, and other attributes stay."""
    returned, output = programs.run(
        "glasshouse", "run", "--service-name", "shop", "--environment", "a b", "--", "python", "-c", SHOW,
        OTEL_SERVICE_NAME="other", OTEL_RESOURCE_ATTRIBUTES="team=blue,deployment.environment.name=x",
        OTEL_SDK_DISABLED="true",
    )  # fmt: skip
    assert returned == 0, output
    said = "shop team=blue,deployment.environment.name=x,deployment.environment.name=a%20b"
    assert said in output


def test_an_attribute_of_a_variable_can_be_said() -> None:
    """The pair is added, or the variable made."""
    environ: dict[str, str] = {}
    say(environ, "OTEL_RESOURCE_ATTRIBUTES[service.version]", "1,2")
    say(environ, "OTEL_SERVICE_NAME", "shop")
    assert environ == {"OTEL_RESOURCE_ATTRIBUTES": "service.version=1%2C2", "OTEL_SERVICE_NAME": "shop"}


def test_the_exit_code_of_a_program_is_its_own(programs: Programs) -> None:
    """`run` becomes the program: same process, same exit code, arguments untouched."""
    file = programs.write("app.py", "import sys; print(sys.argv[1:]); sys.exit(5)")
    returned, output = programs.run(
        "glasshouse", "run", "--", str(file), "--help", "--", "-x", OTEL_SDK_DISABLED="true"
    )
    assert returned == 5
    assert "['--help', '--', '-x']" in output


def test_a_wrong_variable_leaves_the_program_running(programs: Programs) -> None:
    """Under plain opentelemetry-instrument the application runs on, and one line says why nothing is sent."""
    returned, output = programs.run(
        "opentelemetry-instrument", "python", "-c", "print('ran')", GLASSHOUSE_SPOOL_BYTES="many"
    )
    assert returned == 0, output
    assert "ran" in output.splitlines()
    assert "glasshouse sends nothing: GLASSHOUSE_SPOOL_BYTES: should be a whole number" in output
    assert "Traceback" not in output


def test_bootstrap_lists_what_the_application_has(programs: Programs) -> None:
    """Libraries that are here, with their instrumentation; each once."""
    returned, output = programs.run("glasshouse", "bootstrap")
    assert returned == 0, output
    flask = next(line for line in output.splitlines() if line.startswith("flask "))
    assert flask.split()[2:] == ["opentelemetry-instrumentation-flask", "installed"]
    packages = [each.package for each in found()]
    assert len(packages) == len(set(packages))
    assert "opentelemetry-instrumentation-click" not in packages


def test_bootstrap_prints_requirements_that_can_be_installed(programs: Programs) -> None:
    """Only what is missing, and nothing else on the output."""
    missing = [each.package for each in found() if not each.installed and not each.unsupported]
    returned, output = programs.run("glasshouse", "bootstrap", "--requirements")
    assert (returned, output.split()) == (0, missing)


def test_opentelemetry_finds_one_distribution() -> None:
    """The entry points by which `opentelemetry-instrument` does all that `configure` does."""
    assert entry_points(group="opentelemetry_distro", name="glasshouse")["glasshouse"].load()
    assert entry_points(group="opentelemetry_configurator", name="glasshouse")["glasshouse"].load()


@pytest.mark.parametrize("launcher", [["glasshouse", "run", "--"], ["opentelemetry-instrument"]])
def test_an_application_becomes_visible_without_a_change(
    launcher: list[str], programs: Programs, collected: Collected
) -> None:
    """Traces, logs with their trace, and metrics of a FastAPI application are found in the store by SQL."""
    service = launcher[0]
    port = str(programs.free_port())
    programs.write(
        "app.py",
        """
import logging
from fastapi import FastAPI

app = FastAPI()

@app.get("/items/{item}")
def item(item: int) -> int:
    logging.getLogger("app").warning("looked at %d", item)
    return item
""",
    )
    process = programs.start(
        *launcher, "uvicorn", "--port", port, "app:app",
        OTEL_SERVICE_NAME=service, GLASSHOUSE_ENDPOINT=collected.endpoint, GLASSHOUSE_RELEASE="1.2",
    )  # fmt: skip
    programs.answers(f"http://127.0.0.1:{port}/items/7")
    process.terminate()
    process.communicate(timeout=60)
    assert collected.spans(service) == ["GET /items/{item}"]
    assert "looked at 7" in collected.logs(service)
    traced = collected.process.ask(
        "SELECT l.ResourceAttributes['service.version'] FROM otel_logs AS l JOIN otel_traces AS t "
        f"ON l.TraceId = t.TraceId AND l.SpanId = t.SpanId WHERE t.ServiceName = '{service}' "
        "AND l.Body = 'looked at 7' AND t.SpanAttributes['http.response.status_code'] = '200'"
    )
    assert traced == [["1.2"]]
    assert "http.server.request.duration" in collected.histograms(service)
