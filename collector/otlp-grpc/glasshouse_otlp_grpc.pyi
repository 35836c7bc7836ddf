from collections.abc import Mapping
from typing import Generic, Literal, TypeVar

_Tag = TypeVar("_Tag")

class Tls:
    """What a server speaks TLS with."""

    def __init__(
        self,
        certificates: bytes,
        key: bytes,
        client_ca: bytes | None = None,
        *,
        oldest: Literal["1.2", "1.3"] = "1.2",
        handshake_seconds: float = 20.0,
    ) -> None:
        """Take the server's chain of certificates (its own first) and its key, both in PEM.

        Where there is a `client_ca`, clients have to show a certificate that one of these signed. TLS of `oldest` and
        later is spoken, and a handshake has to be made within `handshake_seconds`. Raises `ValueError`, which names what is wrong.
        """

class Server(Generic[_Tag]):
    """A gRPC server for unary methods, on a thread of its own that never waits for the interpreter's lock.

    Requests wait in it until they are taken, many at a time, and are answered many at a time. What is no request
    (another method, broken framing or compression, more bytes than allowed, a sender that is too slow) it answers
    itself, and counts. Any thread may call any method.
    """

    def __init__(
        self,
        listeners: list[int],
        methods: Mapping[str, _Tag],
        *,
        max_message_bytes: int,
        max_unfinished_bytes: int,
        body_seconds: float,
        max_connections: int,
        tls: Tls | None = None,
    ) -> None:
        """Serve at listening TCP sockets, given as file descriptors that from now on are the server's to close.

        `methods` has a tag for each path (`/package.Service/Method`). A message may have `max_message_bytes`, as sent
        and again after decompression (gzip, deflate); all that are being read or answered `max_unfinished_bytes`
        together, beyond which senders are told to come back. A request has to arrive within `body_seconds`. Further
        connections than `max_connections` wait. Where there is `tls`, nothing else is spoken. Raises `OSError`, `ValueError`.
        """

    def fileno(self) -> int:
        """Return the file descriptor that is readable while there is something to take, or a refusal to count."""

    def take(self, most: int) -> list[tuple[int, _Tag, dict[str, str], bytes]]:
        """Return requests, `most` at most: (token, tag of the method, metadata, message); never waits.

        The metadata is in ASCII, names in lower case, without gRPC's own, and has the sender's IP address as `:peer`, a
        name that no sender can use; requests of one connection that send the same may share one dict. Each request is to be answered once, by its token.
        """

    def refused(self) -> dict[str, int]:
        """Return how many requests the server itself has refused since the last call, by reason."""

    def set_tls(self, tls: Tls) -> None:
        """Speak TLS with this from the next connection on; those that are open go on as they are."""

    def failed_handshake(self) -> tuple[str, str] | None:
        """Return the peer's address and the reason of the last TLS handshake that failed since the last call."""

    def succeed(self, tokens: list[int]) -> None:
        """Answer requests with the empty message."""

    def answer(self, token: int, message: bytes) -> None:
        """Answer a request with a message."""

    def refuse(self, token: int, code: int, message: str, details: bytes) -> None:
        """Answer a request with a status other than OK; `details` is a `google.rpc.Status`, or empty."""

    def stop(self, seconds: float) -> None:
        """Accept no more, finish what has begun within so many seconds, close. Blocks meanwhile; repeatable.

        It may take a second more, in which idle connections say goodbye.
        """
