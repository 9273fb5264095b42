"""A bound on connections for all, and a fair part of it for each address."""

from duoproxy.net.fair_share import FairShare


def admitted(share: FairShare, address: str) -> int:
    """Open connections until no further one is admitted."""
    count = 0
    while share.admit(address):
        count += 1
    return count


def test_one_address_has_at_most_half_of_what_the_others_leave() -> None:
    """Whoever opens many leaves room for the next."""
    share = FairShare(100)
    assert admitted(share, "a") == 50
    assert admitted(share, "b") == 25
    assert admitted(share, "c") == 13


def test_the_bound_holds_over_all_addresses() -> None:
    """However many addresses there are, there are never more connections than the limit."""
    share = FairShare(10)
    assert sum(admitted(share, str(number)) for number in range(50)) == 10
    assert share.count == 10
    assert not share.admit("newcomer")


def test_what_is_closed_is_free_again() -> None:
    """A connection that ended counts no more, for its address and for all."""
    share = FairShare(2)
    assert share.admit("a")
    assert not share.admit("a")
    assert share.admit("b")
    assert not share.admit("c")
    share.leave("b")
    assert share.admit("c")
    assert share.count == 2


def test_a_machine_with_many_ipv6_addresses_has_one_share() -> None:
    """Every machine may give itself as many addresses of its /64 as it likes; clients elsewhere find room."""
    share = FairShare(100)
    assert sum(admitted(share, f"fd00:1:2:3::{number:x}") for number in range(1, 200)) == 50
    assert admitted(share, "10.0.0.1") == 25
    assert share.admit("fd00:1:2:4::1")


def test_neighbours_in_one_ipv6_network_have_shares_of_it() -> None:
    """One address takes half of what its network may have, link-local ones too."""
    share = FairShare(100)
    assert admitted(share, "fe80::1%eth0") == 25
    assert admitted(share, "fe80::2%eth0") == 13
    for _ in range(25):
        share.leave("fe80::1%eth0")
    for _ in range(13):
        share.leave("fe80::2%eth0")
    assert (share.count, dict(share._of)) == (0, {})


def test_who_has_fewer_can_have_a_place_of_who_has_most() -> None:
    """When all is taken, and not before; never so that the other one has fewer then."""
    share = FairShare(8)
    assert share.hand_over("a") is None
    assert [admitted(share, name) for name in ("a", "b", "c", "d", "e")] == [4, 2, 1, 1, 0]
    assert [share.hand_over("e"), share.hand_over("f"), share.hand_over("e")] == ["a", "a", None]
    assert share.count == 8
    assert share.hand_over("b") is None
    for name in ("a", "a", "b", "b", "c", "d", "e", "f"):
        share.leave(name)
    assert (share.count, dict(share._of)) == (0, {})
