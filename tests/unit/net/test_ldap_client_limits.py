"""What a client of the LDAP listener, or the directory for it, takes too long for."""

from __future__ import annotations

import pytest

from duoproxy.net.ldap_client_limits import HANDSHAKE_S, LAST_WORDS_S, MESSAGE_S, ClientLimits, ClientTimes, Late

LIMITS = ClientLimits(unbound_message_bytes=1_000, message_bytes=100_000, idle_s=300.0, network_s=60.0)


def late(times: ClientTimes, now: float, *, is_bound: bool = True, is_timed: bool = False, owed: bool = False) -> Late:
    return times.what_is_late(now, LIMITS, is_bound=is_bound, is_timed=is_timed, owed=owed)


@pytest.mark.parametrize(
    ("times", "situation", "limit_s", "expected"),
    [
        (ClientTimes(0, 0), {}, LIMITS.idle_s, Late.CLIENT),
        (ClientTimes(0, 0), {"owed": True}, LIMITS.network_s, Late.ANSWER),
        (ClientTimes(0, 0, partial_at=0), {}, LIMITS.network_s, Late.MESSAGE),
        (ClientTimes(0, 0, partial_at=0), {"is_bound": False}, MESSAGE_S, Late.MESSAGE),
        (ClientTimes(0, 0, handshake_at=0), {}, HANDSHAKE_S, Late.HANDSHAKE),
        (ClientTimes(0, 0, handshake_at=0, ended_at=0), {}, LAST_WORDS_S, Late.LAST_WORDS),
    ],
    ids=["idle", "answer", "message", "message-unbound", "handshake", "last-words"],
)
def test_what_is_under_way_has_its_time(
    times: ClientTimes, situation: dict[str, bool], limit_s: float, expected: Late
) -> None:
    """Nothing is late before its limit, and it is at its limit."""
    assert late(times, limit_s - 0.1, **situation) is Late.NOTHING
    assert late(times, limit_s, **situation) is expected


def test_what_has_a_limit_of_its_own_is_never_idle() -> None:
    """A login, and a connection to the directory that is being opened, end by themselves."""
    assert late(ClientTimes(0, 0), 2 * LIMITS.idle_s, is_timed=True, owed=True) is Late.NOTHING


def test_a_message_that_drips_is_late_while_a_login_is_under_way() -> None:
    """What a client began it has to finish, whatever else happens."""
    assert late(ClientTimes(0, 0, partial_at=0), LIMITS.network_s, is_timed=True) is Late.MESSAGE


def test_the_time_of_a_message_is_that_of_its_first_octet() -> None:
    """More octets of the same message win no time."""
    times = ClientTimes(0, 0)
    times.note_partial(1.0, is_partial=True)
    times.note_partial(2.0, is_partial=True)
    assert times.partial_at == 1.0
    times.note_partial(3.0, is_partial=False)
    assert times.partial_at is None
