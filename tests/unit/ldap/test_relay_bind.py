"""One bind that is under way, and how often a client may bind."""

from __future__ import annotations

import pytest

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import read_bind
from duoproxy.ldap.relay_bind import BindCount, PendingBind
from duoproxy.ldap.relay_policy import RelayPolicy
from duoproxy.secret import Secret
from tests.unit.ldap.relay_kit import ALICE, PASSWORD, bind, bound, done


def sent(message_id: int = 7, upstream_id: int = 8) -> PendingBind:
    octets = bind(message_id)
    pending = PendingBind(message_id, read_bind(octets, peek_message(octets)))
    assert pending.send(upstream_id, ALICE, Secret(PASSWORD)) == bind(upstream_id)
    return pending


def test_only_what_has_its_id_answers_a_bind() -> None:
    """The ids at the directory tell answers apart, and there is one answer."""
    pending = sent()
    assert [pending.expects(number) for number in (7, 8)] == [False, True]
    pending.take_answer(peek_message(bound(8)), bound(8))
    assert [pending.expects(number) for number in (7, 8)] == [False, False]


@pytest.mark.parametrize(("code", "succeeded"), [(0, True), (49, False)])
def test_answer_is_held_back_as_the_directory_gave_it(code: int, succeeded: bool) -> None:
    """The client gets the directory's own words, with its own message id."""
    pending = sent()
    answer = bound(8, code, b"said so")
    assert pending.take_answer(peek_message(answer), answer) == (code, "said so")
    assert (pending.succeeded, pending.failed) == (succeeded, not succeeded)
    assert pending.answer_for_client() == bound(7, code, b"said so")


def test_another_operation_answers_no_bind() -> None:
    """RFC 4511 §4.2.2: what has the bind's id and is no BindResponse is a fault."""
    with pytest.raises(RemoteProtocolError, match="answers no bind"):
        sent().take_answer(peek_message(done(8)), done(8))


def test_yes_of_a_lost_connection_is_worth_nothing() -> None:
    """A session of the directory ends with its connection."""
    pending = sent()
    pending.take_answer(peek_message(bound(8)), bound(8))
    pending.server_lost()
    assert (pending.succeeded, pending.was_sent, pending.waits_for_server) == (False, False, False)


@pytest.mark.parametrize(
    ("count", "unlimited", "room"),
    [
        (BindCount(), False, True),
        (BindCount(1), False, False),
        (BindCount(1, first_was_exempt=True), False, True),
        (BindCount(2, first_was_exempt=True), False, False),
        (BindCount(9), True, True),
    ],
)
def test_room_for_binds(count: BindCount, unlimited: bool, room: bool) -> None:
    """One bind, two when the first needed no second factor, or as many as the administrator allows."""
    assert count.has_room(RelayPolicy(allow_unlimited_binds=unlimited)) is room


def test_only_the_first_bind_makes_room_for_another() -> None:
    """A second bind that was exempt allows no third."""
    count = BindCount(2)
    count.note_exemption(True)
    assert not count.first_was_exempt
