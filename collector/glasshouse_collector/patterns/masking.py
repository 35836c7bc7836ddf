"""What varies in a line of text by its kind: numbers, addresses, times and the like.

Each rule names what it finds; the text is searched for them in this order, and what one has found the
next ones do not see. A template shows `<name>` in its place.
"""

import re
from typing import Final

_DATE: Final = r"\d{4}[-/]\d{2}[-/]\d{2}"
_CLOCK: Final = r"\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?"
_ZONE: Final = r"(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_WEEKDAY: Final = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+)?"
_NUMBER: Final = r"\d+(?:[.,]\d+)*"
_UNIT: Final = r"(?:ns|us|µs|μs|ms|s|secs?|seconds?|milliseconds?|mins?|minutes?|m|hours?|hrs?|h|days?|d)"
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"

RULES: Final = {
    "timestamp": rf"\b{_DATE}(?:[T\s]{_CLOCK}{_ZONE})?(?!\w)"
    rf"|\b{_WEEKDAY}(?:{_MONTH}\s+\d{{1,2}}|\d{{1,2}}\s+{_MONTH})(?:,?\s+\d{{4}})?\s+{_CLOCK}{_ZONE}"
    rf"(?:\s+\d{{4}}\b)?|\b{_CLOCK}(?!\w)",
    "uuid": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    # a key of JSON is no value: it stays
    "quoted": r"(?<!\w)\"(?:[^\"\\\n]|\\.)*\"(?!\s*:)|(?<!\w)'(?:[^'\\\n]|\\.)*'(?!\w)",
    "path": r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>)\]},;]+"
    r"|(?<![\w/.<>])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@%+=:~-]+){2,}[/\\]?(?:\?[^\s\"'<>)]*)?",
    "ip": rf"(?<![\w.]){_OCTET}(?:\.{_OCTET}){{3}}(?::\d{{1,5}})?(?![\w.]*\w)"
    r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])"
    r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6}(?![\w:])|(?<![\w:])::1(?![\w:])",
    "hex": r"\b0[xX][0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{6,}\b",
    "duration": rf"(?<![\w.])-?{_NUMBER}\s?{_UNIT}(?!\w)",
    "number": rf"(?<![\w.])[+-]?{_NUMBER}(?:[eE][+-]?\d+)?%?(?!\w)|{_NUMBER}",
}

_COMPILED: Final = {name: re.compile(rule) for name, rule in RULES.items()}
WILDCARD: Final = "<*>"
"""Stands in a template where words vary of which no rule knows."""


def mask(text: str) -> str:
    """Return the text with `<name>` in place of all that a rule finds."""
    for name, rule in _COMPILED.items():
        text = rule.sub(f"<{name}>", text)
    return text
