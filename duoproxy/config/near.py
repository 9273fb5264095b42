"""Near misses: which known name may have been meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NEAR: Final = 2
"""Insertions, deletions, substitutions and swaps of neighbours up to which a name is a near miss."""
MAX_NAME_CHARS: Final = 64
"""Longer names are near to nothing."""


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """List the known names within `NEAR` of `name`, the nearest first."""
    if len(name) > MAX_NAME_CHARS:
        return []
    distances = {candidate: distance(name, candidate) for candidate in known}
    near = [candidate for candidate, steps in distances.items() if steps <= NEAR]
    return sorted(near, key=lambda candidate: distances[candidate])


def distance(left: str, right: str) -> int:
    """Count the steps (as in `NEAR`) from one name to the other; more than `NEAR` is told as `NEAR + 1`.

    This is the optimal string alignment distance: no part is changed twice.
    """
    if abs(len(left) - len(right)) > NEAR:
        return NEAR + 1
    before_last: list[int] = []
    last = list(range(len(right) + 1))
    for row, left_char in enumerate(left, start=1):
        current = [row]
        for column, right_char in enumerate(right, start=1):
            steps = min(last[column] + 1, current[-1] + 1, last[column - 1] + (left_char != right_char))
            if row > 1 and column > 1 and left_char == right[column - 2] and left[row - 2] == right_char:
                steps = min(steps, before_last[column - 2] + 1)
            current.append(steps)
        if min(current) > NEAR:
            return NEAR + 1
        before_last, last = last, current
    return min(last[-1], NEAR + 1)
