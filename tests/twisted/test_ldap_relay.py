"""A connection to a directory for one client: opened where a server answers, octets both ways, ended with a goodbye."""

from __future__ import annotations

from ldaptor.protocols import pureldap
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from duoproxy.errors import PrimaryUnreachable
from duoproxy.net.ldap_directory import Transport
from tests.twisted.ldap_stand_in import GOOD_CERTIFICATE, SHORT_S, DirectoryCase, Served, usual
from tests.twisted.ldap_wire import done, extended, message, search_request


class Relayed:
    """Takes what a directory says."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.gone: list[str] = []

    def server_data(self, data: bytes) -> None:
        self.octets += data

    def server_gone(self, why: str) -> None:
        self.gone.append(why)


@implementer(IPushProducer)
class Deaf:
    def pauseProducing(self) -> None:
        """Nobody looks."""

    def resumeProducing(self) -> None:
        """Nobody looks."""

    def stopProducing(self) -> None:
        """Nobody looks."""


class RelayTests(DirectoryCase):
    def whoami(self, request: Served) -> bytes | None:
        return extended(request.id) if request.kind == "extended" else usual(request)

    async def test_connection_is_nobodys_and_relays_octets(self) -> None:
        """It is not bound as the service account; what is written arrives, and what comes is given out."""
        self.server.answer = self.whoami
        self.listen()
        relay, receiver = await self.directory().open_relay(), Relayed()
        self.assertEqual(self.server.kinds, ["search"])
        relay.begin(receiver, Deaf())
        relay.write(message(7, pureldap.LDAPExtendedRequest(requestName=b"1.2.3")))
        await self.until(lambda: bytes(receiver.octets) == extended(7))

    async def test_connection_goes_to_the_first_server_that_answers(self) -> None:
        """An open port behind which nobody speaks is none."""
        self.server.answer = lambda request: None
        self.listen()
        self.listen(self.other)
        relay = await self.directory(self.server, self.other, timeout_s=SHORT_S).open_relay()
        self.assertIn(str(self.other.number), relay.server)

    async def test_no_server_is_unreachable(self) -> None:
        """Whoever asks hears of it."""
        self.listen()
        await self.server.close()
        await self.fails(PrimaryUnreachable, self.directory().open_relay())

    async def test_goodbye_is_the_last_word(self) -> None:
        """The octets given, then the end; the receiver hears nothing more."""
        self.listen()
        relay, receiver = await self.directory().open_relay(), Relayed()
        relay.begin(receiver, Deaf())
        relay.close(message(9, pureldap.LDAPUnbindRequest()))
        await self.until(lambda: self.server.open_count == 0)
        self.assertEqual([request.kind for request in self.server.requests][-1], "unbind")
        self.assertEqual(receiver.gone, [])

    async def test_end_of_the_connection_is_told_once(self) -> None:
        """The directory closes it."""
        self.listen()
        relay, receiver = await self.directory().open_relay(), Relayed()
        relay.begin(receiver, Deaf())
        self.server.connections[-1].abort()
        await self.until(lambda: bool(receiver.gone))
        relay.write(b"too late")
        relay.pause()
        relay.resume()
        relay.close(b"")
        self.assertEqual(len(receiver.gone), 1)

    async def test_stop_ends_relayed_connections_too(self) -> None:
        """Nothing is left open."""
        self.listen()
        directory = self.directory()
        relay = await directory.open_relay()
        relay.begin(Relayed(), Deaf())
        await directory.stop()
        await self.until(lambda: self.server.open_count == 0)
        await self.fails(PrimaryUnreachable, directory.open_relay())

    async def test_relay_over_tls_keeps_the_trust_of_the_section(self) -> None:
        """LDAPS, with the certificate checked."""
        self.listen(tls=GOOD_CERTIFICATE)
        relay, receiver = await self.directory(transport=Transport.LDAPS).open_relay(), Relayed()
        relay.begin(receiver, Deaf())
        relay.write(message(7, search_request()))
        await self.until(lambda: done(7) in bytes(receiver.octets))
