"""Near misses of names."""

from __future__ import annotations

import pytest

from duoproxy.config.near import NEAR, distance, nearest


@pytest.mark.parametrize(
    ("left", "right", "steps"),
    [
        ("failmode", "failmode", 0),
        ("failmod", "failmode", 1),
        ("fialmode", "failmode", 1),
        ("fail_mode", "failmode", 1),
        ("fail_moed", "failmode", 2),
        ("", "ab", 2),
        ("failmode", "factors", NEAR + 1),
        ("a", "abcdef", NEAR + 1),
    ],
)
def test_distance_counts_edits_and_swaps(left: str, right: str, steps: int) -> None:
    """One step is an insertion, deletion, substitution or swap of neighbours."""
    assert distance(left, right) == steps
    assert distance(right, left) == steps


def test_nearest_comes_first() -> None:
    """Of several near names the nearest is the first to be suggested."""
    assert nearest("prt", ["part12", "ports", "port"]) == ["port", "ports"]


def test_very_long_name_is_near_to_nothing() -> None:
    """Long names are not compared: that would cost time and help nobody."""
    assert nearest("a" * 65, ["a" * 65]) == []
