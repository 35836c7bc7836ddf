"""The table of settings: where a value comes from, and what is said of a wrong one."""

import typing
from dataclasses import fields
from pathlib import Path

import pytest

from glasshouse.settings import Arguments, Settings, SettingsError, load, table


def test_an_argument_beats_a_variable_which_beats_the_default() -> None:
    """Arguments, then OTEL_ variables, then ours, then the default."""
    environ = {"OTEL_SERVICE_NAME": "by-standard", "GLASSHOUSE_SERVICE_NAME": "by-ours"}
    assert load({"service_name": "by-argument"}, environ).service_name == "by-argument"
    assert load({"service_name": None}, environ).service_name == "by-standard"
    assert load({}, {"GLASSHOUSE_SERVICE_NAME": "by-ours"}).service_name == "by-ours"
    assert load({}, {}).service_name is None


def test_resource_attributes_name_the_service_as_the_specification_says() -> None:
    """OTEL_SERVICE_NAME beats OTEL_RESOURCE_ATTRIBUTES, which beats our variables; values are decoded."""
    attributes = (
        "service.name=shop,service.version=1.0,service.version=2%2E0, deployment.environment.name = test"
    )
    environ = {
        "OTEL_RESOURCE_ATTRIBUTES": attributes,
        "GLASSHOUSE_RELEASE": "9",
        "GLASSHOUSE_ENVIRONMENT": "x",
    }
    settings = load({}, environ)
    assert (settings.service_name, settings.release, settings.environment) == ("shop", "2.0", "test")
    assert load({}, environ | {"OTEL_SERVICE_NAME": "cart"}).service_name == "cart"


def test_an_empty_variable_counts_as_unset() -> None:
    """So says the specification."""
    assert load({}, {"OTEL_SERVICE_NAME": "", "GLASSHOUSE_SERVICE_NAME": "shop"}).service_name == "shop"


def test_the_table_says_where_each_value_came_from() -> None:
    """`glasshouse config` shows it."""
    rows = {row.name: row for row in table({"release": "1"}, {"OTEL_SERVICE_NAME": "shop"})}
    sources = (rows["release"].source, rows["service_name"].source, rows["endpoint"].source)
    assert sources == ("argument", "OTEL_SERVICE_NAME", "default")


def test_only_true_disables_as_the_specification_says() -> None:
    """Any other value of a standard boolean is false; ours refuse what is neither."""
    assert load({}, {"OTEL_SDK_DISABLED": "True"}).disabled
    assert not load({}, {"OTEL_SDK_DISABLED": "yes"}).disabled
    with pytest.raises(SettingsError, match="GLASSHOUSE_PROMETHEUS: should be true or false, not 'maybe'"):
        load({}, {"GLASSHOUSE_PROMETHEUS": "maybe"})


@pytest.mark.parametrize(
    ("variable", "written", "said"),
    [
        ("GLASSHOUSE_SPOOL_BYTES", "many", "should be a whole number, not 'many'"),
        ("GLASSHOUSE_SPOOL_BYTES", "-1", "should be 0 or more, not -1"),
        ("GLASSHOUSE_SLOW_REQUEST_SECONDS", "nan", "should be 0 or more"),
        ("GLASSHOUSE_SLOW_REQUEST_SECONDS", "soon", "should be a number, not 'soon'"),
        ("GLASSHOUSE_LOG_FORMAT", "xml", "should be one of auto, json, pretty, off, not 'xml'"),
        ("GLASSHOUSE_LOG_LEVEL", "LOUD", "should be one of CRITICAL"),
        ("GLASSHOUSE_LOG_LEVELS", "urllib3", "should be pairs"),
        ("GLASSHOUSE_LOG_LEVELS", "urllib3=LOUD", "should be one of CRITICAL"),
        ("GLASSHOUSE_RESOURCE_ATTRIBUTES", "=x", "should be pairs"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "should be a URL, as http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:99999", "should be a URL"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "should be one of http/protobuf, grpc"),
        ("SENTRY_TRACES_SAMPLE_RATE", "2", "should be from 0 to 1"),
    ],
)
def test_a_wrong_variable_is_named_with_what_would_be_right(variable: str, written: str, said: str) -> None:
    """The message has the variable, what is wrong, and what would be right."""
    with pytest.raises(SettingsError) as refused:
        load({}, {variable: written})
    assert str(refused.value).startswith(variable)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("spool_bytes", "12", "spool_bytes: should be of type int, not str"),
        ("spool_bytes", True, "spool_bytes: should be of type int, not bool"),
        ("prometheus", 1, "prometheus: should be of type bool, not int"),
        ("log_levels", ["x"], "log_levels: should be of type Mapping, not list"),
        ("servicename", "shop", "configure() has no setting 'servicename'; it has: service_name, "),
    ],
)
def test_a_wrong_argument_is_named_with_its_type(argument: str, value: object, said: str) -> None:
    """An argument of another type, or with another name, is a mistake that is told."""
    with pytest.raises(SettingsError) as refused:
        load({argument: value}, {})
    assert said in str(refused.value)


def test_a_secret_is_in_no_message_and_no_repr() -> None:
    """A wrong key, and the settings when they are printed, do not show it."""
    with pytest.raises(SettingsError) as refused:
        load({}, {"GLASSHOUSE_API_KEY": "se cret"})
    assert "cret" not in str(refused.value)
    assert "hush" not in repr(load({"api_key": "hush", "sentry_dsn": "https://hush@sentry.example/1"}, {}))


@pytest.mark.parametrize(
    "dsn", ["nonsense", "https://example.org/1", "https://key@example.org/project", "https://key@h:99999/1"]
)
def test_a_wrong_dsn_is_refused_with_the_other_settings(dsn: str) -> None:
    """Before anything is set up, whether Sentry's SDK is installed or not; and it is not shown."""
    with pytest.raises(SettingsError, match=r"^SENTRY_DSN \(sentry_dsn\): should be the DSN") as refused:
        load({}, {"SENTRY_DSN": dsn})
    assert dsn not in str(refused.value)
    with pytest.raises(SettingsError, match=r"^sentry_dsn: should be the DSN"):
        load({"sentry_dsn": dsn}, {})
    assert load({"sentry_dsn": "https://key:secret@sentry.example:9000/base/1"}, {}).sentry_dsn


def test_a_path_may_be_given_as_text() -> None:
    """As an argument and as a variable."""
    assert load({"log_file": "a.log"}, {}).log_file == Path("a.log")
    assert load({}, {"GLASSHOUSE_LOG_FILE": "a.log"}).log_file == Path("a.log")


def test_type_checkers_know_each_setting() -> None:
    """The keywords that `configure` takes are those of the table."""
    keywords = {"service_name", *typing.get_type_hints(Arguments)}
    assert keywords == {each.name for each in fields(Settings)}
