"""`glasshouse bootstrap`: the instrumentations for what the application has."""

import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NamedTuple

import click
from opentelemetry.instrumentation.bootstrap_gen import libraries
from packaging.requirements import Requirement

# Not for what an application has, but for what comes with it or with us; each would say a thing twice.
LEFT_OUT = {
    "opentelemetry-instrumentation-asgi": "a middleware, which FastAPI, Starlette and Django bring along",
    "opentelemetry-instrumentation-click": "click comes with this program",
    "opentelemetry-instrumentation-jinja2": "comes with Flask; a span for each template tells little",
    "opentelemetry-instrumentation-structlog": "glasshouse exports structlog's records itself",
    "opentelemetry-instrumentation-urllib3": "below requests, whose instrumentation makes the span",
}
# Pairs of the upstream table that name a library which says nothing about what the application uses.
_MISTAKEN = {("pydantic", "opentelemetry-instrumentation-tortoiseorm")}
# Always of use: a context reaches the threads that are started in it.
_ALWAYS = "opentelemetry-instrumentation-threading"


class Instrumentation(NamedTuple):
    """One instrumentation, the library of the application that it is for, and how it stands."""

    package: str
    library: str
    installed: bool
    unsupported: str = ""


def found() -> list[Instrumentation]:
    """Return the instrumentations for the libraries that are installed, each once, by name."""
    by_package: dict[str, Instrumentation] = {}
    for pair in libraries:
        library, package = Requirement(pair["library"]), Requirement(pair["instrumentation"]).name
        here = _version(library.name)
        if here is None or package in LEFT_OUT or (library.name, package) in _MISTAKEN:
            continue
        fits = library.specifier.contains(here, prereleases=True)
        unsupported = "" if fits else f"it takes {library}"
        by_package.setdefault(
            package,
            Instrumentation(package, f"{library.name} {here}", _version(package) is not None, unsupported),
        )
    by_package[_ALWAYS] = Instrumentation(_ALWAYS, "threads", _version(_ALWAYS) is not None)
    return [by_package[name] for name in sorted(by_package)]


@click.command()
@click.option("--install", is_flag=True, help="Install what is missing, into this Python.")
@click.option(
    "--requirements", is_flag=True, help="Print what is missing, a line each, for a requirements file."
)
def bootstrap(install: bool, requirements: bool) -> None:
    """List the instrumentations for the libraries that are installed here, or install them.

    Run it where the application is installed. Nothing is changed without --install.
    """
    instrumentations = found()
    missing = [each.package for each in instrumentations if not each.installed and not each.unsupported]
    if requirements:
        click.echo("\n".join(missing), nl=bool(missing))
        return
    for each in instrumentations:
        state = each.unsupported or ("installed" if each.installed else "missing")
        click.echo(f"{each.library:<30} {each.package:<50} {state}")
    if not missing:
        click.echo("Nothing is missing.")
    elif install:
        _install(missing)
    else:
        click.echo(f"{len(missing)} missing. Install with: glasshouse bootstrap --install")


def _install(packages: list[str]) -> None:
    # Of the release that is here: another would replace parts of the SDK by parts that do not fit the rest.
    release = version("opentelemetry-instrumentation")
    pinned = [f"{package}=={release}" for package in packages]
    installer = _installer()
    if _runs([*installer, *pinned]):
        return
    click.echo("Not all at once; one by one:")
    absent = [each for each in pinned if not _runs([*installer, each])]
    if absent:
        raise click.ClickException(
            f"the installer failed for {', '.join(absent)}; see above. Where there is no such release yet, "
            "run this again when there is"
        )


def _runs(command: list[str]) -> bool:
    click.echo(" ".join(command))
    return not subprocess.run(command, check=False).returncode  # noqa: S603 - the names are OpenTelemetry's own


def _installer() -> list[str]:
    if find_spec("pip"):
        return [sys.executable, "-m", "pip", "install"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    raise click.ClickException(
        "there is no pip here: give your installer what `glasshouse bootstrap --requirements` prints"
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
