"""User-Password and salted values. Source: RFC 2865 §5.2, RFC 2548 §2.4.2, RFC 2868 §3.5."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.radius.hiding import (
    decrypt_salted,
    distinct_salts,
    encrypt_salted,
    hide_password,
    rehide_password,
    reveal_password,
)

SECRET = b"testing123"
AUTHENTICATOR = bytes(range(16))


@pytest.mark.parametrize("size", [1, 15, 16, 17, 32, 127, 128])
def test_password_of_every_length_comes_back(size):
    """1 to 128 octets go into the next multiple of 16."""
    password = bytes(range(1, 1 + size))
    hidden = hide_password(password, SECRET, AUTHENTICATOR)
    assert len(hidden) == (size + 15) // 16 * 16
    assert reveal_password(hidden, SECRET, AUTHENTICATOR) == password


def test_second_block_is_chained_on_the_first_cipher_block():
    """c2 = p2 xor MD5(secret + c1)."""
    hidden = hide_password(b"a" * 17, SECRET, AUTHENTICATOR)
    pad = hashlib.md5(SECRET + hidden[:16]).digest()
    assert hidden[16:] == bytes(a ^ b for a, b in zip(b"a" + bytes(15), pad, strict=True))


def test_empty_password_is_one_block():
    """An empty password is one block of hidden NULs, and is revealed as empty."""
    hidden = hide_password(b"", SECRET, AUTHENTICATOR)
    assert len(hidden) == 16
    assert reveal_password(hidden, SECRET, AUTHENTICATOR) == b""


def test_nul_inside_a_password_stays():
    """Only NULs at the end are padding: `correct NUL junk` must not equal `correct`."""
    hidden = hide_password(b"correct\0junk", SECRET, AUTHENTICATOR)
    assert reveal_password(hidden, SECRET, AUTHENTICATOR) == b"correct\0junk"


def test_password_is_octets_of_any_encoding():
    """Blanks at the ends, Latin-1 and broken UTF-8 come back as they went."""
    for password in (b" p ", b"p\xe4ss", b"\xff\xfe", "pässwört".encode()):
        assert reveal_password(hide_password(password, SECRET, AUTHENTICATOR), SECRET, AUTHENTICATOR) == password


def test_password_over_128_octets_is_refused_not_cut():
    """What cannot be carried is an error."""
    with pytest.raises(ValueError, match="at most 128 octets, not 129"):
        hide_password(b"x" * 129, SECRET, AUTHENTICATOR)


def test_password_that_ends_in_nul_is_refused():
    """The other side would take its end for padding."""
    with pytest.raises(ValueError, match="NUL"):
        hide_password(b"password\0", SECRET, AUTHENTICATOR)


@pytest.mark.parametrize("size", [0, 1, 15, 17, 129, 144, 253])
def test_hidden_password_of_another_size_is_rejected(size):
    """A User-Password that is empty, over 128 or no multiple of 16 ends in a Reject."""
    with pytest.raises(RemoteProtocolError) as caught:
        reveal_password(bytes(size), SECRET, AUTHENTICATOR)
    assert caught.value.disposition is Disposition.REJECT


# No RFC prints octets for these; they were computed by the formula of RFC 2548 §2.4.2, and read by a second program.
MPPE_SECRET = b"s3"
MPPE_KEYS = [
    (
        bytes(range(0x40, 0x60)),
        "8001",
        "8001b4a837b225a4f6a166fb9298a706da55bd834bec91255c7160691a82790eff211cb02064aa49f074ae89adc4ea21c941",
    ),
    (
        bytes(range(0x5F, 0x3F, -1)),
        "8002",
        "800220cf4dffeb08168f73e9ca122c8fdff124ef3cee1a929d6fa60beb41ce2fe1dfd822e064787869405aa6e3940b7ae7d9",
    ),
]


@pytest.mark.parametrize(("key", "salt", "value"), MPPE_KEYS, ids=["Recv-Key", "Send-Key"])
def test_rfc_2548_2_4_2_key_is_encrypted_and_decrypted(key, salt, value):
    """RFC 2548 §2.4.2: a key of 32 octets gives a salt and 48 octets."""
    octets = bytes.fromhex(value)
    assert encrypt_salted(key, MPPE_SECRET, AUTHENTICATOR, bytes.fromhex(salt)) == octets
    assert decrypt_salted(octets, MPPE_SECRET, AUTHENTICATOR) == key


def test_salted_value_may_be_empty_or_full():
    """0 to 239 octets can be carried, and no more."""
    for size in (0, 1, 14, 15, 16, 239):
        value = encrypt_salted(bytes(size), SECRET, AUTHENTICATOR, b"\x80\x00")
        assert (len(value) - 2) % 16 == 0
        assert decrypt_salted(value, SECRET, AUTHENTICATOR) == bytes(size)
    with pytest.raises(ValueError, match="at most 239"):
        encrypt_salted(bytes(240), SECRET, AUTHENTICATOR, b"\x80\x00")


@pytest.mark.parametrize("salt", [b"", b"\x80", b"\x7f\xff", b"\x80\x00\x00"])
def test_salt_without_its_top_bit_is_not_written(salt):
    """A salt has two octets and its top bit set."""
    with pytest.raises(ValueError, match="salt"):
        encrypt_salted(b"key", SECRET, AUTHENTICATOR, salt)


@pytest.mark.parametrize("size", [0, 1, 2, 17, 19, 33])
def test_salted_value_of_another_size_is_refused(size):
    """A salted value is a salt and whole blocks."""
    with pytest.raises(RemoteProtocolError):
        decrypt_salted(bytes(size), SECRET, AUTHENTICATOR)


def test_salted_length_past_the_end_is_refused():
    """The length octet inside cannot point past the blocks."""
    value = encrypt_salted(bytes(15), SECRET, AUTHENTICATOR, b"\x80\x00")
    longer = value[:2] + bytes((value[2] ^ 15 ^ 16,)) + value[3:]
    with pytest.raises(RemoteProtocolError, match="past its end"):
        decrypt_salted(longer, SECRET, AUTHENTICATOR)


@pytest.mark.parametrize("start", [b"\x00\x00", b"\x7f\xff", b"\xff\xff"])
def test_salts_of_one_packet_differ_and_have_their_top_bit(start):
    """Each salted value of a packet has a salt of its own."""
    salts = list(distinct_salts(200, lambda size: start))
    assert len(set(salts)) == 200
    assert all(len(salt) == 2 and salt[0] & 0x80 for salt in salts)


def test_a_password_hidden_anew_keeps_its_length_and_its_nuls() -> None:
    """MS-CHAP-MPPE-Keys is 32 octets whatever its keys end in. RFC 2548 §2.4.1."""
    keys = bytes(8) + b"k" * 3 + bytes(21)
    hidden = b"".join(hide_blocks(keys, b"old", b"o" * 16))
    anew = rehide_password(hidden, b"old", b"o" * 16, b"new", b"n" * 16)
    assert anew == b"".join(hide_blocks(keys, b"new", b"n" * 16))
    with pytest.raises(RemoteProtocolError):
        rehide_password(b"17 octets, not 16", b"old", b"o" * 16, b"new", b"n" * 16)


def hide_blocks(plain: bytes, secret: bytes, request_authenticator: bytes) -> Iterator[bytes]:
    """RFC 2865 §5.2, block by block."""
    vector = request_authenticator
    for at in range(0, len(plain), 16):
        pad = hashlib.md5(secret + vector).digest()
        vector = bytes(left ^ right for left, right in zip(plain[at : at + 16], pad, strict=True))
        yield vector
