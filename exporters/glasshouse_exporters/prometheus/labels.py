"""Label sets as the exposition formats write them: `name="value",name="value"`.

A label set is kept as these bytes and nothing else: they are the key of a series and its text on the page
at once. Both formats escape alike: backslash, quote and newline.
Source: Prometheus text format 0.0.4, OpenMetrics 1.0.
"""

import re
from collections.abc import Iterable

LONGEST_VALUE = 1024
"""Characters of a label's value; a longer one is cut, so that a page stays bounded in bytes too."""

_SPECIAL = re.compile(r'[\\"\n\0]')
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\0": "\N{SYMBOL FOR NULL}"}
_PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPES = {"n": "\n"}


def label_name(key: str) -> str:
    """Return the label name of an attribute's key: what no label name may hold becomes one underscore.

    A name that would begin with a digit gets `key_` before it.
    Source: OpenTelemetry, Prometheus and OpenMetrics Compatibility, "Metric Attributes".
    """
    name = _NO_NAME.sub("_", key) or "_"
    return f"key_{name}" if name[0].isdigit() else name


def label(name: str, value: str) -> bytes:
    """Write one label; `name` is a valid label name already, `value` any text.

    NUL, at which Prometheus's reader ends, becomes its symbol; PromQL cannot name the replacement character.
    """
    if len(value) > LONGEST_VALUE:
        value = value[: LONGEST_VALUE - 1] + "…"
    if _SPECIAL.search(value):
        value = _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)
    return f'{name}="{value}"'.encode()


def label_set(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Write a label set in the order given; names are valid and differ.

    A label with an empty value is the same as none, so it is left out.
    """
    return b",".join(label(name, value) for name, value in pairs if value)


def label_pairs(labels: bytes) -> list[tuple[str, str]]:
    """Read a label set back, in its order."""
    return [
        (name, _ESCAPED.sub(lambda found: _UNESCAPES.get(found[1], found[1]), value))
        for name, value in _PAIR.findall(labels.decode())
    ]
