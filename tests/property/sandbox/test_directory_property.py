"""The stand-in directory under any octets: answers, or a goodbye; never an exception."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from ldaptor.protocols import pureldap
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from duoproxy.ldap.ber import contents_of, read_elements, write_element
from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.ldap.messages import FINAL_RESPONSE
from duoproxy.net.ldap_filters import parse_filter
from duoproxy.sandbox.directory_accounts import DirectoryAccounts, Person
from duoproxy.sandbox.directory_listener import DirectoryConnection
from duoproxy.secret import Secret

ANSWERS = {0x64, *FINAL_RESPONSE.values()}
ACCOUNTS = DirectoryAccounts("DC=corp,DC=example", [Person("alice", Secret("right"))], 0, 0.0)


def _message(operation: object) -> bytes:
    return bytes(pureldap.LDAPMessage(operation, id=7).toWire())


GOOD = [
    _message(pureldap.LDAPBindRequest(dn=b"alice@corp.example", auth=b"right")),
    _message(
        pureldap.LDAPSearchRequest(
            baseObject=b"DC=corp,DC=example",
            filter=parse_filter("(&(cn=a*)(|(!(x=y))(member:1.2.840.113556.1.4.1941:=cn=x)))"),
            attributes=["cn", "1.1"],
        )
    ),
    _message(pureldap.LDAPExtendedRequest(requestName=b"1.2.3")),
    _message(pureldap.LDAPUnbindRequest()),
]


def answers_to(octets: bytes) -> list[bytes]:
    """What a bound connection says to these octets."""
    connection = DirectoryConnection(Clock(), ACCOUNTS, lambda: 0.0, lambda gone: None)
    wire = StringTransport()
    connection.makeConnection(wire)
    connection.dataReceived(GOOD[0] + octets)
    return MessageFramer(1 << 20).feed(wire.value())[1:]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_answered_or_end_the_connection(octets: bytes) -> None:
    """What is said are whole answers of LDAP."""
    for answer in answers_to(octets):
        assert peek_message(answer).operation_tag in ANSWERS


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_a_request_with_one_octet_changed_is_answered_or_ends_the_connection(good: bytes, data: st.DataObject) -> None:
    """Lengths, tags and values that lie."""
    at = data.draw(st.integers(0, len(good) - 1))
    changed = data.draw(st.integers(0, 255))
    for answer in answers_to(good[:at] + bytes((changed,)) + good[at + 1 :]):
        assert peek_message(answer).operation_tag in ANSWERS


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300))))
def test_elements_are_read_as_they_were_written(elements: list[tuple[int, bytes]]) -> None:
    """decode after encode is the identity."""
    octets = b"".join(write_element(tag, contents) for tag, contents in elements)
    read = [(each[0], contents_of(octets, each)) for each in read_elements(octets, 0, len(octets))]
    assert read == elements
