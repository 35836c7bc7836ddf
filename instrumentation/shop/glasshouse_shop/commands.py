"""`glasshouse demo`: the shop, its visitors, and faults on request."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from glasshouse_shop import DATA_DIR
from glasshouse_shop.faults import EFFECTS, FAULTS, Fault, named

_NEEDED = ("fastapi", "uvicorn", "httpx", "sqlalchemy", "chdb", "opentelemetry.instrumentation.sqlalchemy")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smh]?)")
_DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA_DIR,
    show_default=True,
    help="Where everything is kept.",
)
_TAKEN_SECONDS = 60
_KEY = "GLASSHOUSE_API_KEY"


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        found = _DURATION.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} should be a duration, as 90s, 5m or 1h", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


class _FaultName(click.ParamType[Fault]):
    name = "service:kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        try:
            return named(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


@click.group(invoke_without_command=True)
@_DATA_DIR
@click.option(
    "--fault", "faults", type=_FaultName(), multiple=True, help="Switch it on for a while; may be repeated."
)
@click.option("--duration", type=_Duration(), help="How long each fault is on; without one: the whole run.")
@click.option(
    "--calm", type=_Duration(), default="1m", show_default=True, help="Before, between and after faults."
)
@click.option(
    "--truth", type=click.Path(path_type=Path, dir_okay=False), help="Write which fault was on when, as JSON."
)
@click.option("--endpoint", help="OTLP/HTTP base URL of a collector that runs already.")
@click.option("--key", help=f"A key to send with, where the collector wants one; better set {_KEY}.")
@click.option("--any-port", is_flag=True, help="Let the system choose the collector's ports.")
@click.option(
    "--sessions-per-second",
    type=click.FloatRange(min=0, max=100, min_open=True),
    default=1.0,
    show_default=True,
    help="How many visitors come.",
)
@click.option("--seed", type=int, help="The same visitors again.")
@click.pass_context
def demo(ctx: click.Context, /, **options: Any) -> None:
    """Run a small shop with a collector and visitors; Ctrl-C stops all of it.

    With --fault it runs by itself: calm, the fault, calm, end.
    """
    if ctx.invoked_subcommand is None:
        _run(**options)
    else:
        ctx.obj = options["data_dir"]


@demo.command()
@click.argument("fault", type=_FaultName())
@click.option("--duration", type=_Duration(), default="2m", show_default=True)
@click.pass_obj
def fault(data_dir: Path, fault: Fault, duration: float) -> None:
    """Switch a fault on in the demo that runs, for a while."""
    _wish(data_dir, str(fault), duration)
    click.echo(f"{fault} is on for {duration:g} s; {data_dir / 'truth.json'} notes it.")


@demo.command()
@click.pass_obj
def calm(data_dir: Path) -> None:
    """Switch all faults off in the demo that runs."""
    _wish(data_dir, None, 0)
    click.echo("All faults are off.")


@demo.command()
def faults() -> None:
    """List the faults, where they are, and what they do."""
    for each in FAULTS.values():
        effect = ", ".join(f"{name}={value}" for name, value in EFFECTS[each.kind].items())
        click.echo(f"{each!s:<26} {each.place.operation:<26} {effect}")


def _run(**options: Any) -> None:
    _refuse_if_incomplete()
    from glasshouse_shop.demo import Demo, Plan, Refused, sole  # noqa: PLC0415 - needs the extra
    from glasshouse_shop.ending import Ended, Ending  # noqa: PLC0415

    if options["faults"] and options["duration"] is None:
        raise click.UsageError("--fault needs --duration, as: --fault payment:latency --duration 5m")
    _check_endpoint(options["endpoint"])
    if options["key"]:
        os.environ[_KEY] = options["key"]  # the services inherit it
    truth = options["truth"]
    if truth is not None and not truth.absolute().parent.is_dir():
        raise click.UsageError(f"--truth: there is no folder {truth.absolute().parent}")
    plan = Plan(
        **{name: options[name] for name in ("data_dir", "endpoint", "any_port", "seed", "faults", "truth")},
        sessions_per_second=options["sessions_per_second"],
        seconds=options["duration"],
        calm_seconds=options["calm"],
    )
    try:
        with sole(plan.data_dir), Ending() as ending:
            running = Demo(plan, ending, click.echo)
            try:
                running.start()
                running.run()
            except Ended:
                click.echo()
            finally:
                running.stop()
    except Refused as refused:
        raise click.UsageError(str(refused)) from None
    except (ChildProcessError, TimeoutError, OSError) as failed:
        raise click.ClickException(str(failed)) from None
    click.echo("Stopped; nothing is left running.")


def _wish(data_dir: Path, fault: str | None, seconds: float) -> None:
    _refuse_if_incomplete()
    import time  # noqa: PLC0415

    from glasshouse_shop import wishes  # noqa: PLC0415
    from glasshouse_shop.demo import WISHES, runs  # noqa: PLC0415

    if not data_dir.is_dir() or not runs(data_dir):
        raise click.UsageError(f"no demo runs in {data_dir}; start one with: glasshouse demo")
    left = wishes.wish(data_dir / WISHES, wishes.Wish(fault, seconds))
    deadline = time.monotonic() + _TAKEN_SECONDS
    while left.exists():
        if time.monotonic() > deadline or not runs(data_dir):
            left.unlink(missing_ok=True)
            raise click.ClickException("the demo does not listen; is it starting or stopping?")
        time.sleep(0.05)


def _check_endpoint(endpoint: str | None) -> None:
    if endpoint is not None and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", endpoint):
        raise click.UsageError(f"--endpoint: should be a URL, as http://localhost:4318, not {endpoint!r}")


def _refuse_if_incomplete() -> None:
    missing = [name for name in _NEEDED if not _is_here(name)]
    if missing:
        raise click.UsageError(
            f'{missing[0]} is not installed; the demo needs: pip install "glasshouse[demo]"'
        )


def _is_here(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
