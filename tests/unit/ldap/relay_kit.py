"""Messages for tests of the relay, written here by hand, and a machine with short names for what it says."""

from __future__ import annotations

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import CANCEL, START_TLS, Request, Response, read_result
from duoproxy.ldap.relay import Relay
from duoproxy.ldap.relay_actions import (
    Action,
    BeginTls,
    BindAnswered,
    BindLost,
    DropServer,
    EndClient,
    GiveUpBind,
    JudgeBind,
    ToClient,
    ToServer,
    WhoAnswered,
)
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.ldap.relay_requests import MAX_OWN_ID
from duoproxy.ldap.relay_table import Phase
from duoproxy.secret import Secret

ALICE = b"uid=alice,dc=x"
PASSWORD = b"open sesame"
WHOAMI = b"1.3.6.1.4.1.4203.1.11.3"


def ours(number: int) -> int:
    """The how manieth id, from 1, of those that stand in no client's way."""
    return MAX_OWN_ID + number


def tlv(tag: int, *parts: bytes) -> bytes:
    """Write one element."""
    contents = b"".join(parts)
    if len(contents) < 0x80:
        return bytes((tag, len(contents))) + contents
    length = len(contents).to_bytes(4, "big")
    return bytes((tag, 0x84)) + length + contents


def number(value: int, tag: int = 0x02) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def message(message_id: int, operation: bytes, controls: bytes = b"") -> bytes:
    return tlv(0x30, number(message_id), operation, controls)


def bind(message_id: int, name: bytes = ALICE, password: bytes = PASSWORD, version: int = 3) -> bytes:
    return message(message_id, tlv(0x60, number(version), tlv(0x04, name), tlv(0x80, password)))


def sasl_bind(message_id: int, mechanism: bytes = b"EXTERNAL") -> bytes:
    return message(message_id, tlv(0x60, number(3), tlv(0x04), tlv(0xA3, tlv(0x04, mechanism))))


def search(message_id: int, base: bytes = b"dc=x", scope: int = 2, controls: bytes = b"") -> bytes:
    parts = (tlv(0x04, base), number(scope, 0x0A), number(0, 0x0A), number(0), number(0), tlv(0x01, b"\0"))
    return message(message_id, tlv(0x63, *parts, tlv(0x87, b"objectClass"), tlv(0x30)), controls)


def root_dse(message_id: int) -> bytes:
    return search(message_id, b"", 0)


def modify(message_id: int) -> bytes:
    return message(message_id, tlv(0x66, tlv(0x04, b"cn=a"), tlv(0x30)))


def compare(message_id: int, attribute: bytes = b"userPassword", value: bytes = PASSWORD) -> bytes:
    return message(message_id, tlv(0x6E, tlv(0x04, ALICE), tlv(0x30, tlv(0x04, attribute), tlv(0x04, value))))


def extended(message_id: int, name: bytes = WHOAMI, value: bytes | None = None) -> bytes:
    return message(message_id, tlv(0x77, tlv(0x80, name), b"" if value is None else tlv(0x81, value)))


def start_tls(message_id: int) -> bytes:
    return extended(message_id, START_TLS)


def cancel(message_id: int, cancelled: int) -> bytes:
    return extended(message_id, CANCEL, tlv(0x30, number(cancelled)))


def unbind(message_id: int) -> bytes:
    return message(message_id, tlv(0x42))


def abandon(message_id: int, abandoned: int) -> bytes:
    return message(message_id, number(abandoned, 0x50))


def result(message_id: int, tag: int, code: int = 0, text: bytes = b"", more: bytes = b"") -> bytes:
    return message(message_id, tlv(tag, number(code, 0x0A), tlv(0x04), tlv(0x04, text), more))


def bound(message_id: int, code: int = 0, text: bytes = b"") -> bytes:
    return result(message_id, Response.BIND, code, text)


def done(message_id: int, code: int = 0) -> bytes:
    return result(message_id, Response.SEARCH_DONE, code)


def entry(message_id: int, dn: bytes = b"cn=a") -> bytes:
    return message(message_id, tlv(0x64, tlv(0x04, dn), tlv(0x30)))


def notice(code: int = 52) -> bytes:
    return result(0, 0x78, code, b"going down", tlv(0x8A, b"1.3.6.1.4.1.1466.20036"))


def told(actions: list[Action]) -> list[object]:
    """Say actions in short: results for the client as (id, tag, code), requests for the directory as (id, tag)."""
    return [_told(action) for action in actions]


def _told(action: Action) -> object:
    match action:
        case ToClient(octets):
            head = peek_message(octets)
            if head.operation_tag in (Response.SEARCH_ENTRY, Response.SEARCH_REFERENCE, Response.INTERMEDIATE):
                return ("client", head.message_id, Response(head.operation_tag).name)
            code = read_result(octets, head)[0]
            return ("client", head.message_id, Response(head.operation_tag).name, code)
        case ToServer(octets):
            head = peek_message(octets)
            return ("server", head.message_id, Request(head.operation_tag).name)
        case JudgeBind(request, count):
            return ("judge", request.name, count)
        case BindAnswered(code, _):
            return ("answered", code)
        case WhoAnswered(authorization_id):
            return ("who", authorization_id)
        case BindLost():
            return "bind lost"
        case GiveUpBind():
            return "give up"
        case BeginTls():
            return "begin TLS"
        case DropServer():
            return "drop"
        case EndClient():
            return "end"


class Conversation:
    """A machine, fed with octets."""

    def __init__(self, *, over_tls: bool = False, **policy: bool) -> None:
        self.relay = Relay(RelayPolicy(**policy), over_tls=over_tls)

    def phase(self) -> Phase:
        """Who the client is by now."""
        return self.relay.phase

    def client(self, *messages: bytes) -> list[object]:
        """The client sends."""
        return told([action for octets in messages for action in self.relay.from_client(octets)])

    def server(self, *messages: bytes) -> list[object]:
        """The directory sends."""
        return told([action for octets in messages for action in self.relay.from_server(octets)])

    def try_password(self, name: bytes = ALICE, password: bytes = PASSWORD) -> list[object]:
        """Whoever judges the bind tries it at the directory."""
        return told(self.relay.send_bind(name, Secret(password)))

    def accept(self, *, exempt: bool = False) -> list[object]:
        return told(self.relay.accept_bind(exempt=exempt))

    def refuse(self, code: int = 49, text: str = "no", *, exempt: bool = False, relay: bool = False) -> list[object]:
        return told(self.relay.refuse_bind(code, text, exempt=exempt, relay=relay))

    def log_in(self, message_id: int = 1, *, exempt: bool = False) -> Conversation:
        """Go through a whole bind that is accepted."""
        self.client(bind(message_id))
        sent = self.try_password()
        assert isinstance(sent[0], tuple)
        self.server(bound(sent[0][1]))
        assert self.accept(exempt=exempt) == [("client", message_id, "BIND", 0)]
        return self
