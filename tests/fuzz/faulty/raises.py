"""A decoder that meets an exception which it does not document."""

from __future__ import annotations


def target(data: bytes) -> None:
    if data[:2] == b"\xff\x80":
        raise KeyError("not one of our errors")
