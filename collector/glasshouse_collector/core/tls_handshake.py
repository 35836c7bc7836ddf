"""TLS for a server of asyncio: connections reach its protocol once their handshake is made.

asyncio has TLS of its own for a listening socket, with one context for as long as that listens, and
breaks off a handshake that fails without a word. Here each connection gets the context of its moment,
some seconds, and where it fails a count, and the client its reason.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, cast

from prometheus_client import Counter

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.peers import peer_of
from glasshouse_collector.core.tls import Credentials
from glasshouse_collector.core.tls_files import TlsFiles

log = logging.getLogger(__name__)

REASON = "tls_handshake"
"""What failed handshakes are counted by."""

SECONDS = 20.0
"""A client that takes longer is let go."""
_QUIET_SECONDS = 60.0
_NO_HTTPS = b"this port speaks TLS: write https:// instead of http://\n"
_PLAIN_HTTP = "HTTP_REQUEST"
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_WHY = {
    _PLAIN_HTTP: "it does not speak TLS; is its endpoint http:// instead of https://?",
    "WRONG_VERSION_NUMBER": "it does not speak TLS; is its endpoint http:// instead of https://?",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it ended the handshake: UnknownCA",
}


class FailedHandshakes:
    """Says why handshakes at a door fail, a line a minute at most: strangers may try many."""

    def __init__(self, door: str) -> None:
        self._door = door
        self._said = -_QUIET_SECONDS
        self._unsaid = 0

    def tell(self, peer: str, why: str, count: int = 1) -> None:
        """Take note of `count` of them, of which the last was that peer's."""
        now = time.monotonic()
        self._unsaid += count
        if now - self._said < _QUIET_SECONDS:
            return
        more = f" ({self._unsaid - 1} others failed too)" if self._unsaid > 1 else ""
        log.warning("%s: no TLS with %s: %s%s", self._door, peer, why, more)
        self._said, self._unsaid = now, 0


class TlsConnections:
    """Makes TLS of the connections of one server, with what the files hold at the moment."""

    def __init__(self, files: TlsFiles, door: str, refused: Counter) -> None:
        self._files = files
        self._door = door
        self._refused = refused
        self._failed = FailedHandshakes(door)
        self._context: ssl.SSLContext | None = None
        self._shaking: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to use the files. Raises `ConfigurationError`."""
        await self._files.use(self._get_ready)

    async def close(self) -> None:
        """Take no connection any more, nor who has not made its handshake yet. Safe repeatedly."""
        self._context = None
        await self._files.leave(self._get_ready)
        for task in list(self._shaking):
            task.cancel()
        await asyncio.gather(*self._shaking, return_exceptions=True)

    def before(self, protocol: Callable[..., asyncio.Protocol]) -> Callable[..., asyncio.Protocol]:
        """Return a factory of protocols that make TLS, and then hand over to one that `protocol` makes."""

        def handshake(*args: Any, **kwargs: Any) -> asyncio.Protocol:
            return _Handshake(self, lambda: protocol(*args, **kwargs))

        return handshake

    def begin(self, shaking: "asyncio.Task[None]") -> None:
        """Keep a handshake until it is made."""
        self._shaking.add(shaking)
        shaking.add_done_callback(self._shaking.discard)

    async def secure(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol
    ) -> asyncio.Transport | None:
        """Return the transport with TLS; None where there is none to be had, which is counted."""
        if self._context is None:  # the server is stopping
            transport.abort()
            return None
        peer = transport.get_extra_info("peername") or ("",)
        _unsecured.set(transport)
        try:
            return await asyncio.get_running_loop().start_tls(
                transport,
                protocol,
                self._context,
                server_side=True,
                ssl_handshake_timeout=SECONDS,
            )
        except ssl.SSLError as failed:
            why = _why(failed)
        except ConnectionAbortedError:
            why = f"it took more than {SECONDS:g} seconds"
        except OSError:  # closed by whoever only looked whether the port is open
            return None
        self._refused.labels(self._door, REASON, "", "").inc()
        self._failed.tell(peer_of(str(peer[0])), why)
        return None

    def _get_ready(self, credentials: Credentials) -> Callable[[], None]:
        context = _context(credentials)

        def take() -> None:
            self._context = context

        return take


class _Handshake(asyncio.Protocol):
    """One connection, until the protocol that it is for takes it over."""

    def __init__(self, connections: TlsConnections, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._connections = connections
        self._protocol = protocol
        self._early: list[bytes] = []
        self._lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read nothing yet, and begin."""
        transport.pause_reading()
        self._connections.begin(asyncio.create_task(self._shake(transport), name=REASON))

    def data_received(self, data: bytes) -> None:
        """Keep what came right behind the handshake."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over nothing."""
        del exc
        self._lost = True

    async def _shake(self, transport: asyncio.Transport) -> None:
        secured = await self._connections.secure(transport, self)
        if secured is None or self._lost:
            return
        protocol = self._protocol()
        secured.set_protocol(protocol)
        protocol.connection_made(secured)
        for data in self._early:
            protocol.data_received(data)


_unsecured: ContextVar[asyncio.Transport] = ContextVar("unsecured")
"""The transport that a handshake is made on; asyncio's callbacks run in the context of who calls for them."""


class _Telling(ssl.SSLObject):
    """One connection, which hears why its handshake fails: asyncio would close it before."""

    tell: Callable[[ssl.SSLError], None]

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as failed:
            self.tell(failed)
            raise


class _TellingContext(ssl.SSLContext):
    sslobject_class = _Telling

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any
    ) -> _Telling:
        """Make a connection that can tell."""
        made = cast("_Telling", super().wrap_bio(incoming, outgoing, *args, **kwargs))
        transport = _unsecured.get()

        def tell(failed: ssl.SSLError) -> None:
            alert = outgoing.read()
            transport.write(_plain_answer() if failed.reason == _PLAIN_HTTP else alert)

        made.tell = tell
        return made


def _plain_answer() -> bytes:
    head = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n"
    return f"{head}content-length: {len(_NO_HTTPS)}\r\n\r\n".encode() + _NO_HTTPS


def _context(credentials: Credentials) -> ssl.SSLContext:
    config = credentials.config
    context = _TellingContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    path = config.cert_file
    try:
        # a password is asked for on the terminal where none is given here
        context.load_cert_chain(config.cert_file, config.key_file, password="")
        if credentials.client_ca is not None and config.client_ca_file is not None:
            path = config.client_ca_file
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an authority may be signed by another
            context.load_verify_locations(cadata=credentials.client_ca.decode("ascii"))
    except OSError as refused:
        setting = "cert_file" if path == config.cert_file else "client_ca_file"
        raise ConfigurationError(
            f"tls.{setting}: {path}: OpenSSL does not take it: {_why(refused)}"
        ) from None
    return context


def _why(failed: OSError) -> str:
    if isinstance(failed, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {failed.verify_message}"
    if isinstance(failed, ssl.SSLError):
        reason = failed.reason or "no reason is known"
        return _WHY.get(reason, reason.replace("_", " ").lower())
    return failed.strerror or str(failed)
