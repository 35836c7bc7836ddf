"""Cross-origin requests: browsers that send telemetry to a collector on another origin.

Source: the Fetch standard, "HTTP CORS protocol".
"""

import re
from collections.abc import Mapping, Sequence

_MAX_AGE_SECONDS = 7200
"""How long a browser remembers an answer; none remembers one longer."""


class CrossOrigin:
    """Says which origins' pages may send. An allowed origin may have `*` in it, for any part of a name."""

    def __init__(self, allowed_origins: Sequence[str]) -> None:
        patterns = [re.escape(origin).replace(r"\*", "[^/]*") for origin in allowed_origins]
        self._allowed = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None
        if "*" in allowed_origins:
            self._allowed = re.compile(".*")

    @property
    def allowed_methods(self) -> str:
        """What an `Allow` header says."""
        return "POST, OPTIONS" if self._allowed else "POST"

    def headers_for(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        """Return what goes with every answer to a page of that origin."""
        if self._allowed is None:
            return []
        vary = (b"vary", b"Origin")
        if origin is None or not self._allowed.fullmatch(origin):
            return [vary]
        return [
            vary,
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", b"Retry-After"),
        ]

    def preflight(self, method: str, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]] | None:
        """Return the answer's further headers where the request is a preflight, else None.

        A page of an origin that is not allowed gets no permission, and its browser sends nothing.
        """
        if self._allowed is None or method != "OPTIONS" or "access-control-request-method" not in headers:
            return None
        if not self._allowed.fullmatch(headers.get("origin", "")):
            return []
        requested = headers.get("access-control-request-headers", "content-type")
        return [
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", requested.encode("latin-1")),
            (b"access-control-max-age", b"%d" % _MAX_AGE_SECONDS),
        ]
