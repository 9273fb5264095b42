"""A decoder that does not end."""

from __future__ import annotations


def target(data: bytes) -> None:
    while data[:1] == b"H":
        pass
