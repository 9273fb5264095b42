"""Lines that others can provoke: one per interval and key, the rest counted, the memory bounded."""

from __future__ import annotations

from duoproxy.net.log_limit import LogLimit


def test_the_first_line_passes_and_the_next_is_held_back_and_counted():
    """One line a second; the next one that passes says how many were dropped."""
    limit = LogLimit(1.0)
    assert limit.passes("a", 100.0) == 0
    assert limit.passes("a", 100.2) is None
    assert limit.passes("a", 100.9) is None
    assert limit.passes("a", 101.0) == 2
    assert limit.passes("a", 102.5) == 0


def test_each_key_has_its_own_interval():
    """A noisy device does not silence the line about another one."""
    limit = LogLimit(60.0)
    assert limit.passes("a", 0.0) == 0
    assert limit.passes("b", 1.0) == 0
    assert limit.passes("a", 2.0) is None


def test_more_keys_than_can_be_remembered_share_one_interval():
    """The table of keys is bounded: a flood of addresses gives no more lines than the bound."""
    limit = LogLimit(60.0, max_keys=4)
    passed = [limit.passes(number, 0.0) for number in range(1000)]
    assert sum(each is not None for each in passed) == 5
    assert len(limit._written) <= 5


def test_keys_whose_interval_is_over_make_room():
    """A full table forgets what is old."""
    limit = LogLimit(60.0, max_keys=2)
    for key in ("a", "b"):
        assert limit.passes(key, 0.0) == 0
    assert limit.passes("c", 60.0) == 0
    assert limit.passes("d", 60.0) == 0
    assert limit.passes("c", 61.0) is None
