"""What a directory answers, read out of octets; ldaptor is the second opinion."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from ldaptor.protocols import pureldap

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.messages import Response
from duoproxy.net.ldap_answers import (
    MAX_DIAGNOSTIC_CHARACTERS,
    MAX_REFERRALS,
    Entry,
    Intermediate,
    Reference,
    Result,
    read_answer,
)
from tests.twisted.ldap_wire import bind_response, done, element, entry, extended


def answer(operation_tag: int, *parts: bytes, message_id: bytes = b"\5") -> bytes:
    return element(0x30, element(0x02, message_id), element(operation_tag, *parts))


def result_parts(code: int, dn: bytes = b"", text: bytes = b"") -> bytes:
    return element(0x0A, bytes((code,))) + element(0x04, dn) + element(0x04, text)


def test_entry_has_its_name_and_attributes() -> None:
    """RFC 4511 §4.5.2; names of attributes are found in any case."""
    received = read_answer(entry(7, "cn=Weird\\, User (x)", sAMAccountName=[b"weird"], memberOf=[b"a", b"b"]))
    assert (received.message_id, received.operation) == (7, Response.SEARCH_ENTRY)
    assert isinstance(received.answer, Entry)
    assert received.answer.dn == b"cn=Weird\\, User (x)"
    assert received.answer.values("memberof") == (b"a", b"b")
    assert received.answer.first("SAMACCOUNTNAME") == b"weird"
    assert received.answer.first("mail") is None


def test_name_of_an_entry_stays_in_the_octets_of_the_server() -> None:
    """Only they may be sent back; the text is for logs."""
    received = read_answer(answer(0x64, element(0x04, b"cn=\xff\n"), element(0x30)))
    assert isinstance(received.answer, Entry)
    assert received.answer.dn == b"cn=\xff\n"
    assert received.answer.dn_text == "cn=\N{REPLACEMENT CHARACTER}"


def test_result_with_its_texts() -> None:
    """RFC 4511 §4.1.9."""
    received = read_answer(done(3, 32, "no such"))
    assert received.answer == Result(32, diagnostic="no such")
    received = read_answer(answer(0x65, result_parts(32, b"dc=test", b"")))
    assert received.answer == Result(32, matched_dn="dc=test")


def test_server_s_words_cannot_forge_log_lines() -> None:
    """Whoever answers chose them: one line, no control characters, an end; the NUL that Active Directory sends goes."""
    received = read_answer(done(3, 49, "80090308: data 52e, v1db1\0"))
    assert received.answer == Result(49, diagnostic="80090308: data 52e, v1db1")
    received = read_answer(done(3, 49, "a\r\nb\x1b[2J" + 5000 * "x"))
    assert isinstance(received.answer, Result)
    assert received.answer.diagnostic.startswith("a  b [2Jx")
    assert len(received.answer.diagnostic) <= MAX_DIAGNOSTIC_CHARACTERS


def test_bind_response_carries_the_credentials_of_the_server() -> None:
    """RFC 4511 §4.2.2, serverSaslCreds."""
    received = read_answer(bind_response(2, 14, credentials=b"NTLMSSP\0"))
    assert received.operation is Response.BIND
    assert received.answer == Result(14, sasl_credentials=b"NTLMSSP\0")
    assert "NTLMSSP" not in repr(received.answer)


def test_referrals_of_a_result_are_kept() -> None:
    """RFC 4511 §4.1.10; more than anybody could follow are not."""
    uris = [element(0x04, b"ldap://%d/" % number) for number in range(MAX_REFERRALS + 5)]
    received = read_answer(answer(0x61, result_parts(10), element(0xA3, *uris)))
    assert isinstance(received.answer, Result)
    assert received.answer.referrals == tuple(f"ldap://{number}/" for number in range(MAX_REFERRALS))


def test_extended_response_has_its_name() -> None:
    """RFC 4511 §4.12; a Notice of Disconnection is known by it."""
    received = read_answer(extended(0, 52, "bye", b"1.3.6.1.4.1.1466.20036"))
    assert received.answer == Result(52, diagnostic="bye", name="1.3.6.1.4.1.1466.20036")


def test_reference_and_intermediate_response() -> None:
    """RFC 4511 §4.5.3, §4.13."""
    assert read_answer(answer(0x73, element(0x04, b"ldap://x/"))).answer == Reference(("ldap://x/",))
    assert read_answer(answer(0x79, element(0x80, b"1.2"))).answer == Intermediate()


def test_controls_and_further_elements_are_passed_over() -> None:
    """RFC 4511 §4: what a later version adds behind is ignored."""
    controls = element(0xA0, element(0x30, element(0x04, b"1.2.840.113556.1.4.319")))
    octets = element(0x30, element(0x02, b"\5"), element(0x65, result_parts(0), element(0xBE, b"new")), controls)
    assert read_answer(octets).answer == Result(0)


def test_lengths_in_the_long_form_of_active_directory() -> None:
    """Active Directory writes four octets where one would do. Source: X.690 §8.1.3.5."""

    def long(tag: int, contents: bytes) -> bytes:
        return bytes((tag, 0x84)) + len(contents).to_bytes(4, "big") + contents

    value = long(0x31, long(0x04, b"x"))
    attributes = long(0x30, long(0x30, long(0x04, b"cn") + value))
    received = read_answer(long(0x30, element(0x02, b"\5") + long(0x64, long(0x04, b"cn=x") + attributes)))
    assert received.answer == Entry(b"cn=x", {"cn": (b"x",)})


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (answer(0x65), "a result without its code"),
        (answer(0x65, element(0x0A, b"")), "a number that is empty or too long"),
        (answer(0x65, element(0x0A, 9 * b"\1")), "a number that is empty or too long"),
        (answer(0x65, element(0x02, b"\0")), "a result without its code"),
        (answer(0x65, element(0x0A, b"\0")), "a result without matchedDN"),
        (answer(0x65, element(0x0A, b"\0"), element(0x04)), "a result without diagnosticMessage"),
        (answer(0x64), "an entry without a name"),
        (answer(0x64, element(0x04)), "an entry without attributes"),
        (answer(0x64, element(0x04), element(0x30, b"\x04\x00")), "attributes cannot be read"),
        (answer(0x64, element(0x04), element(0x30, element(0x30))), "an attribute without a name"),
        (answer(0x64, element(0x04), element(0x30, element(0x30, b"\4\0"))), "an attribute without values"),
        (answer(0x64, element(0x04), element(0x30, element(0x30, b"\4\0", element(0x31, b"\2\0")))), "values cannot"),
        (answer(0x64, element(0x04), b"\x30\x05"), "longer than what it stands in"),
        (answer(0x64, b"\x04"), "ends inside one of its elements"),
        (answer(0x64, b"\x04\x80"), "no definite length"),
        (answer(0x64, b"\x04\x89" + 9 * b"\0"), "no definite length"),
        (answer(0x64, b"\x04\x84\0"), "no definite length"),
        (answer(0x73, element(0x02, b"\1")), "a referral that is no URI"),
        (answer(0x42), "is no answer of a directory"),
        (b"\x30\x00", "ends inside"),
        (b"", "ends inside"),
    ],
)
def test_malformed_answer_is_refused(octets: bytes, words: str) -> None:
    """Nothing is guessed: the connection is closed."""
    with pytest.raises(RemoteProtocolError, match=words) as caught:
        read_answer(octets)
    assert caught.value.disposition is Disposition.CLOSE


def test_entry_with_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all attributes together."""
    monkeypatch.setattr("duoproxy.net.ldap_answers.MAX_VALUES", 3)
    read_answer(entry(1, a=[b"1", b"2"], b=[b"3"]))
    with pytest.raises(RemoteProtocolError, match="too many"):
        read_answer(entry(1, a=[b"1", b"2"], b=[b"3", b"4"]))


def test_entry_with_too_many_attributes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hundred are the most that anybody has."""
    monkeypatch.setattr("duoproxy.net.ldap_answers.MAX_ATTRIBUTES", 1)
    with pytest.raises(RemoteProtocolError, match="too many"):
        read_answer(entry(1, a=[b"1"], b=[b"3"]))


def test_time_grows_no_faster_than_the_answer() -> None:
    """A group of many members is read in one pass."""

    def seconds(values: int) -> float:
        octets = entry(1, member=[b"cn=user%06d,dc=x" % number for number in range(values)])
        return min(_timed(lambda: read_answer(octets)) for _ in range(3))

    small, large = seconds(2_000), seconds(16_000)
    assert large < 8 * small * 4


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def test_ldaptor_reads_the_same() -> None:
    """A second opinion on what an entry says."""
    attributes = [("cn", [b"a", b""]), ("objectSid", [bytes(range(28))])]
    theirs = pureldap.LDAPSearchResultEntry("cn=x,dc=y", attributes)
    received = read_answer(bytes(pureldap.LDAPMessage(theirs, id=9).toWire()))
    assert received.answer == Entry(b"cn=x,dc=y", {"cn": (b"a", b""), "objectsid": (bytes(range(28)),)})
