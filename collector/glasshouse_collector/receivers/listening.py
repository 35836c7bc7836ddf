"""What the user reads when an address cannot be listened on."""

import errno

from glasshouse_collector.core.errors import ConfigurationError


def cannot_listen(receiver: str, host: str, port: int, reason: OSError | None = None) -> ConfigurationError:
    """Return the error that names the setting, what is wrong, and what would be right."""
    address = f"{host}:{port}"
    if reason is None or reason.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"receivers.{receiver}.port: {address} cannot be had, most likely another program (or another"
            f" collector) listens there; stop it, set a free port, or set 0 to be given one"
        )
    if reason.errno in (errno.EACCES, errno.EPERM):
        return ConfigurationError(
            f"receivers.{receiver}.port: this user may not listen on {address}; set a port above 1023"
        )
    return ConfigurationError(
        f"receivers.{receiver}.host: {address} is no address of this machine ({reason.strerror or reason});"
        f" set 127.0.0.1 for this machine alone, or 0.0.0.0 for all its networks"
    )
