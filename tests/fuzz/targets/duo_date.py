"""The Date header of Duo's answer: a time or None; and the times that we write ourselves come back."""

from __future__ import annotations

import math
from email.utils import formatdate

from duoproxy.duoapi.clock import read_date

WORDS = (
    *(b"Mon, ", b"Sun, ", b"21 Sep 2026 ", b"12:30:00 ", b"GMT", b"-0000", b"+0530", b" EST", b"Jan", b"dec "),
    *(b"2026-09-21T12:30:00Z", b"99999999999", b"(", b",", b":", b"."),
)


def target(data: bytes) -> None:
    # As Twisted gives a header: octets that are no UTF-8 are replaced.
    time_s = read_date(data.decode("utf-8", "replace"))
    if time_s is not None:
        assert math.isfinite(time_s)
        assert formatdate(time_s), "a request that carries this time can be made"
    whole_s = int.from_bytes(data[:4], "big")
    assert read_date(formatdate(whole_s, usegmt=True)) == whole_s
