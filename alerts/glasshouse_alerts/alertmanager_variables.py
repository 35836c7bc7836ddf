"""What a user says about receivers of alerts: variables, or files that hold their values."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from glasshouse_collector.core.errors import ConfigurationError

PREFIX = "GLASSHOUSE_ALERT_"
_FROM_FILE = "_FILE"

Check = Callable[[str], str | None]
"""Says what would be right, where a value is wrong."""


def _address(value: str) -> str | None:
    parts = urlsplit(value)
    right = parts.scheme in {"http", "https"} and parts.hostname and not re.search(r"\s", value)
    return None if right else "should be an address like https://example.com/path"


def _mails(value: str) -> str | None:
    right = all(re.fullmatch(r"[^\s@,]+@[^\s@,]+", each.strip()) for each in value.split(","))
    return None if right else "should be e-mail addresses, separated by commas"


def _mail(value: str) -> str | None:
    right = re.fullmatch(r"([^@<>\r\n]*<[^\s@<>]+@[^\s@<>]+>|[^\s@<>,]+@[^\s@<>,]+)", value)
    return None if right else "should be one e-mail address"


def _smarthost(value: str) -> str | None:
    match = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:/]+):(\d{1,5})", value)
    right = match and 0 < int(match[2]) <= 65535  # noqa: PLR2004 - the highest port there is
    return None if right else "should be host:port, like mail.example.com:587"


def _boolean(value: str) -> str | None:
    return None if value in {"true", "false"} else "should be true or false"


def _word(value: str) -> str | None:
    return None if value.isprintable() and " " not in value else "should be one word of printable characters"


def _line(value: str) -> str | None:
    return None if value.isprintable() else "should be one line of printable characters"


@dataclass(frozen=True)
class Variable:
    """One thing to say; a secret never stands in what is rendered, and never in a message."""

    name: str
    meaning: str
    check: Check
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "PAGERDUTY_ROUTING_KEY", "integration key of a service in PagerDuty (Events API v2)", _word, True
    ),
    Variable("SLACK_WEBHOOK_URL", "incoming webhook of Slack", _address, True),
    Variable("SLACK_CHANNEL", "channel, where the webhook may choose one", _word),
    Variable("TEAMS_WEBHOOK_URL", "webhook of a workflow of Microsoft Teams", _address, True),
    Variable("EMAIL_TO", "who gets mail, separated by commas", _mails),
    Variable("EMAIL_FROM", "who it comes from", _mail),
    Variable("EMAIL_SMARTHOST", "mail server, host:port", _smarthost),
    Variable("EMAIL_USERNAME", "name to log in with at the mail server", _line),
    Variable("EMAIL_PASSWORD", "its password", _line, True),
    Variable("EMAIL_STARTTLS", "`false` for a mail server without TLS; `true` by default", _boolean),
    Variable(
        "WEBHOOK_URL", "the collector's webhook: `http://collector:8000/api/v1/alerts/webhook`", _address
    ),
    Variable(
        "WEBHOOK_TOKEN",
        "its `webhook_token`, the collector's `auth_token`, or a key with the scope `ingest`",
        _line,
        True,
    ),
    Variable(
        "RUNBOOK_BASE_URL",
        "what comes before `docs/runbooks/…` in messages: where you show the files",
        _address,
    ),
    Variable(
        "DASHBOARD_URL", "where the title of a message in Slack leads; by default Alertmanager", _address
    ),
)
"""All there is, in the order of the table in docs/alerts.md."""


@dataclass(frozen=True)
class Given:
    """A value and, where it was read from a file, which."""

    value: str
    file: Path | None = None


def read(environment: Mapping[str, str] = os.environ) -> dict[str, Given]:
    """Return what is set, by name without the prefix. Empty means unset.

    ConfigurationError names each wrong variable, and what would be right, a line each.
    """
    wrong = _unknown(environment)
    given: dict[str, Given] = {}
    for variable in VARIABLES:
        try:
            found = _one(variable, environment)
        except ConfigurationError as error:
            wrong.append(str(error))
        else:
            if found is not None:
                given[variable.name] = found
    wrong += _incomplete(given) if not wrong else []
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    return given


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = {PREFIX + each.name + suffix for each in VARIABLES for suffix in ("", _FROM_FILE)}
    strange = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    names = ", ".join(each.name for each in VARIABLES)
    return [f"{name}: there is no such variable; after {PREFIX} may come {names}" for name in strange]


def _one(variable: Variable, environment: Mapping[str, str]) -> Given | None:
    name = PREFIX + variable.name
    direct, path = environment.get(name, ""), environment.get(name + _FROM_FILE, "")
    if direct and path:
        raise ConfigurationError(f"{name}: is set, and {name}{_FROM_FILE} too; set one of them")
    if path:
        found = Given(_content(name + _FROM_FILE, Path(path)), Path(path).absolute())
        name += _FROM_FILE
    elif direct:
        found = Given(direct.strip())
    else:
        return None
    told = variable.check(found.value)
    if told:
        shown = "" if variable.secret else f" (got {found.value!r})"
        raise ConfigurationError(f"{name}: {told}{shown}")
    return found


def _content(name: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as failed:
        raise ConfigurationError(f"{name}: {path} cannot be read: {failed.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name}: {path} should be text in UTF-8") from None
    if not text:
        raise ConfigurationError(f"{name}: {path} is empty; it should hold the value")
    return text


_NEEDS = {
    "EMAIL_TO": ("EMAIL_FROM", "EMAIL_SMARTHOST"),
    "EMAIL_FROM": ("EMAIL_TO",),
    "EMAIL_SMARTHOST": ("EMAIL_TO",),
    "EMAIL_USERNAME": ("EMAIL_PASSWORD",),
    "EMAIL_PASSWORD": ("EMAIL_USERNAME", "EMAIL_TO"),
    "SLACK_CHANNEL": ("SLACK_WEBHOOK_URL",),
    "WEBHOOK_TOKEN": ("WEBHOOK_URL",),
}


def _incomplete(given: Mapping[str, Given]) -> list[str]:
    return [
        f"{PREFIX}{other}: is needed, since {PREFIX}{name} is set"
        for name, others in _NEEDS.items()
        if name in given
        for other in others
        if other not in given
    ]
