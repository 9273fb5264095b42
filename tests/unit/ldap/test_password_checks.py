"""Requests that check a password and are no bind."""

from __future__ import annotations

import pytest

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.password_checks import VERIFY_CREDENTIALS, compares_password
from duoproxy.ldap.relay_policy import RelayPolicy
from tests.unit.ldap.relay_kit import ALICE, Conversation, bound, compare, extended, message, tlv

SPELLINGS = [b"userPassword", b"USERPASSWORD", b"userPassword;x-old", b"2.5.4.35", b"OID.2.5.4.35", b"unicodePwd"]


def said(talk: Conversation, octets: bytes) -> tuple[object, ...]:
    """What becomes of one message: to whom something goes, its id, and for the client the result."""
    [told] = talk.client(octets)
    assert isinstance(told, tuple)
    return tuple(part for part in told if part not in ("COMPARE", "EXTENDED"))


@pytest.mark.parametrize("attribute", SPELLINGS)
def test_compare_with_a_password_is_known_by_every_spelling(attribute: bytes) -> None:
    """RFC 4512 §2.5: case does not count, an OID stands for a name, options may follow."""
    octets = compare(9, attribute)
    assert compares_password(octets, peek_message(octets))


@pytest.mark.parametrize("attribute", [b"sn", b"", b"userPasswordHint", b"2.5.4.3"])
def test_other_compares_are_none(attribute: bytes) -> None:
    """They are relayed."""
    octets = compare(9, attribute)
    assert not compares_password(octets, peek_message(octets))
    assert Conversation().log_in().client(octets) == [("server", 9, "COMPARE")]


@pytest.mark.parametrize("operation", [tlv(0x6E), tlv(0x6E, tlv(0x04, ALICE)), tlv(0x6E, tlv(0x04, ALICE), tlv(0x30))])
def test_what_is_no_compare_is_a_fault(operation: bytes) -> None:
    """Nobody guesses what a directory would make of it."""
    octets = message(9, operation)
    with pytest.raises(RemoteProtocolError):
        compares_password(octets, peek_message(octets))


@pytest.mark.parametrize("octets", [compare(9), extended(9, VERIFY_CREDENTIALS, b"x")])
def test_check_without_a_bind_is_refused(octets: bytes) -> None:
    """Somebody would be let in on it whom Duo was never asked about; exempt accounts check nobody, either."""
    for talk in (Conversation(), Conversation(allow_anonymous=True), Conversation().log_in(exempt=True)):
        assert said(talk, octets) == ("client", 9, 53)


@pytest.mark.parametrize("octets", [compare(9), extended(9, VERIFY_CREDENTIALS, b"x")])
def test_check_without_a_bind_may_be_allowed(octets: bytes) -> None:
    """allow_password_checks = true: for a client that may send any request; others have to bind first."""
    assert said(Conversation(allow_password_checks=True).log_in(), octets) == ("server", 9)
    assert said(Conversation(allow_password_checks=True), octets) == ("client", 9, 8)
    assert said(Conversation(allow_password_checks=True, allow_anonymous=True), octets) == ("server", 9)


def test_run_of_requests_ends_before_a_check() -> None:
    """What goes on without being looked at has none in it."""
    assert not RelayPolicy().allow_password_checks
    talk = Conversation().log_in()
    assert talk.relay.pass_requests(compare(9), 1_000) == 0
    assert talk.relay.pass_requests(bound(9), 1_000) == 0
