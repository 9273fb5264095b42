"""Showing the value of an attribute in a debug log: no secret in the clear, no line that a user can forge.

Owns the text form of values. A value that does not have the size of its type is shown as octets: such an attribute is
invalid, but no reason to complain.

Source: RFC 2865 §5 (types), RFC 2868 §3 (tags), RFC 3162 §2 and RFC 8044 §3 (IPv6), RFC 6929 §2.8 (invalid attributes).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from duoproxy.radius.attributes import AttributeId
from duoproxy.radius.definitions import AttributeDefinition, Encryption
from duoproxy.secret import MASK

MAX_SHOWN_OCTETS = 128

# Not hidden by a cipher of RADIUS, and yet what someone could guess a password from, or use as one.
_SECRETS = frozenset({"password", "passwd", "chap", "chap2", "digest", "key", "secret", "pin"})
# By number too: an administrator's dictionary may give them other names.
_SECRET_NUMBERS = frozenset({AttributeId(0, number) for number in (2, 3, 60, 69, 70)})
_SECRET_NUMBERS |= {AttributeId(311, number) for number in (1, 3, 4, 5, 6, 11, 12, 16, 17, 19, 20, 25, 26, 27)}
# MS-CHAP-Error and -Domain: named as a credential is, and the words of a refusal and a name.
_NO_SECRETS = frozenset({AttributeId(311, 2), AttributeId(311, 10)})
_SIZES = {"integer": 4, "date": 4, "signed": 4, "byte": 1, "short": 2, "integer64": 8}
_SIZES |= {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8}


def is_secret(definition: AttributeDefinition) -> bool:
    """Tell whether a value must not be shown: it is hidden on the wire, or its name or number is a credential's."""
    if definition.encrypt is not Encryption.NONE or definition.attribute_id in _SECRET_NUMBERS:
        return True
    return definition.attribute_id not in _NO_SECRETS and not _SECRETS.isdisjoint(definition.name.casefold().split("-"))


def shown(definition: AttributeDefinition, value: bytes) -> str:
    """Show one value on one line; a secret becomes five asterisks.

    Args:
        definition: of the attribute.
        value: its octets, of any size.
    """
    if is_secret(definition):
        return MASK
    tag = ""
    if definition.has_tag and value and _is_tag(definition, value[0]):
        tag = f"[tag {value[0]}] " if value[0] else ""
        # RFC 2868 §3.1: the tag takes the first of the four octets of a number.
        value = (b"\0" if definition.data_type == "integer" else b"") + value[1:]
    show = _SHOW.get(definition.data_type)
    text = show(value) if show is not None else None
    if text is None and definition.data_type in _SIZES and len(value) == _SIZES[definition.data_type]:
        text = _shown_number(int.from_bytes(value, "big", signed=definition.data_type == "signed"), definition.values)
    return tag + (_shown_octets(value) if text is None else text)


def _is_tag(definition: AttributeDefinition, octet: int) -> bool:
    return octet <= 0x1F or definition.data_type == "integer"


def _shown_number(number: int, values: Mapping[int, str]) -> str:
    return f"{values[number]} ({number})" if number in values else str(number)


def _shown_octets(value: bytes) -> str:
    cut = value[:MAX_SHOWN_OCTETS]
    rest = f"… ({len(value)} octets)" if len(cut) < len(value) else ""
    return (f"0x{cut.hex()}" if cut else "(empty)") + rest


def _shown_text(value: bytes) -> str:
    """Text between quotes; whatever could break or colour a line is escaped."""
    cut = value[:MAX_SHOWN_OCTETS].decode("utf-8", "backslashreplace")
    rest = f"… ({len(value)} octets)" if len(value) > MAX_SHOWN_OCTETS else ""
    quoted = "".join(_escaped(character) for character in cut)
    return f'"{quoted}"{rest}'


def _escaped(character: str) -> str:
    if character in '"\\' or not character.isprintable():
        return character.encode("unicode_escape").decode() if character not in '"\\' else "\\" + character
    return character


def _shown_address(size: int) -> Callable[[bytes], str | None]:
    def show(value: bytes) -> str | None:
        return str(ipaddress.ip_address(value)) if len(value) == size else None

    return show


def _shown_any_address(value: bytes) -> str | None:
    return str(ipaddress.ip_address(value)) if len(value) in (4, 16) else None


def _shown_ipv6_prefix(value: bytes) -> str | None:
    if not 2 <= len(value) <= 18 or value[1] > 128:
        return None
    return f"{ipaddress.IPv6Address(value[2:].ljust(16, bytes(1)))}/{value[1]}"


def _shown_date(value: bytes) -> str | None:
    if len(value) != 4:
        return None
    return datetime.fromtimestamp(int.from_bytes(value, "big"), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_SHOW: dict[str, Callable[[bytes], str | None]] = {
    "string": _shown_text,
    "text": _shown_text,
    "ipaddr": _shown_address(4),
    "ipv6addr": _shown_address(16),
    "combo-ip": _shown_any_address,
    "ipv6prefix": _shown_ipv6_prefix,
    "date": _shown_date,
}
