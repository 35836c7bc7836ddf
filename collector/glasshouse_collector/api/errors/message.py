"""Messages of exceptions without what is different each time."""

import re
from typing import Final

_VARYING: Final = re.compile(
    r"(?<!\w)(?P<quote>['\"`])(?:(?!(?P=quote)).){1,200}(?P=quote)(?!\w)"
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
    r"|\b0x[0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b"
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|\d+(?:\.\d+)*"
)


def masked(message: str) -> str:
    """Return the message with a star for each quoted text, id, address and number."""
    return _VARYING.sub(
        lambda found: f"{found['quote']}*{found['quote']}" if found["quote"] else "*", message
    )
