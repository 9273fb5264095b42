"""What an answer of an upstream server is held against."""

from __future__ import annotations

from duoproxy.net.radius_reply_check import AskedServer


def test_the_shared_secret_does_not_show() -> None:
    """No format can contain it."""
    asked = AskedServer(0, "10.0.0.5:1812", b"s3cret of the server", bytes(16), "secret")
    assert "s3cret" not in f"{asked!r} {asked}"
