"""The server's side of LDAP for tests: what it says, in octets, and what it reads. Encoded and read by ldaptor."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from ldaptor.protocols import pureber, pureldap
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from duoproxy.ldap.framing import MessageFramer
from duoproxy.net.ldap_connection import LdapConnection

NOTICE = b"1.3.6.1.4.1.1466.20036"

_BASE = pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext())
_TOP = pureldap.LDAPBERDecoderContext_TopLevel(
    inherit=pureldap.LDAPBERDecoderContext_LDAPMessage(fallback=_BASE, inherit=_BASE)
)


def message(message_id: int, operation: Any) -> bytes:
    """Encode one message."""
    return bytes(pureldap.LDAPMessage(operation, id=message_id).toWire())


def bind_response(message_id: int, code: int = 0, text: str = "", credentials: bytes | None = None) -> bytes:
    """Encode the answer to a bind."""
    return message(message_id, pureldap.LDAPBindResponse(code, errorMessage=text, serverSaslCreds=credentials))


def entry(message_id: int, dn: str = "cn=a", **attributes: Sequence[bytes]) -> bytes:
    """Encode an entry that was found."""
    return message(message_id, pureldap.LDAPSearchResultEntry(dn, [(k, list(v)) for k, v in attributes.items()]))


def done(message_id: int, code: int = 0, text: str = "") -> bytes:
    """Encode the end of a search."""
    return message(message_id, pureldap.LDAPSearchResultDone(code, errorMessage=text))


def extended(message_id: int, code: int = 0, text: str = "", name: bytes | None = None) -> bytes:
    """Encode the answer to an extended request, or a notice (message id 0)."""
    return message(message_id, pureldap.LDAPExtendedResponse(code, matchedDN="", errorMessage=text, responseName=name))


def element(tag: int, *parts: bytes) -> bytes:
    """Encode one element of BER, whatever it may mean."""
    contents = b"".join(parts)
    length = len(contents)
    if length < 0x80:
        return bytes((tag, length)) + contents
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + contents


def read_request(octets: bytes) -> Any:
    """Read one message of our own client's: `.id` and `.value`."""
    return pureber.berDecodeObject(_TOP, octets)[0]


def search_request() -> Any:
    """Make a search."""
    return pureldap.LDAPSearchRequest(baseObject=b"dc=x", attributes=["1.1"])


class Wire(StringTransport):
    """A transport whose other end is the test."""

    aborting = False

    def abortConnection(self) -> None:
        """Say that it was broken off."""
        self.aborting = True


class Conversation:
    """A connection, what it sent, and what the test answers."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.connection = LdapConnection(self.clock, "dc1:389", **settings)
        self.wire = Wire()
        self._framer = MessageFramer(1 << 20)
        self.connection.makeConnection(self.wire)

    def ask(self, limit_s: float = 10, operation: Any = None) -> Deferred[Any]:
        """Begin a request."""
        operation = operation or search_request()
        return self.run(self.connection.request(operation, limit_s=limit_s))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Begin something that waits."""
        return Deferred.fromCoroutine(coroutine)

    def sent(self) -> list[Any]:
        """Give what was sent since the last call."""
        octets = self.wire.value()
        self.wire.clear()
        return [read_request(one) for one in self._framer.feed(octets)]

    def answer(self, *octets: bytes) -> None:
        """Let octets come, all at once."""
        self.connection.dataReceived(b"".join(octets))
