"""Who has to go when all places of an EAP listener are taken: a fair share for devices, users and newcomers."""

from __future__ import annotations

from attrs import define

from duoproxy.net.eap_room import MAX_SPARED_OF_USER, SPARED_SHARE, EapRoom

NAS, OTHER_NAS = "10.0.0.1", "10.0.0.2"


@define(eq=False)
class Guest:
    """Somebody with a name."""

    name: str
    device: str = NAS
    busy: bool = False


def come(room: EapRoom[Guest], name: str, device: str = NAS, *, busy: bool = False, user: str = "") -> Guest:
    """Come as the listener has it: when it is full somebody goes first."""
    while room.full:
        victim = room.next_to_go(device)
        assert victim is not None
        room.leave(victim)
    guest = Guest(name, device, busy)
    room.enter(guest)
    if user:
        room.spare(guest, user)
    return guest


def who_goes(room: EapRoom[Guest], newcomer: str = NAS) -> str | None:
    victim = room.next_to_go(newcomer)
    return victim.name if victim is not None else None


def test_the_oldest_of_the_device_with_the_most_goes() -> None:
    """A device that floods loses its own, not those of others."""
    room: EapRoom[Guest] = EapRoom(4)
    for name, device in (("early", OTHER_NAS), ("a", NAS), ("b", NAS), ("c", NAS)):
        come(room, name, device)
    assert room.full
    assert who_goes(room, OTHER_NAS) == "a"


def test_the_newcomer_is_counted_for_its_device() -> None:
    """Of two devices with as many, the one that wants more gives up one."""
    room: EapRoom[Guest] = EapRoom(4)
    for number in range(4):
        come(room, str(number), (NAS, OTHER_NAS)[number % 2])
    assert [who_goes(room, NAS), who_goes(room, OTHER_NAS)] == ["0", "1"]


def test_who_proved_a_password_is_spared_while_others_are_there() -> None:
    """The user has typed it, and reads the prompt."""
    room: EapRoom[Guest] = EapRoom(4)
    come(room, "proved", user="alice")
    come(room, "stranger")
    assert who_goes(room) == "stranger"


def test_of_one_user_only_the_newest_are_spared() -> None:
    """With one valid password a thousand conversations can be begun; all but a few of them are the first to go."""
    room: EapRoom[Guest] = EapRoom(100)
    come(room, "stranger")
    come(room, "bob", user="bob")
    flood = [come(room, f"flood{number}", user="mallory") for number in range(MAX_SPARED_OF_USER + 2)]
    gone = []
    for _ in range(3):
        victim = room.next_to_go(NAS)
        assert victim is not None
        gone.append(victim.name)
        room.leave(victim)
    assert gone == ["flood1", "flood0", "stranger"]
    assert flood[2] in list(room)


def test_one_valid_password_keeps_nobody_out() -> None:
    """The flood of one user makes room for others, and those who proved a password before it stay."""
    room: EapRoom[Guest] = EapRoom(40)
    before = [come(room, f"user{number}", user=f"user{number}") for number in range(10)]
    for number in range(500):
        come(room, f"flood{number}", user="mallory")
    newcomer = come(room, "newcomer")
    here = set(room)
    assert {*before, newcomer} <= here
    assert len(room) == 40


def test_all_users_together_leave_a_quarter_to_newcomers() -> None:
    """Of 40 places 30 are spared; who typed a password longest ago goes before a newcomer in his handshake."""
    room: EapRoom[Guest] = EapRoom(40)
    for number in range(40):
        come(room, f"user{number}", user=f"user{number}")
    newcomers = [come(room, f"new{number}") for number in range(10)]
    assert [guest.name for guest in room if guest.name.startswith("user")] == [f"user{n}" for n in range(10, 40)]
    assert SPARED_SHARE == 0.75
    assert who_goes(room) == "new0"
    assert set(newcomers) <= set(room)


def test_a_step_in_progress_is_never_given_up() -> None:
    """A telephone may be ringing: not for a stranger, not for a user, spared or not."""
    room: EapRoom[Guest] = EapRoom(3)
    ringing = [come(room, "a", busy=True), come(room, "b", busy=True, user="bob")]
    come(room, "waits", user="carol")
    assert who_goes(room, OTHER_NAS) == "waits"
    come(room, "c", OTHER_NAS, busy=True)
    assert who_goes(room) is None
    ringing[0].busy = False
    assert who_goes(room) == "a"


def test_a_device_that_keeps_half_of_the_rest_busy_pushes_aside_nobody_who_proved_a_password() -> None:
    """Wrong passwords by the thousand are steps in progress, too; whoever reads his prompt is not given up for them."""
    room: EapRoom[Guest] = EapRoom(16)
    proved = [come(room, f"user{number}", OTHER_NAS, user=f"user{number}") for number in range(12)]
    for number in range(3):
        come(room, f"wrong{number}", busy=True)
    come(room, "newcomer", OTHER_NAS, busy=True)
    assert room.full
    assert who_goes(room, NAS) is None
    assert set(proved) <= set(room)
    assert who_goes(room, OTHER_NAS) == "user0"


def test_a_user_who_types_again_is_the_newest() -> None:
    """Who goes on is spared longest."""
    room: EapRoom[Guest] = EapRoom(10)
    first = come(room, "first", user="alice")
    for number in range(MAX_SPARED_OF_USER - 1):
        come(room, str(number), user="alice")
    room.spare(first, "alice")
    come(room, "one more", user="alice")
    assert who_goes(room) == "0"


def test_nothing_is_left_behind() -> None:
    """When all have left no table holds anything."""
    room: EapRoom[Guest] = EapRoom(10)
    guests = [come(room, str(n), (NAS, OTHER_NAS)[n % 2], user="alice" if n % 3 else "") for n in range(9)]
    for guest in guests:
        room.leave(guest)
    assert (room._share, room._not_spared, dict(room._spared), room._spared_of) == ({}, {}, {}, {})
    assert (len(room), list(room)) == (0, [])
