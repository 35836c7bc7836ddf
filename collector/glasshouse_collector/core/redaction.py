"""What a secret looks like: rules that the redact processor and whatever leaves this machine go by."""

import re
from typing import Annotated, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator

REDACTED = "[redacted]"

NAMES_OF_SECRETS = (
    r"(?i)(^|[._\-])(password|passwd|pwd|secret|client_secret|api_?key|apikey|x-api-key|access_?key|private_?key"
    r"|access_?token|refresh_?token|id_?token|auth_?token|session_?token|token|authorization"
    r"|proxy-authorization|cookie|set-cookie|credentials?)([._\-]\d+)?$"
)


class Rule(NamedTuple):
    """What is hidden: an RE2 pattern and what takes its place; `hints` are cheaper to search for.

    Every match of the pattern holds a match of a hint. Hints look at no word's end, and mean the same
    in RE2 and in Rust's `regex`.
    """

    pattern: str
    replacement: str
    hints: tuple[str, ...]


RULES = {
    "private_key": Rule(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?",
        REDACTED,
        ("-----BEGIN [A-Z ]*PRIVATE KEY-----",),
    ),
    "jwt": Rule(
        r"eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*",
        REDACTED,
        (r"eyJ[A-Za-z0-9_\-]{8,}\.eyJ",),
    ),
    "authorization": Rule(
        r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/\-]{12,}=*", rf"\1 {REDACTED}", ("(?i)(bearer|basic) ",)
    ),
    "cloud_key": Rule(
        r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}|\bsk-[A-Za-z0-9_\-]{20,}|\bxox[abprs]-[A-Za-z0-9\-]{10,}",
        REDACTED,
        (
            r"(AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36}|sk-[A-Za-z0-9_\-]{20}|xox[abprs]-[A-Za-z0-9\-]{10}",
        ),
    ),
    "assignment": Rule(
        r"""(?i)\b(password|passwd|pwd|secret|api_?key|access_token|refresh_token|token)(["']?\s*[=:]\s*["']?)[^\s"'&,;}\[][^\s"'&,;}]*""",
        rf"\1\2{REDACTED}",
        ("(?i)(passw|pwd|secret)", "(?i)(api_?key|token)"),
    ),
    "url_credentials": Rule(r"(://[^/\s:@]+):[^/\s@]+@", rf"\1:{REDACTED}@", ("://[^/:@]+:[^/@]+@",)),
}
"""Always on, by name."""

CARD = r"\b(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|3[47]\d{2}|6(?:011|5\d{2}))[ \-]?\d{4}[ \-]?\d{4}[ \-]?\d{1,7}\b"
EMAIL = Rule(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+\.[A-Za-z]{2,}", REDACTED, (r"@[A-Za-z0-9.\-]+\.",))
_CARD_NUMBER = re.compile(CARD)
_LUHN_TOP = 9


def re2(pattern: str) -> str:
    """Return the pattern; ValueError where it is none of RE2, which takes time linear in the text."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as invalid:
        raise ValueError(f"no RE2 pattern: {invalid}") from None
    return pattern


Re2Pattern = Annotated[str, AfterValidator(re2)]


def without_cards(text: str) -> str:
    """Hide the payment card numbers, which are told by the Luhn digit."""
    return _CARD_NUMBER.sub(_hide_card, text)


def _hide_card(found: re.Match[str]) -> str:
    digits = [int(character) for character in found[0] if character.isdigit()]
    doubled = [digit * 2 - (_LUHN_TOP if digit * 2 > _LUHN_TOP else 0) for digit in digits[-2::-2]]
    return found[0] if (sum(digits[-1::-2]) + sum(doubled)) % 10 else REDACTED
