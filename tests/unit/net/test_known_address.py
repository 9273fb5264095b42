"""What is thought of the address of a host: how long it is good, and when another one is better."""

from __future__ import annotations

import pytest

from duoproxy.net.known_address import LOOK_UP_S, REMEMBERED_S, KnownAddress

FIRST, SECOND = "192.0.2.1", "192.0.2.2"
NOW = 1_000.0


@pytest.fixture
def proven() -> KnownAddress:
    """The host has proven its name at the first address, just now."""
    known = KnownAddress(awaits_proof=True)
    known.answered(FIRST, NOW)
    known.proven(FIRST, NOW)
    return known


def test_who_only_answers_is_not_kept_where_names_are_proven() -> None:
    """A poisoned look-up leads to somebody who answers, too."""
    known = KnownAddress(awaits_proof=True)
    known.answered(FIRST, NOW)
    assert known.address is None
    without_proof = KnownAddress()
    without_proof.answered(FIRST, NOW)
    assert without_proof.address == FIRST


def test_a_proven_address_is_good_for_a_minute(proven: KnownAddress) -> None:
    """Then it is looked up, and still there."""
    assert proven.is_good(NOW + REMEMBERED_S - 0.1)
    assert not proven.is_good(NOW + REMEMBERED_S)
    assert proven.address == FIRST


def test_one_connection_looks_up_and_the_others_use_what_is_known(proven: KnownAddress) -> None:
    """A look-up takes a thread."""
    later = NOW + REMEMBERED_S
    proven.look_up_begins(later)
    assert proven.is_good(later + LOOK_UP_S - 0.1)
    assert not proven.is_good(later + LOOK_UP_S)


def test_a_look_up_that_hangs_is_not_followed_by_others(proven: KnownAddress) -> None:
    """Silent DNS would take all threads."""
    proven.look_up_hung(NOW + REMEMBERED_S)
    assert proven.is_good(NOW + 2 * REMEMBERED_S - 0.1)


@pytest.mark.parametrize("by_somebody_else", [False, True])
def test_where_names_lead_astray_the_known_address_serves(proven: KnownAddress, by_somebody_else: bool) -> None:
    """Whoever poisons the DNS makes no outage."""
    later = NOW + REMEMBERED_S
    proven.not_proven(SECOND, later, by_somebody_else=by_somebody_else)
    assert (proven.address, proven.is_good(later)) == (FIRST, True)


def test_a_known_address_that_somebody_else_has_now_is_forgotten(proven: KnownAddress) -> None:
    """The host has moved, and its old address was given away."""
    proven.not_proven(FIRST, NOW, by_somebody_else=True)
    assert proven.address is None
    assert not proven.has_better(SECOND)


def test_a_known_address_that_proves_nothing_is_looked_up_and_kept(proven: KnownAddress) -> None:
    """It may have been a moment only."""
    proven.not_proven(FIRST, NOW, by_somebody_else=False)
    assert (proven.address, proven.is_good(NOW)) == (FIRST, False)


def test_another_address_is_worth_a_short_wait_only_while_the_known_one_serves(proven: KnownAddress) -> None:
    """A host that has left the old address may take its time at the new one."""
    assert (proven.has_better(SECOND), proven.has_better(FIRST), proven.has_better("")) == (True, False, False)
    proven.gives_no_answer()
    assert not proven.has_better(SECOND)
    proven.proven(SECOND, NOW)
    assert (proven.address, proven.has_better(FIRST)) == (SECOND, True)


def test_doubt_is_at_once_or_in_a_moment(proven: KnownAddress) -> None:
    """In a moment: others go on with what is known, and no doubt makes it good for longer."""
    proven.doubt_soon(NOW)
    assert proven.is_good(NOW + LOOK_UP_S - 0.1)
    assert not proven.is_good(NOW + LOOK_UP_S)
    proven.doubt_soon(NOW + LOOK_UP_S)
    assert not proven.is_good(NOW + LOOK_UP_S)
    proven.proven(SECOND, NOW)
    proven.doubt()
    assert not proven.is_good(NOW)
