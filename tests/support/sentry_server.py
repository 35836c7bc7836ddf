"""What a Sentry server gets, as real envelopes."""

import gzip
import json
from dataclasses import dataclass
from typing import Any

from sentry_sdk.envelope import Envelope

from collector_process import until
from otlp_listener import Listener


@dataclass
class SentryServer:
    """What has come to project 1."""

    listener: Listener

    @property
    def dsn(self) -> str:
        """Where to send."""
        return f"{self.listener.url.replace('://', '://public@')}/1"

    def events(self, *, at_least: int = 1) -> list[dict[str, Any]]:
        """Wait for events, and return all."""
        until(lambda: len(self._events()) >= at_least, f"{at_least} events are at Sentry")
        return self._events()

    def event(self) -> dict[str, Any]:
        """Wait for the one event."""
        (found,) = self.events()
        return found

    def item_types(self) -> set[str]:
        """Return the types of all items that came."""
        return {str(item.type) for envelope in self._envelopes() for item in envelope.items}

    def traces(self) -> bytes:
        """Return what came by OTLP."""
        return b"".join(each.payload for each in self.listener.by_path("/api/1/integration/otlp/v1/traces/"))

    def _events(self) -> list[dict[str, Any]]:
        return [
            json.loads(item.get_bytes())
            for envelope in self._envelopes()
            for item in envelope.items
            if item.type == "event"
        ]

    def _envelopes(self) -> list[Envelope]:
        bodies = [request.body for request in self.listener.by_path("/api/1/envelope/")]
        return [
            Envelope.deserialize(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
            for body in bodies
        ]
