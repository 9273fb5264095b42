"""How RADIUS hides single values: User-Password, and salted values (Tunnel-Password, MS-MPPE keys).

Owns both ciphers and nothing else: which attribute is hidden in which way is the dictionary's knowledge.

Source: RFC 2865 §5.2, RFC 2868 §3.5, RFC 2548 §2.4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import md5

from duoproxy.errors import Disposition, RemoteProtocolError

BLOCK_BYTES = 16
MAX_PASSWORD_BYTES = 128
SALT_BYTES = 2
MAX_SALTED_PLAIN_BYTES = 239
"""One octet of length and this much fill the fifteen blocks that fit into a vendor attribute."""


def hide_password(password: bytes, secret: bytes, request_authenticator: bytes) -> bytes:
    """Hide a User-Password.

    Args:
        password: 0 to 128 octets; an empty one becomes one block.
        secret: the shared secret.
        request_authenticator: 16 octets.

    Returns:
        16 to 128 octets.

    Raises:
        ValueError: more than 128 octets, or octets that end in NUL: the other side could not get them back.

    Source: RFC 2865 §5.2.
    """
    size = len(password)
    if size > MAX_PASSWORD_BYTES:
        raise ValueError(f"User-Password takes at most {MAX_PASSWORD_BYTES} octets, not {size}")
    if password.endswith(b"\0"):
        raise ValueError("User-Password cannot end in NUL")
    return _encrypt(password, secret, request_authenticator)


def reveal_password(hidden: bytes, secret: bytes, request_authenticator: bytes) -> bytes:
    """Get back what `hide_password` hid; only NULs at the end are padding.

    With a wrong secret the result is garbage: nothing in the cipher can tell.

    Raises:
        RemoteProtocolError: REJECT: empty, over 128 octets, or no multiple of 16.

    Source: RFC 2865 §5.2.
    """
    _check_hidden_password(hidden)
    return _decrypt(hidden, secret, request_authenticator).rstrip(b"\0")


def rehide_password(
    hidden: bytes, secret: bytes, request_authenticator: bytes, new_secret: bytes, new_request_authenticator: bytes
) -> bytes:
    """Hide for another hop what `hide_password` hid (MS-CHAP-MPPE-Keys is hidden so, too); NULs at the end stay.

    Raises:
        RemoteProtocolError: REJECT: as `reveal_password`.

    Source: RFC 2865 §5.2, RFC 2548 §2.4.1.
    """
    _check_hidden_password(hidden)
    return _encrypt(_decrypt(hidden, secret, request_authenticator), new_secret, new_request_authenticator)


def distinct_salts(count: int, random_bytes: Callable[[int], bytes]) -> Iterator[bytes]:
    """Give up to `count` (at most 32,768) salts, no two alike, each with its top bit set, as one packet needs them.

    Source: RFC 2548 §2.4.2, RFC 2868 §3.5.
    """
    start = int.from_bytes(random_bytes(SALT_BYTES), "big")
    return ((start + number & 0x7FFF | 0x8000).to_bytes(SALT_BYTES, "big") for number in range(count))


def encrypt_salted(plain: bytes, secret: bytes, request_authenticator: bytes, salt: bytes) -> bytes:
    """Encrypt a key or tunnel password.

    Args:
        plain: 0 to 239 octets.
        secret: the shared secret.
        request_authenticator: 16 octets, of the request that the packet answers.
        salt: 2 octets, the top bit of the first set; different in each attribute of a packet.

    Returns:
        salt, then blocks that hide a length octet, `plain` and NULs.

    Raises:
        ValueError: `plain` is too long, or `salt` is not such a salt.

    Source: RFC 2548 §2.4.2, RFC 2868 §3.5.
    """
    if len(plain) > MAX_SALTED_PLAIN_BYTES:
        raise ValueError(f"a salted value takes at most {MAX_SALTED_PLAIN_BYTES} octets, not {len(plain)}")
    if len(salt) != SALT_BYTES or salt[0] < 0x80:
        raise ValueError("a salt has 2 octets, and the top bit of the first is set")
    return salt + _encrypt(bytes((len(plain),)) + plain, secret, request_authenticator + salt)


def decrypt_salted(value: bytes, secret: bytes, request_authenticator: bytes) -> bytes:
    """Get back what `encrypt_salted` encrypted; a salt without its top bit is taken too.

    Raises:
        RemoteProtocolError: DISCARD: no salt with whole blocks, or a length octet that points past them (as a wrong
            secret mostly makes it).

    Source: RFC 2548 §2.4.2, RFC 2868 §3.5.
    """
    size = len(value) - SALT_BYTES
    if size < BLOCK_BYTES or size % BLOCK_BYTES:
        raise RemoteProtocolError(f"a salted value has {len(value)} octets, not 2 and a multiple of 16")
    plain = _decrypt(value[SALT_BYTES:], secret, request_authenticator + value[:SALT_BYTES])
    length = plain[0]
    if length >= size:
        raise RemoteProtocolError("the length inside a salted value points past its end")
    return plain[1 : 1 + length]


def _check_hidden_password(hidden: bytes) -> None:
    size = len(hidden)
    if size == 0 or size > MAX_PASSWORD_BYTES or size % BLOCK_BYTES:
        raise RemoteProtocolError(
            f"User-Password has {size} octets, not a multiple of 16 from 16 to {MAX_PASSWORD_BYTES}",
            Disposition.REJECT,
        )


def _encrypt(plain: bytes, secret: bytes, first_vector: bytes) -> bytes:
    """XOR each block with MD5(secret + the cipher block before it); always at least one block."""
    plain += bytes(-len(plain) % BLOCK_BYTES or (0 if plain else BLOCK_BYTES))
    vector = first_vector
    blocks = []
    for at in range(0, len(plain), BLOCK_BYTES):
        pad = md5(secret + vector, usedforsecurity=False).digest()
        vector = _xor(plain[at : at + BLOCK_BYTES], pad)
        blocks.append(vector)
    return b"".join(blocks)


def _decrypt(hidden: bytes, secret: bytes, first_vector: bytes) -> bytes:
    """Undo `_encrypt`; the padding stays."""
    vector = first_vector
    blocks = []
    for at in range(0, len(hidden), BLOCK_BYTES):
        pad = md5(secret + vector, usedforsecurity=False).digest()
        vector = hidden[at : at + BLOCK_BYTES]
        blocks.append(_xor(vector, pad))
    return b"".join(blocks)


def _xor(left: bytes, right: bytes) -> bytes:
    """XOR two blocks of 16 octets, as two numbers: quicker than octet by octet."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(BLOCK_BYTES, "big")
