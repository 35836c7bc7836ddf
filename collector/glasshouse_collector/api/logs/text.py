"""What is looked for in the text of log records: words, "phrases", or a /regular expression/."""

import re
from http import HTTPStatus
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from glasshouse_collector.api.conditions import MOST_CONDITIONS, MOST_TEXT, Conditions
from glasshouse_collector.api.problems import Problem

_PART: Final = re.compile(r'"([^"]*)"|(\S+)')
_REGEX: Final = re.compile(r"/(.+)/", re.DOTALL)
_TOKEN: Final = re.compile(r"[0-9A-Za-z\x80-\U0010ffff]+")


def with_text(conditions: Conditions, written: str) -> None:
    """Demand what is written of the body, in either case, all of it: words, "phrases"; or /a regex/ (RE2).

    The index over words of the body narrows all but a regex down before any text is read. Raises `Problem`.
    """
    if len(written) > MOST_TEXT:
        raise _wrong(f"up to {MOST_TEXT} characters are expected")
    if regex := _REGEX.fullmatch(written.strip()):
        conditions.add(f"match(Body, {conditions.value(_checked('(?i)' + regex[1]), 'String')})")
        return
    parts = [(quoted or word).lower() for quoted, word in _PART.findall(written) if (quoted or word).strip()]
    if len(parts) > MOST_CONDITIONS:
        raise _wrong(f"up to {MOST_CONDITIONS} words and phrases are expected")
    for part in parts:
        _with_part(conditions, part)


def _with_part(conditions: Conditions, part: str) -> None:
    if tokens := " ".join(_TOKEN.findall(part)):
        conditions.add(f"hasAllTokens(lower(Body), {conditions.value(tokens, 'String')})")
    if tokens != part or " " in part:
        conditions.add(f"position(lower(Body), {conditions.value(part, 'String')}) > 0")


def _checked(regex: str) -> str:
    """Return the expression; Arrow reads it as the store does, by RE2."""
    try:
        pc.match_substring_regex(pa.array([""]), regex)
    except pa.ArrowInvalid as invalid:
        raise _wrong(f"a regular expression of RE2 is expected between slashes: {invalid}") from None
    return regex


def _wrong(expected: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"text: {expected}")
