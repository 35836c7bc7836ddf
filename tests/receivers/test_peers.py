"""The address a request comes from is told beside its headers, and nobody can lie about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.receivers.conftest import ScriptedDoor, by_both_servers, serving, traces

from glasshouse_collector.core.access import PEER, Caller, Scope
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.peers import peer_of, peer_of_grpc

PAYLOAD = traces("GET /").SerializeToString()


@dataclass
class Noting:
    """Lets everyone in, and notes what it was told."""

    told: list[Mapping[str, str]] = field(default_factory=list)

    def admit(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Note the headers."""
        del scope
        self.told.append(headers)
        return Caller("default")


@by_both_servers
def test_each_door_tells_the_address_without_the_port() -> None:
    """It stands among the headers, whatever a sender says of itself."""
    access, lie = Noting(), "10.9.8.7"
    with serving(ScriptedDoor(), access) as served:
        served.export(RequestKind.TRACES, PAYLOAD, metadata=(("peer", lie), ("x-forwarded-for", lie)))
        answer = served.post(RequestKind.TRACES, PAYLOAD, peer=lie, x_forwarded_for=lie)
        assert answer.status_code == 200
    assert [headers[PEER] for headers in access.told] == ["127.0.0.1"] * 2


def test_an_address_has_one_spelling() -> None:
    """Else a sender had two."""
    assert peer_of("::ffff:10.0.0.7") == peer_of("10.0.0.7") == "10.0.0.7"
    assert peer_of("fe80::0001%eth0") == "fe80::1"
    assert peer_of("no address") == "no address"
    assert peer_of_grpc("ipv4:10.0.0.7:51000") == "10.0.0.7"
    assert peer_of_grpc("ipv6:%5B::1%5D:51000") == peer_of_grpc("ipv6:[::1]:51000") == "::1"
    assert peer_of_grpc("ipv6:%5B::ffff:10.0.0.7%5D:51000") == "10.0.0.7"
