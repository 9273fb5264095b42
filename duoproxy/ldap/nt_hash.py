"""The NT hash of a password, which NTLM computes with instead of the password itself.

Owns MD4: OpenSSL 3 has put it away among what is switched off. Nothing but NTLM should be built on it.

Source: RFC 1320; MS-NLMP §3.3.1 (NTOWFv1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from duoproxy.secret import Secret

BLOCK_BYTES: Final = 64

_MASK: Final = 0xFFFFFFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_Mix = Callable[[int, int, int], int]
_ROUNDS: Final[tuple[tuple[_Mix, int, tuple[int, ...], tuple[int, ...]], ...]] = (
    (lambda x, y, z: (x & y) | (~x & z), 0, tuple(range(16)), (3, 7, 11, 19)),
    (
        lambda x, y, z: (x & y) | (x & z) | (y & z),
        0x5A827999,
        (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        (3, 5, 9, 13),
    ),
    (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)
"""Of each round: how three words are mixed, what is added, the order of the words of a block, the rotations."""


def nt_hash(password: Secret) -> Secret:
    """Give the NT hash of a password, 16 octets; whoever has it can log in with NTLM, so it is as secret.

    Raises:
        UnicodeError: the password is no Unicode text.

    Source: MS-NLMP §3.3.1.
    """
    return Secret(md4(password.reveal_text().encode("utf-16-le")))


def md4(octets: bytes) -> bytes:
    """Give the MD4 digest, 16 octets. Source: RFC 1320 §3."""
    padded = octets + b"\x80" + bytes(-(len(octets) + 9) % BLOCK_BYTES) + struct.pack("<Q", 8 * len(octets))
    state = _START
    for words in struct.iter_unpack("<16I", padded):
        state = _with_block(state, words)
    return struct.pack("<4I", *state)


def _with_block(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Source: RFC 1320 §3.4."""
    a, b, c, d = state
    for mix, constant, order, rotations in _ROUNDS:
        for step, word in enumerate(order):
            total = (a + mix(b, c, d) + words[word] + constant) & _MASK
            left = rotations[step % 4]
            a, b, c, d = d, (total << left | total >> (32 - left)) & _MASK, b, c
    return (state[0] + a) & _MASK, (state[1] + b) & _MASK, (state[2] + c) & _MASK, (state[3] + d) & _MASK
