"""The addresses that requests come from, in one spelling each."""

import ipaddress
from functools import lru_cache
from urllib.parse import unquote


@lru_cache(maxsize=4096)
def peer_of(host: str) -> str:
    """Return an IP address as it is written shortest; an IPv4 one stays one where IPv6 is listened to."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def peer_of_grpc(name: str) -> str:
    """Return the address in what gRPC names a peer: `ipv4:10.0.0.7:51000`, `ipv6:%5B::1%5D:51000`."""
    _, _, host_and_port = unquote(name).partition(":")
    return peer_of(host_and_port.rpartition(":")[0].strip("[]"))
