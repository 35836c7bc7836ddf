"""Where to send to and with which headers, as the user wrote it."""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from glasshouse_collector.send.mistakes import UserMistake

Protocol = Literal["grpc", "http"]

DEFAULT_PORT: dict[Protocol, int] = {"grpc": 4317, "http": 4318}
_CONNECT_SECONDS = 5.0
_HEADER_NAME = re.compile(r"[0-9A-Za-z!#$&'*+.^_|~-]+")
_GRPC_HEADER_NAME = re.compile(r"[0-9A-Za-z_.-]+")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One OTLP endpoint; `path` is empty or begins with a slash, and does not end with one."""

    protocol: Protocol
    host: str
    port: int
    secure: bool
    path: str = ""

    @classmethod
    def parse(cls, written: str | None, protocol: Protocol) -> "Endpoint":
        """Read what the user wrote, nothing meaning the collector on this machine; `UserMistake`."""
        written = written or f"http://127.0.0.1:{DEFAULT_PORT[protocol]}"
        like = f"write one like http://127.0.0.1:{DEFAULT_PORT[protocol]}"
        url = written if "://" in written else f"http://{written}"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as wrong:
            raise UserMistake(f"--endpoint: {written!r}: {wrong}; {like}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise UserMistake(f"--endpoint: {written!r} is no address of an endpoint; {like}")
        path = parts.path.rstrip("/")
        if path and protocol == "grpc":
            raise UserMistake(f"--endpoint: gRPC has no paths, {written!r} has one; {like}")
        secure = parts.scheme == "https"
        return cls(
            protocol, parts.hostname, port or (443 if secure else DEFAULT_PORT[protocol]), secure, path
        )

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.path}"

    def reach(self) -> None:
        """Connect once; `UserMistake` where nothing answers there."""
        try:
            socket.create_connection((self.host, self.port), _CONNECT_SECONDS).close()
        except OSError as refused:
            reason = (refused.strerror or str(refused) or "no answer").lower()
            raise UserMistake(
                f"--endpoint: cannot reach {self.url}: {reason}; is it running (glasshouse serve)?"
            ) from None


def parse_headers(written: Iterable[str], protocol: Protocol) -> dict[str, str]:
    """Read `name=value` headers into lower-case names; `UserMistake` without repeating a value."""
    headers = {}
    allowed = _GRPC_HEADER_NAME if protocol == "grpc" else _HEADER_NAME
    for header in written:
        name, equals, value = header.partition("=")
        name, value = name.strip(), value.strip()
        if not equals:
            raise UserMistake("--header: write name=value, such as 'authorization=Bearer <key>'")
        if not allowed.fullmatch(name) or (protocol == "grpc" and name.lower().endswith("-bin")):
            raise UserMistake(f"--header: {name!r} is no name of a header")
        if not (value.isascii() and value.isprintable()):
            raise UserMistake(f"--header: the value of {name} has characters that a header cannot have")
        headers[name.lower()] = value
    return headers
