"""Both screens find every text that a rule matches, wherever it stands and whatever is beside it."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_collector.core.redaction import CARD, EMAIL, RULES
from glasshouse_collector.pipeline.processors.screening import JointScreen, Screen, best_screen

RULES_OF_ALL = [*RULES.values(), EMAIL]
HINTS = [hint for rule in RULES_OF_ALL for hint in rule.hints]
PATTERNS = [rule.pattern for rule in RULES_OF_ALL]

_SECRETS = (
    *(
        "Bearer ",
        "basic  ",
        "dXNlcjpwYXNzd29yZA==",
        "eyJhbGciOiJIUzI1NiJ9",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-",
        "ghp_",
    ),
    *("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "user:pass@", "a@example.com"),
    *("4111-1111-1111-1111", "4111 1111 1111 1111", "5500000000000004", "\u017fecret=x", "to\u212aen: y"),
    *("password", "PassWD", "pwd", "secret", "api_key", "APIKEY", "access_token"),
)
_PIECES = st.sampled_from(
    (*_SECRETS, "=", ": ", '"', "'", ".", "://", "host", " ", "\t", "\n", "\u00a0", "x" * 36)
)
TEXTS = st.lists(st.lists(st.one_of(_PIECES, st.text(max_size=4)), max_size=6).map("".join), max_size=40)


def native() -> Screen:
    """Return the native screen."""
    pytest.importorskip("glasshouse_otlp_arrow", reason="the native extension is not installed")
    return best_screen(HINTS, b"0123456789 -", 13)


def joint() -> Screen:
    """Return the fallback."""
    return JointScreen([*HINTS, "[0-9 -]{13,}"])


def _matched(texts: Sequence[str]) -> set[int]:
    array = pa.array(texts, pa.string())
    found = [pc.match_substring_regex(array, pattern).to_pylist() for pattern in [*PATTERNS, CARD]]
    return {index for index in range(len(texts)) if any(each[index] for each in found)}


@pytest.mark.parametrize("screen", [native, joint])
@given(texts=TEXTS)
def test_nothing_that_a_rule_matches_is_missed(screen: Callable[[], Screen], texts: list[str]) -> None:
    """A screen may name too many texts, never too few."""
    suspects = screen().suspects(pa.array(texts, pa.string())).tolist()
    assert suspects == sorted(set(suspects))
    assert _matched(texts) <= set(suspects)


@pytest.mark.parametrize("screen", [native, joint])
def test_a_slice_is_counted_from_its_own_start(screen: Callable[[], Screen]) -> None:
    """Columns of a batch may be slices of longer ones."""
    texts = pa.array(["password=x", "plain", "password=y", "plain", "password=z"])
    assert screen().suspects(texts.slice(1, 3)).tolist() == [1]
    assert screen().suspects(texts.slice(3, 0)).tolist() == []


@pytest.mark.parametrize("screen", [native, joint])
def test_of_very_many_texts_the_one_is_found(screen: Callable[[], Screen]) -> None:
    """Also far behind the first thousand."""
    texts = [f"GET /orders/{number}" for number in range(5000)]
    texts[4321] = "Authorization: Bearer abcdefghijklmnop"
    assert screen().suspects(pa.array(texts)).tolist() == [4321]
