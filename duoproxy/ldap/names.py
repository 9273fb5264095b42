"""Names in a directory: how values are escaped in DNs, how DNs compare, what users type for a name.

Owns the comparison of DNs, and of users' names, that two sides spell differently. It knows no schema: every naming
attribute is compared as a directory compares names of people and folders, without case and without superfluous blanks.
Nothing is escaped for filters: they are made without text (`duoproxy.net.ldap_filters`).

Source: RFC 4514, RFC 4518 §2.
"""

from __future__ import annotations

import re
import unicodedata

from attrs import frozen

_DN_SPECIAL = re.compile(r'["+,;<>\\]')
_DN_UNPRINTABLE = re.compile(r"[\0-\x1f\x7f\udc80-\udcff]")

# Quantifiers are possessive: nothing is tried twice, whatever the text.
_TYPE = r" *+(?:OID\.|oid\.)?([A-Za-z][A-Za-z0-9-]*+|[0-9]++(?:\.[0-9]++)++) *+= *+"
_VALUE = r"""(#[0-9A-Fa-f]++ *+|(?!#)(?:[^"+,;<>\\\0]|\\[0-9A-Fa-f]{2}|\\[ "#+,;<=>\\])*+)"""
_PART = re.compile(_TYPE + _VALUE + r"([,+]|\Z)")
_ESCAPE = re.compile(rb'\\([0-9A-Fa-f]{2}|[ "#+,;<=>\\])')
_STRING_TAGS = frozenset({0x04, 0x0C, 0x13, 0x16})
"""OCTET STRING, UTF8String, PrintableString, IA5String: what a `#` value of a name holds."""

# Source: RFC 4514 §3, with the long names of RFC 4519.
_SHORT_TYPES = {
    "2.5.4.3": "cn",
    "commonname": "cn",
    "2.5.4.7": "l",
    "localityname": "l",
    "2.5.4.8": "st",
    "stateorprovincename": "st",
    "2.5.4.10": "o",
    "organizationname": "o",
    "2.5.4.11": "ou",
    "organizationalunitname": "ou",
    "2.5.4.6": "c",
    "countryname": "c",
    "2.5.4.9": "street",
    "streetaddress": "street",
    "0.9.2342.19200300.100.1.25": "dc",
    "domaincomponent": "dc",
    "0.9.2342.19200300.100.1.1": "uid",
    "userid": "uid",
}

RelativeName = tuple[tuple[str, str], ...]
"""One RDN: attribute types (short, lower case) with their values as spelled, escapes undone."""


def escape_dn_value(value: str | bytes) -> str:
    r"""Escape an attribute value for a DN.

    The special characters, a leading `#` or blank and a last blank get a backslash; control characters and octets that
    are no UTF-8 become hex pairs, so that a DN stays on one line of a log.

    Source: RFC 4514 §2.4.
    """
    text = _DN_SPECIAL.sub(r"\\\g<0>", _as_text(value))
    if text.endswith(" "):
        text = text[:-1] + "\\ "
    if text.startswith(("#", " ")):
        text = "\\" + text
    return _DN_UNPRINTABLE.sub(_as_hex_pair, text)


def _as_hex_pair(match: re.Match[str]) -> str:
    """Write one character of less than 0x80, or one octet that `surrogateescape` kept, as a hex pair."""
    return f"\\{ord(match[0]) & 0xFF:02x}"


def _as_text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def parse_dn(dn: str | bytes) -> tuple[RelativeName, ...] | None:
    """Read a DN, first RDN first; None when it is no DN. The empty text is the empty DN.

    Blanks around separators are taken, as the older RFC 2253 §4 wanted; its quoted values and `;` are not.

    Source: RFC 4514 §3.
    """
    text = _as_text(dn)
    if not text.strip(" "):
        return ()
    names: list[RelativeName] = []
    parts: list[tuple[str, str]] = []
    at = 0
    while (part := _PART.match(text, at)) is not None:
        value = _decode_hex_value(part[2]) if part[2].startswith("#") else _unescape(part[2])
        if value is None:
            return None
        parts.append((_short_type(part[1]), value))
        at = part.end()
        if part[3] != "+":
            names.append(tuple(parts))
            parts = []
        if not part[3]:
            return tuple(names)
    return None


def _short_type(spelled: str) -> str:
    folded = spelled.lower()
    return _SHORT_TYPES.get(folded, folded)


def _unescape(spelled: str) -> str:
    """Undo the escapes of a value, and cut the blanks behind it that belong to no escape."""
    kept = spelled.rstrip(" ")
    backslashes = len(kept) - len(kept.rstrip("\\"))
    if backslashes % 2:
        kept += " "
    return _ESCAPE.sub(_escaped_octet, kept.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _escaped_octet(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode("ascii")) if len(match[1]) == 2 else match[1]


def _decode_hex_value(spelled: str) -> str | None:
    """Read `#` and the BER of a string in hex; None for what is no short string."""
    digits = spelled[1:].rstrip(" ")
    octets = bytes.fromhex(digits) if len(digits) % 2 == 0 else b""
    if len(octets) < 2 or octets[0] not in _STRING_TAGS or octets[1] != len(octets) - 2 or octets[1] >= 0x80:
        return None
    return octets[2:].decode("utf-8", "surrogateescape")


def same_dn(first: str | bytes, second: str | bytes) -> bool:
    """Tell whether two spellings mean the same entry.

    Types and values compare without case, in Unicode's compatible form, with blanks collapsed; the parts of one RDN in
    any order. Where one of them is no DN, the octets decide.

    Source: RFC 4514 §2 to §3, RFC 4517 §4.2.15, RFC 4518 §2.
    """
    if _as_text(first) == _as_text(second):
        return True
    names = parse_dn(first), parse_dn(second)
    if names[0] is None or names[1] is None:
        return False
    return _prepare_dn(names[0]) == _prepare_dn(names[1])


def is_at_or_below(dn: str | bytes, top: str | bytes) -> bool:
    """Tell whether an entry is `top` or stands somewhere below it; False when one of them is no DN.

    Everything stands below the empty DN. Spellings compare as in `same_dn`.

    Source: RFC 4514 §2.1 (the last RDN is the topmost), RFC 4517 §4.2.15.
    """
    names, top_names = parse_dn(dn), parse_dn(top)
    if names is None or top_names is None or len(names) < len(top_names):
        return False
    return _prepare_dn(names[len(names) - len(top_names) :]) == _prepare_dn(top_names)


def _prepare_dn(names: tuple[RelativeName, ...]) -> list[frozenset[tuple[str, str]]]:
    return [frozenset((kind, _prepare(value)) for kind, value in parts) for parts in names]


def _prepare(value: str) -> str:
    """Bring a value into the form in which it is compared. Source: RFC 4518 §2.2, §2.3, §2.6.1."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
    return " ".join(folded.split())


def same_letters(first: str, second: str) -> bool:
    """Tell whether two names are the same but for the case of their letters.

    Directories go further (`ß` is `ss`, a ligature its two letters, the Kelvin sign is `k`); Duo does not, and would
    be asked about a stranger. So a letter equals only the one that it is the capital or the small form of.
    """
    return len(first) == len(second) and all(map(_is_same_letter, first, second))


def _is_same_letter(first: str, second: str) -> bool:
    return first == second or (first.lower() == second.lower() and first.upper() == second.upper())


def looks_like_dn(text: str) -> bool:
    """Tell whether an administrator who wrote `text` for a name means a DN."""
    return bool(parse_dn(text))


def dns_domain_of(search_dn: str | bytes) -> str:
    """Give the DNS domain that the DC= parts at the end of a DN spell, as `corp.example.test`; empty for none.

    Source: RFC 2247.
    """
    labels: list[str] = []
    for parts in reversed(parse_dn(search_dn) or ()):
        if len(parts) != 1 or parts[0][0] != "dc":
            break
        labels.append(parts[0][1])
    return ".".join(reversed(labels))


@frozen
class UserName:
    """A name as users and devices send it.

    Attributes:
        local: the name without its domain.
        netbios_domain: what stood before a backslash; empty for none.
        upn_suffix: what stood behind the last `@`; empty for none, and with a `netbios_domain`.
    """

    local: str
    netbios_domain: str = ""
    upn_suffix: str = ""


def split_username(submitted: str) -> UserName:
    r"""Split `CORP\alice`, `alice@corp.example.test` or `alice`; where a side would be empty, nothing is split."""
    domain, backslash, local = submitted.partition("\\")
    if backslash:
        return UserName(local, netbios_domain=domain) if domain and local else UserName(submitted)
    local, at_sign, suffix = submitted.rpartition("@")
    if at_sign and local and suffix:
        return UserName(local, upn_suffix=suffix)
    return UserName(submitted)
