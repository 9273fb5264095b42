"""User-Password and salted values: octets or an error, and what was revealed can be hidden again."""

from __future__ import annotations

from hashlib import md5

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.radius.hiding import decrypt_salted, encrypt_salted, hide_password, reveal_password

SECRET = b"xyzzy5461"


def target(data: bytes) -> None:
    authenticator, value = data[:16].ljust(16, b"\0"), data[16:]
    try:
        password = reveal_password(value, SECRET, authenticator)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.REJECT
    else:
        assert len(password) <= len(value) <= 128
        hidden = hide_password(password, SECRET, authenticator)
        assert value.startswith(hidden[: len(password) // 16 * 16])
        assert reveal_password(hidden, SECRET, authenticator) == password
    try:
        plain = decrypt_salted(value, SECRET, authenticator)
    except RemoteProtocolError as error:
        assert error.disposition is Disposition.DISCARD
    else:
        _salted_again(plain, value, authenticator)
    if len(value) <= 239:
        # Octets that are decrypted seldom begin with a length that fits.
        assert decrypt_salted(encrypt_salted(value, SECRET, authenticator, b"\x80\x01"), SECRET, authenticator) == value


def _salted_again(plain: bytes, value: bytes, authenticator: bytes) -> None:
    # RFC 2868 §3.5: the first octet that is hidden tells the length.
    assert len(plain) == value[2] ^ md5(SECRET + authenticator + value[:2]).digest()[0]
    if len(plain) <= 239:
        again = encrypt_salted(plain, SECRET, authenticator, b"\x80\x00")
        assert decrypt_salted(again, SECRET, authenticator) == plain
