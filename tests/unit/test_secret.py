"""Secret as a key: HMAC-MD5 whose key is prepared once."""

from __future__ import annotations

import hmac

import pytest

from duoproxy.secret import Secret


@pytest.mark.parametrize(
    ("key", "message", "digest"),
    [
        (b"\x0b" * 16, b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d"),
        (b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
        (b"\xaa" * 16, b"\xdd" * 50, "56be34521d144c88dbb8c733f0e8b3f6"),
        (
            b"\xaa" * 80,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
        ),
    ],
)
def test_the_vectors_of_hmac_md5(key: bytes, message: bytes, digest: str) -> None:
    """RFC 2202 §2: cases 1, 2, 3 and 6."""
    assert Secret(key).hmac_md5(message).hex() == digest


def test_one_secret_signs_many_messages() -> None:
    """What is kept of the key is not changed by a message; keys below, of and above a block (RFC 2104 §2)."""
    for size in (0, 1, 63, 64, 65, 200):
        key = bytes(range(size))
        secret = Secret(key)
        for message in (b"", b"a", bytes(300), b"a"):
            assert secret.hmac_md5(message) == hmac.digest(key, message, "md5")


def test_a_secret_that_has_signed_is_as_closed_as_before() -> None:
    """It equals the same secret, prints as asterisks, and cannot be pickled or copied."""
    secret = Secret("opensesame")
    secret.hmac_md5(b"message")
    assert secret == Secret("opensesame")
    assert f"{secret!r} {secret}" == "Secret(*****) *****"
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        secret.__reduce_ex__(4)
