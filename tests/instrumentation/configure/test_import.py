"""What `import glasshouse`, and configuring it, bring into a process."""

import subprocess
import sys

import glasshouse

SERVER = (
    "glasshouse_collector",
    "glasshouse_exporters",
    "chdb",
    "clickhouse_connect",
    "pyarrow",
    "uvicorn",
    "zstandard",
)
OPTIONAL = (
    "celery",
    "django",
    "fastapi",
    "flask",
    "grpc",
    "prometheus_client",
    "redis",
    "sentry_sdk",
    "sqlalchemy",
)


def modules_after(code: str) -> set[str]:
    """Return the modules that a fresh process has after some code."""
    script = f"{code}\nimport sys\nprint(chr(10).join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_importing_it_imports_almost_nothing() -> None:
    """Neither OpenTelemetry nor any other dependency is imported before a name is used."""
    ours = modules_after("import glasshouse") - modules_after("")
    assert not ours & {"opentelemetry", "click", "requests", "structlog", "logging", *SERVER, *OPTIONAL}


def test_configuring_it_imports_no_server_and_no_option() -> None:
    """Without instrumentations, what is asked for is all that is imported."""
    code = "import glasshouse; glasshouse.configure('shop', instrument=False, shutdown_seconds=0.1)"
    assert not modules_after(code) & {*SERVER, *OPTIONAL}


def test_web_frameworks_are_not_imported_for_the_application() -> None:
    """Their instrumentation waits until the application imports them itself."""
    code = (
        "import os; os.environ['OTEL_PYTHON_DISABLED_INSTRUMENTATIONS'] = 'grpc_client,grpc_server,celery'\n"
        "import glasshouse; glasshouse.configure('shop', shutdown_seconds=0.1)"
    )
    assert not modules_after(code) & {"django", "fastapi", "flask", "starlette"}


def test_every_public_name_is_there_and_listed() -> None:
    """`dir` and `__all__` have the same names, and each can be had."""
    for name in glasshouse.__all__:
        assert getattr(glasshouse, name) is not None
        assert name in dir(glasshouse)


def test_a_module_does_not_hide_the_function_of_the_same_name() -> None:
    """`glasshouse.heartbeat` is the function, also after its module was imported."""
    from glasshouse.heartbeat import start_heartbeat_loop  # noqa: PLC0415 - the import is what is tested

    assert callable(glasshouse.heartbeat)
    assert glasshouse.start_heartbeat_loop is start_heartbeat_loop
