"""What a directory sends, read by our client; and what a client sends, answered by the sandbox's directory."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.framing import MessageFramer, peek_message
from duoproxy.net.ldap_answers import MAX_DIAGNOSTIC_CHARACTERS, MAX_REFERRALS, Entry, Result, read_answer
from duoproxy.sandbox.directory_accounts import DirectoryAccounts, Person
from duoproxy.sandbox.directory_listener import DirectoryConnection
from duoproxy.secret import Secret
from tests.fuzz.log_watch import LogWatch
from tests.fuzz.shaping import chunks, first_octet

ACCOUNTS = DirectoryAccounts("DC=corp,DC=example", [Person("alice", Secret("right"))], 0, 0.0)
BIND = bytes.fromhex("3023020107601e020103") + b"\x04\x12alice@corp.example\x80\5right"
MAX_ANSWER_BYTES = 1 << 20
RESPONSES = {0x61, 0x64, 0x65, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x73, 0x78, 0x79}
"""Source: RFC 4511 §4.2 to §4.13."""
WORDS = (
    BIND,
    b"\x04\x0bobjectClass",
    b"\x87\x0bobjectClass",
    b"\x0a\1\2\x0a\1\0\2\1\0\2\1\0\1\1\0",
    b"\x63",
    b"\x64",
    b"\x65",
)


def target(data: bytes) -> None:
    _answer(data)
    size, stream = first_octet(data)
    with LogWatch() as log:
        connection = DirectoryConnection(Clock(), ACCOUNTS, lambda: 0.0, lambda gone: None)
        wire = StringTransport()
        connection.makeConnection(wire)
        for piece in chunks(BIND + stream, size):
            connection.dataReceived(piece)
        said = MessageFramer(MAX_ANSWER_BYTES).feed(wire.value())
    log.shows_no_fault()
    assert said, "the bind that stands before every input is answered"
    assert {peek_message(message).operation_tag for message in said} <= RESPONSES


def _answer(octets: bytes) -> None:
    try:
        received = read_answer(octets)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.CLOSE
        assert str(error).isprintable()
        return
    assert received.message_id == peek_message(octets).message_id
    answer = received.answer
    if isinstance(answer, Result):
        assert answer.diagnostic.isprintable()
        assert len(answer.diagnostic) <= 2 * MAX_DIAGNOSTIC_CHARACTERS
        assert len(answer.referrals) <= MAX_REFERRALS
        assert all(text.isprintable() for text in (*answer.referrals, answer.name, answer.matched_dn))
    if isinstance(answer, Entry):
        assert answer.dn in octets
        assert answer.dn_text.isprintable()
        assert all(value in octets for values in answer.attributes.values() for value in values)
