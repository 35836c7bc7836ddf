"""`glasshouse logs`, `traces`, `trace`, `services` and `sql`, as somebody types them."""

import json
import subprocess
from collections.abc import Callable

from asked_records import CIRCLE, LOGS, TRACE

Run = Callable[..., subprocess.CompletedProcess[str]]


def told(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command that succeeded printed."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_logs_are_lines_with_the_newest_last(run: Run) -> None:
    """Filtered by service and level; what senders wrote cannot steer the terminal."""
    lines = told(run("logs", "--service", "checkout", "--level", "error", "--since", "1h")).splitlines()
    assert [line.split(" order ")[1].split()[0] for line in lines] == ["0", "5", "10", "15", "20"]
    assert "ERROR checkout order 20 placed\\x1b]0;owned\\x07 order.id=20" in lines[-1]


def test_logs_say_when_there_are_more(run: Run) -> None:
    """The newest so many, with a word on the error stream."""
    done = run("logs", "--limit", "2")
    assert len(told(done).splitlines()) == 2
    assert "these are the newest 2" in done.stderr


def test_logs_are_json_for_programs(run: Run) -> None:
    """An object a line, as the API tells them."""
    records = [json.loads(line) for line in told(run("logs", "--json", "order 7")).splitlines()]
    assert [record["attributes"] for record in records] == [{"order.id": "7"}]


def test_traces_are_listed(run: Run) -> None:
    """With where they began, how long they took and what went wrong."""
    head, line = told(run("traces", "--status", "error")).splitlines()
    assert head.split() == ["START", "DURATION", "SPANS", "ERRORS", "TRACE", "ROOT"]
    assert f"100 ms      3       1  {TRACE}  gateway step 0" in line


def test_where_nothing_is_found_it_says_so(run: Run) -> None:
    """On the error stream, with the time that was looked at: nothing at all would look like a mistake."""
    for line, said in (
        (("logs", "--service", "none"), "No such log records from now-1h to now; "),
        (
            ("logs", "--service", "none", "--since", "5m", "--json"),
            "No such log records from now-5m to now; ",
        ),
        (("traces", "--service", "none", "--since", "7d"), "No such traces from now-7d to now; "),
    ):
        done = run(*line)
        assert told(done) == ""
        assert said in done.stderr


def test_a_trace_is_a_tree(run: Run) -> None:
    """Every span under its parent, with its times; failures with their exception; logs on request."""
    shown = told(run("trace", TRACE, "--logs"))
    assert f"{TRACE}  100 ms, 3 spans, 1 errors" in shown
    assert "* gateway step 0  100 ms (own 11 ms)" in shown
    assert "* └─ checkout\\x1b[31m step 1  89 ms (own 11 ms)" in shown
    assert "*    └─ payment step 2  78 ms" in shown
    assert "CardDeclined: no money" in shown
    assert "· " in shown
    assert "order 3 placed" in shown


def test_a_trace_of_a_confused_sender_is_shown_whole(run: Run) -> None:
    """Spans that lead round in a circle are drawn, each once; one that came twice is one span."""
    lines = told(run("trace", CIRCLE)).splitlines()
    names = [
        name for line in lines for name in ("root", "twice", "round 1", "round 2", "round 3") if name in line
    ]
    assert sorted(names) == ["root", "round 1", "round 2", "round 3", "twice"]
    assert "5 spans" in lines[0]
    assert any("└─ gateway twice" in line for line in lines)
    assert sum("↻" in line for line in lines) == 1


def test_a_trace_that_is_not_there_is_told(run: Run) -> None:
    """One line on the error stream, and the exit code says so."""
    done = run("trace", "cd" * 16)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: nothing is kept of trace {'cd' * 16}")


def test_services_are_listed(run: Run) -> None:
    """With their status by seed's rule, rate, errors and quantiles."""
    shown = told(run("services"))
    assert shown.split()[:4] == ["SERVICE", "STATUS", "RATE", "ERRORS"]
    assert {line.split()[0] for line in shown.splitlines()[1:]} == {
        "gateway",
        "checkout",
        "checkout\\x1b[31m",
        "payment",
    }
    assert "critical" in next(line for line in shown.splitlines() if line.startswith("payment"))


def test_a_services_rate_is_over_the_time_that_was_asked_for(run: Run) -> None:
    """One request in ten minutes, in an hour (also without the option), in a day; the time has to be one."""
    for options, minutes in ((("--since", "10m"), 10), (("--since", "1d"), 1440), ((), 60)):
        lines = told(run("services", *options)).splitlines()
        rate = float(next(line for line in lines if line.startswith("payment")).split()[2].removesuffix("/s"))
        # The range is widened to whole minutes; three digits are shown.
        assert 0.99 / (60 * (minutes + 1)) < rate < 1.01 / (60 * minutes)
    for since in ("90s", "8d", "soon", "0m"):
        done = run("services", "--since", since)
        assert done.returncode == 2
        assert "whole minutes up to 7d are expected" in done.stderr


def test_sql_is_a_table_or_a_file(run: Run) -> None:
    """From the argument or the input, with values beside it."""
    query = (
        "SELECT ServiceName AS service, count() AS n FROM otel_logs WHERE ServiceName = {s:String} GROUP BY 1"
    )
    assert told(run("sql", query, "-p", "s=checkout")).split() == ["service", "n", "checkout", str(LOGS)]
    assert told(run("sql", "-", "--format", "csv", given="SELECT 1 AS a")).split() == ["a", "1"]
    assert run("sql", "SELECT 1", "-p", "nonsense").returncode == 2


def test_what_is_wrong_is_one_line(run: Run) -> None:
    """A wrong parameter, a wrong key and nobody there: said in a line, without a traceback."""
    for arguments, environment, why in (
        (("logs", "--since", "yesterday"), {}, "start_time: 'yesterday' is no time"),
        (("logs",), {"GLASSHOUSE_API_KEY": "wrong"}, "the key that was sent opens nothing here"),
        (("logs",), {"GLASSHOUSE_API_URL": "http://127.0.0.1:1"}, "start one with `glasshouse serve`"),
        (("sql", "DROP TABLE otel_logs"), {}, "one statement that only reads is expected"),
    ):
        done = run(*arguments, **environment)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert why in done.stderr
        assert "Traceback" not in done.stderr
