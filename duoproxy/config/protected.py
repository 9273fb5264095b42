"""`_protected` values: secrets that stand encrypted in the configuration, and the key that opens them.

A value is `v1:KEY_ID:DATA`: AES-256-GCM under a key that stands in a file of its own or in a systemd credential, never
in the configuration. That protects a configuration that is copied, shown or saved without its key; it protects nothing
from root and from the account of the service, who can read both. A value is bound to its version and key, not to an
option: who may write into the file could write any secret there anyway.

Source: NIST SP 800-38D (GCM).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from duoproxy.errors import DuoproxyError
from duoproxy.secret import Secret

KEY_FILE_NAME: Final = "protection.key"
"""Stands beside the configuration file."""
CREDENTIAL_NAME: Final = "duoauthproxy-protection-key"
"""The systemd credential that may hold the same."""
RUNNING_CREDENTIALS: Final = Path("/run/credentials/duoauthproxy.service")
"""Where systemd keeps the credentials of the running service; root may read them."""
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEY_ID_CHARACTERS: Final = 8
MAX_KEYS: Final = 16
"""Keys of one file: the one that values are made with, and older ones until all values are made anew."""
MAX_KEY_FILE_BYTES: Final = 4096
"""The longest key file."""

_VERSION: Final = "v1"
_VALUE: Final = re.compile(r"v1:(?P<key>[0-9a-f]{8}):(?P<data>[A-Za-z0-9_-]+={0,2})")
_OTHER_VERSION: Final = re.compile(r"v[0-9]{1,3}:.*", re.DOTALL)
_KEY_LINE: Final = re.compile(r"v1:(?P<key>[A-Za-z0-9_-]{43}=)")


class ProtectionFault(DuoproxyError):
    """A protected value or a key cannot be used.

    Attributes:
        what: one clause: what is wrong.
        remedy: one clause that begins with a verb.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}. {remedy}.")
        self.what = what
        self.remedy = remedy


@frozen(repr=False)
class ProtectionKey:
    """A key.

    Attributes:
        octets: 32 octets.
    """

    octets: bytes = field()

    @octets.validator
    def _check(self, _attribute: object, value: bytes) -> None:
        if len(value) != KEY_BYTES:
            raise ValueError(f"a protection key has {KEY_BYTES} octets")

    @property
    def id(self) -> str:
        """What values are marked with, to find their key; it tells nothing of the key."""
        return hashlib.sha256(b"duoproxy protection key id\0" + self.octets).hexdigest()[:KEY_ID_CHARACTERS]

    def line(self) -> str:
        """Write it as it stands in a key file."""
        return f"{_VERSION}:{base64.urlsafe_b64encode(self.octets).decode()}"


def read_keys(content: bytes, source: str) -> tuple[ProtectionKey, ...]:
    """Read a key file: one key a line, the one that new values are made with first; lines with # are comments.

    Args:
        content: of the file.
        source: the file, for the fault.

    Raises:
        ProtectionFault: it holds no key, or something else.
    """
    lines = [line.strip() for line in content.decode("ascii", "replace").splitlines()]
    found = [_KEY_LINE.fullmatch(line) for line in lines if line and not line.startswith("#")]
    if not found or None in found or len(found) > MAX_KEYS or len(content) > MAX_KEY_FILE_BYTES:
        remedy = "Put the file back as it was made; without it its values have to be made again with authproxy_passwd"
        raise ProtectionFault(f"{source} is no key file of authproxy_passwd", remedy)
    return tuple(ProtectionKey(base64.urlsafe_b64decode(line["key"])) for line in found if line is not None)


def protect(secret: Secret, key: ProtectionKey, nonce: bytes) -> str:
    """Encrypt a secret.

    Args:
        secret: what to hide.
        key: with which key.
        nonce: 12 random octets, used once.
    """
    head = f"{_VERSION}:{key.id}:"
    sealed = nonce + AESGCM(key.octets).encrypt(nonce, secret.reveal(), head.encode())
    return head + base64.urlsafe_b64encode(sealed).decode()


def unprotect(text: str, keys: Sequence[ProtectionKey], source: str) -> Secret:
    """Decrypt a value.

    Args:
        text: the value as it stands in the configuration.
        keys: those that there are.
        source: where they come from, for the fault.

    Raises:
        ProtectionFault: it is none of ours, was changed, or its key is not there.
    """
    value = _VALUE.fullmatch(text)
    if value is None:
        raise unreadable(text)
    key = next((one for one in keys if one.id == value["key"]), None)
    if key is None:
        what = f"it was made with the key {value['key']}, which is not in {source}"
        raise ProtectionFault(what, "Put the key file back that it was made with, or make it again: authproxy_passwd")
    try:
        sealed = base64.urlsafe_b64decode(value["data"])
        head = f"{_VERSION}:{key.id}:".encode()
        return Secret(AESGCM(key.octets).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], head))
    except (InvalidTag, ValueError, binascii.Error):
        raise ProtectionFault("it is not complete, or was changed", _MAKE_AGAIN) from None


_MAKE_AGAIN: Final = "Make it again with authproxy_passwd"


def is_protected_value(text: str) -> bool:
    """Tell whether a text has the form of a value that this version makes."""
    return _VALUE.fullmatch(text) is not None


def unreadable(text: str) -> ProtectionFault:
    """Say why a text is no value of this version."""
    if text.startswith(f"{_VERSION}:"):
        return ProtectionFault("it is not complete, or was changed", _MAKE_AGAIN)
    if _OTHER_VERSION.fullmatch(text):
        return ProtectionFault("it was made by another version of duoproxy", _MAKE_AGAIN)
    what = "the value is encrypted by the Windows machine that made it and cannot be read here"
    return ProtectionFault(what, "Make one here with authproxy_passwd, and write it in its place")


def key_file_beside(configuration_folder: Path) -> Path:
    """Give the place of the key file."""
    return configuration_folder / KEY_FILE_NAME
