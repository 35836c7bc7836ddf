"""Listening on an address, and what the user reads when it cannot be had."""

import errno
import socket

from glasshouse_collector.core.errors import ConfigurationError


def listen(receiver: str, host: str, port: int) -> list[socket.socket]:
    """Return sockets bound to every address of `host`, on one port (0 takes any free one).

    Raises `ConfigurationError` where none can be had, or where one is another program's.
    """
    sockets: list[socket.socket] = []
    refused: OSError | None = None
    try:
        for family, _, _, _, address in dict.fromkeys(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ):
            try:
                sockets.append(_bound(family, (address[0], port)))
            except OSError as reason:
                refused = reason
                if reason.errno == errno.EADDRINUSE:
                    break
            else:
                port = port or sockets[0].getsockname()[1]
    except OSError as reason:  # no such host
        refused = reason
    if sockets and (refused is None or refused.errno != errno.EADDRINUSE):
        return sockets
    for bound in sockets:
        bound.close()
    raise cannot_listen(receiver, host, port, refused)


def cannot_listen(receiver: str, host: str, port: int, reason: OSError | None) -> ConfigurationError:
    """Return the error that names the setting, what is wrong, and what would be right."""
    address = f"{host}:{port}"
    if reason is None or reason.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"receivers.{receiver}.port: {address} is taken, most likely by another collector;"
            f" stop that one, or set a free port (0 takes any)"
        )
    if reason.errno in {errno.EACCES, errno.EPERM}:
        return ConfigurationError(
            f"receivers.{receiver}.port: this user may not listen on {address}; set a port above 1023"
        )
    return ConfigurationError(
        f"receivers.{receiver}.host: {host} is no address of this machine ({reason.strerror or reason});"
        f" set 127.0.0.1 to serve this machine alone, or 0.0.0.0 to serve its networks"
    )


def why_not(host: str, port: int) -> OSError | None:
    """Return the reason an address cannot be listened on, None where it can after all."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        _bound(family, (str(address[0]), port)).close()
    except OSError as reason:
        return reason
    return None


def _bound(family: int, address: tuple[str | int, int]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
