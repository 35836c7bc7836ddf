"""The selectors of a PromQL expression: enough of its grammar to find every name of a metric."""

import re
from itertools import pairwise

_TEXT = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
_TOKEN = re.compile(
    rf"(?P<text>{_TEXT})"
    r"|(?P<range>\[[^\]]*\])"
    r"|(?P<number>(?:\d[\d.]*(?:[eE][+-]?\d+)?|\.\d+)(?:ms|[smhdwy])*)"
    r"|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    rf"|(?P<matchers>\{{(?:{_TEXT}|[^}}\"'])*\}})"
    r"|(?P<sign>\S)"
)
_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"} | _LISTS


def selectors(expression: str) -> list[str]:
    """Return every vector selector, `name{matchers}`, in order, each once."""
    tokens = [(found.lastgroup, found.group()) for found in _TOKEN.finditer(_without_lists(expression))]
    found: list[str] = []
    for (kind, token), (next_kind, next_token) in pairwise([*tokens, (None, "")]):
        # Functions and aggregations: rate(…), sum by (…) (…).
        called = next_token in {"(", "by", "without"}
        if kind == "name" and token.lower() not in _WORDS and not called:
            found.append(token + (next_token if next_kind == "matchers" else ""))
    return list(dict.fromkeys(found))


def metric_names(expression: str) -> set[str]:
    """Return the names of the metrics that an expression reads."""
    return {selector.partition("{")[0] for selector in selectors(expression)}


def _without_lists(expression: str) -> str:
    lines = "\n".join(line for line in expression.splitlines() if not line.lstrip().startswith("#"))
    return re.sub(rf"\b({'|'.join(_LISTS)})\s*\([^)]*\)", r"\1", lines)
