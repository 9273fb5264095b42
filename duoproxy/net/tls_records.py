"""TLS towards clients of LDAP: what is written at once ends in a record of its own.

Some clients read ahead, and then wait for their socket while the answer lies in a buffer of their own: curl 7.88 over
LDAPS waits for ever when the last message of a search comes in one record with another. Servers that write each message
by itself never meet this. With its last octet in a second record there is always something left at the socket, whatever
was put together on the way here; that costs some 22 octets a write.

Source: RFC 8446 §5.1 (records have no meaning for what they carry).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from duoproxy.net.server_tls import ServerTls


class SplitRecords(TLSMemoryBIOProtocol):
    """TLS that puts the last octet of each write into a record of its own, and puts no writes together."""

    def write(self, data: bytes) -> None:
        """Source: ITransport."""
        super().write(data[:-1])  # type: ignore[no-untyped-call]
        super().write(data[-1:])  # type: ignore[no-untyped-call]


def split_records_factory(tls: ServerTls, clients: Factory, clock: Any) -> TLSMemoryBIOFactory:
    """Make the factory that puts TLS before the protocols of `clients`.

    Args:
        tls: certificate and versions.
        clients: makes the protocols.
        clock: provides IReactorTime.
    """
    factory = TLSMemoryBIOFactory(tls, False, clients, clock=clock)
    factory.protocol = SplitRecords
    factory.noisy = False
    return factory
