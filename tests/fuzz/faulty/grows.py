"""A decoder that keeps what it gets."""

from __future__ import annotations

_kept: list[bytes] = []


def target(data: bytes) -> None:
    _kept.append(bytes(1 << 20))
