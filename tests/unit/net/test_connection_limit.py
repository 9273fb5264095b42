"""The bound on connections that wait for an answer, over all sections."""

from __future__ import annotations

from attrs import define

from duoproxy.net.connection_limit import ConnectionLimit


@define(eq=False)
class Section:
    in_use_count: int


def test_sections_fill_one_bound_together() -> None:
    """The descriptors of a process are shared, so their bound is."""
    limit = ConnectionLimit(5)
    one, other = Section(2), Section(2)
    limit.join(one)
    limit.join(other)
    assert not limit.is_reached
    other.in_use_count = 3
    assert limit.is_reached


def test_a_section_that_has_stopped_counts_no_more() -> None:
    """What it had in use is free for the others."""
    limit = ConnectionLimit(2)
    one = Section(2)
    limit.join(one)
    limit.leave(Section(1))
    assert limit.is_reached
    limit.leave(one)
    assert not limit.is_reached
