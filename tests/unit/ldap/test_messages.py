"""The few LDAP messages that the proxy reads and writes by itself."""

from __future__ import annotations

import pytest
from ldaptor.protocols import pureldap

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.framing import MAX_MESSAGE_ID, peek_message
from duoproxy.ldap.messages import (
    MAX_DIAGNOSTIC_OCTETS,
    START_TLS,
    Response,
    asks_root_dse,
    read_abandoned,
    read_bind,
    read_cancelled,
    read_extended_name,
    read_response_name,
    read_result,
    with_message_id,
    write_abandon,
    write_cancel,
    write_extended_response,
    write_notice_of_disconnection,
    write_result,
    write_simple_bind,
    write_unbind,
)
from duoproxy.secret import Secret
from tests.twisted.ldap_wire import read_request
from tests.unit.ldap.relay_kit import abandon, bind, bound, cancel, message, number, root_dse, sasl_bind, search, tlv


def test_bind_that_we_write_is_that_of_a_client() -> None:
    """RFC 4511 §4.2, octet for octet."""
    assert write_simple_bind(7, b"cn=a", Secret("pw")) == bind(7, b"cn=a", b"pw")


def test_bind_reads_as_ldaptor_writes_it() -> None:
    """A second opinion."""
    octets = bytes(pureldap.LDAPMessage(pureldap.LDAPBindRequest(dn=b"cn=a", auth=b"pw"), id=300).toWire())
    request = read_bind(octets, peek_message(octets))
    assert (request.version, request.name, request.password) == (3, b"cn=a", Secret("pw"))
    assert write_simple_bind(300, b"cn=a", Secret("pw")) == octets


def test_sasl_bind_has_no_password() -> None:
    """Whatever stands in it is not looked at."""
    octets = sasl_bind(1)
    assert read_bind(octets, peek_message(octets)).password is None


def test_anonymous_bind_names_nobody() -> None:
    """RFC 4513 §5.1.1: neither name nor password; a SASL bind is none."""
    for octets, anonymous in ((bind(1, b"", b""), True), (bind(1, b"a", b""), False), (sasl_bind(1), False)):
        assert read_bind(octets, peek_message(octets)).is_anonymous is anonymous


def test_password_of_a_bind_is_not_shown() -> None:
    """No log and no traceback has it."""
    octets = bind(1, b"cn=a", b"hunter2")
    assert "hunter2" not in repr(read_bind(octets, peek_message(octets)))


@pytest.mark.parametrize(
    "operation",
    [
        tlv(0x60),
        tlv(0x60, number(3)),
        tlv(0x60, number(3), tlv(0x04)),
        tlv(0x60, tlv(0x02), tlv(0x04), tlv(0x80)),
        tlv(0x60, tlv(0x02, b"\1" * 9), tlv(0x04), tlv(0x80)),
        tlv(0x60, number(3), tlv(0x24), tlv(0x80)),
        tlv(0x60, number(3), tlv(0x04), tlv(0x80), tlv(0x80)),
        b"\x60\x08\x02\x01\x03\x04\x84\xff\xff\xff",
        b"\x60\x05\x02\x01\x03\x04\x80",
    ],
)
def test_bind_that_is_none_closes_the_connection(operation: bytes) -> None:
    """Parts that are missing, of another tag, too many, or longer than what they stand in."""
    octets = message(1, operation)
    with pytest.raises(RemoteProtocolError) as caught:
        read_bind(octets, peek_message(octets))
    assert caught.value.disposition is Disposition.CLOSE


@pytest.mark.parametrize("new_id", [0, 1, 127, 128, 255, 256, 65_535, 1 << 24, MAX_MESSAGE_ID])
@pytest.mark.parametrize("old_id", [1, 200, 70_000, MAX_MESSAGE_ID])
def test_another_message_id_changes_nothing_else(old_id: int, new_id: int) -> None:
    """Operation and controls are the same octets, also where the id has another length."""
    controls = tlv(0xA0, tlv(0x30, tlv(0x04, b"1.2.3")))
    octets = search(old_id, controls=controls)
    changed = with_message_id(octets, peek_message(octets), new_id)
    head = peek_message(changed)
    assert head.message_id == new_id
    assert changed[head.operation_offset :] == octets[peek_message(octets).operation_offset :]


def test_message_with_its_own_id_is_the_same_object() -> None:
    """Nothing is copied for the usual client."""
    octets = search(5)
    assert with_message_id(octets, peek_message(octets), 5) is octets


def test_length_keeps_its_long_form() -> None:
    """Active Directory writes the length in four octets, and goes on doing so behind us."""
    octets = b"\x30\x84\x00\x00\x00\x05\x02\x01\x01\x42\x00"
    assert with_message_id(octets, peek_message(octets), 300) == b"\x30\x84\x00\x00\x00\x06\x02\x02\x01\x2c\x42\x00"


def test_length_grows_where_its_form_is_too_short() -> None:
    """From 127 octets to 128."""
    octets = message(1, tlv(0x42, bytes(122)))
    assert octets[:2] == b"\x30\x7f"
    assert with_message_id(octets, peek_message(octets), 128)[:3] == b"\x30\x81\x80"


def test_abandon_is_read_and_written() -> None:
    """RFC 4511 §4.11."""
    assert write_abandon(9, 300) == abandon(9, 300)
    assert read_abandoned(abandon(9, 300), peek_message(abandon(9, 300))) == 300
    assert read_request(write_abandon(9, 300)).value.value == 300


def test_cancel_is_read_and_written_with_its_controls() -> None:
    """RFC 3909 §2.1."""
    controls = tlv(0xA0, tlv(0x30, tlv(0x04, b"1.2.3")))
    octets = write_cancel(9, 300, controls)
    assert octets == message(9, cancel(9, 300)[5:], controls)
    assert read_cancelled(octets, peek_message(octets)) == 300


def test_unbind_is_one() -> None:
    """RFC 4511 §4.3."""
    assert isinstance(read_request(write_unbind(5)).value, pureldap.LDAPUnbindRequest)


def test_negative_id_in_an_abandon_is_none() -> None:
    """Message ids are 0 to 2**31 - 1."""
    octets = message(1, tlv(0x50, b"\xff"))
    with pytest.raises(RemoteProtocolError):
        read_abandoned(octets, peek_message(octets))


def test_root_dse_is_the_empty_dn_with_scope_base() -> None:
    """RFC 4512 §5.1."""
    cases = [(root_dse(1), True), (search(1, b"", 1), False), (search(1, b"", 2), False), (search(1, b"x", 0), False)]
    for octets, expected in cases:
        assert asks_root_dse(octets, peek_message(octets)) is expected


def test_result_is_read_by_ldaptor() -> None:
    """RFC 4511 §4.1.9: what we answer ourselves."""
    value = read_request(write_result(4, Response.BIND, 49, "Login request denied.")).value
    assert (value.resultCode, value.errorMessage) == (49, b"Login request denied.")


def test_text_of_a_result_is_bounded_and_whole() -> None:
    """A long text is cut between characters."""
    octets = write_result(4, Response.SEARCH_DONE, 53, "ä" * 2_000)
    text = read_result(octets, peek_message(octets))[1]
    assert text == "ä" * (MAX_DIAGNOSTIC_OCTETS // 2)


def test_result_of_a_directory_is_read() -> None:
    """Code and text, whatever follows."""
    octets = bound(1, 49, b"data 52e")
    assert read_result(octets, peek_message(octets)) == (49, "data 52e")


def test_notice_of_disconnection_has_id_0_and_its_name() -> None:
    """RFC 4511 §4.4.1."""
    octets = write_notice_of_disconnection(52, "going down")
    assert peek_message(octets).message_id == 0
    assert read_response_name(octets, peek_message(octets)) == b"1.3.6.1.4.1.1466.20036"


def test_extended_response_has_a_name_where_it_is_given_one() -> None:
    """RFC 4511 §4.12."""
    named, plain = write_extended_response(3, 0, name=START_TLS), write_extended_response(3, 2, "no")
    assert read_response_name(named, peek_message(named)) == START_TLS
    assert read_response_name(plain, peek_message(plain)) == b""


def test_extended_request_has_a_name() -> None:
    """RFC 4511 §4.12."""
    octets = message(1, tlv(0x77, tlv(0x80, b"1.2.3"), tlv(0x81, b"x")))
    assert read_extended_name(octets, peek_message(octets)) == b"1.2.3"
