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
