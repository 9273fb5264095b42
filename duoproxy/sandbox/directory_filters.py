"""Search filters of the stand-in directory: what they say, how they are read, and which entries they fit.

Owns how values compare: as Active Directory compares them, names and texts without case, accents and outer blanks,
which is looser than what Duo does. It knows no tree: who is whose member is asked of whoever calls.

Source: RFC 4511 §4.5.1.7; MS-ADTS §3.1.1.3.4.4 (matching rules).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from attrs import frozen

from duoproxy.errors import DuoproxyError
from duoproxy.ldap.ber import OCTET_STRING, Element, contents_of, fault, read_element, read_elements, take_element
from duoproxy.ldap.names import same_dn

MAX_FILTER_PARTS: Final = 512
MAX_FILTER_DEPTH: Final = 20

ALL_BITS: Final = "1.2.840.113556.1.4.803"
IN_CHAIN: Final = "1.2.840.113556.1.4.1941"

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _PRESENT, _RULE = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x87, 0xA9
_RULE_ID, _RULE_TYPE, _RULE_VALUE = 0x81, 0x82, 0x83
_INITIAL, _FINAL = 0x80, 0x82

_OF_OCTETS: Final = frozenset({"objectsid"})
_OF_DNS: Final = frozenset({"distinguishedname", "member", "memberof"})

Attributes = Mapping[str, Sequence[bytes]]
"""Names in lower case."""
Chain = Callable[[str, bytes, bytes], bool]
"""Whether an attribute (`member`, `memberof`) leads from a DN to another, directly or over others."""


class UnsupportedFilter(DuoproxyError):
    """A filter that this directory does not have."""


@frozen
class And:
    """All parts fit."""

    parts: tuple[Filter, ...]


@frozen
class Or:
    """One part fits."""

    parts: tuple[Filter, ...]


@frozen
class Not:
    """The part does not fit."""

    part: Filter


@frozen
class Equal:
    """One of the attribute's values is this one."""

    attribute: str
    value: bytes


@frozen
class Substrings:
    """One of the attribute's values has these parts, in this order."""

    attribute: str
    initial: bytes
    middle: tuple[bytes, ...]
    final: bytes


@frozen
class Present:
    """The attribute is there."""

    attribute: str


@frozen
class Rule:
    """A matching rule of Active Directory's holds between the attribute and the value."""

    attribute: str
    rule: str
    value: bytes


Filter = And | Or | Not | Equal | Substrings | Present | Rule


def read_filter(octets: bytes, element: Element) -> Filter:
    """Read the filter that an element of a message is.

    Raises:
        UnsupportedFilter: it compares by size or by sound, has a rule that is not known, or is too large.
        RemoteProtocolError: CLOSE: it is none.
    """
    left = [MAX_FILTER_PARTS]
    return _read(octets, element, MAX_FILTER_DEPTH, left)


def _read(octets: bytes, element: Element, depth: int, left: list[int]) -> Filter:
    left[0] -= 1
    if left[0] < 0 or depth < 0:
        raise UnsupportedFilter("the filter is too large")
    tag, at, end = element
    if tag in (_AND, _OR):
        parts = tuple(_read(octets, part, depth - 1, left) for part in read_elements(octets, at, end))
        return And(parts) if tag == _AND else Or(parts)
    if tag == _NOT:
        return Not(_read(octets, read_element(octets, at, end), depth - 1, left))
    if tag == _PRESENT:
        return Present(_name(octets, element))
    if tag == _EQUAL:
        name = take_element(octets, at, end, OCTET_STRING, "the attribute of a filter")
        value = take_element(octets, name[2], end, OCTET_STRING, "the value of a filter")
        return Equal(_name(octets, name), contents_of(octets, value))
    if tag == _SUBSTRINGS:
        return _read_substrings(octets, at, end)
    if tag == _RULE:
        return _read_rule(octets, at, end)
    if 0xA5 <= tag <= 0xA8:
        raise UnsupportedFilter("the sandbox compares neither by size nor by sound")
    raise fault(f"0x{tag:02x} is no filter")


def _read_substrings(octets: bytes, at: int, end: int) -> Substrings:
    name = take_element(octets, at, end, OCTET_STRING, "the attribute of a filter")
    attribute = _name(octets, name)
    _, at, end = read_element(octets, name[2], end)
    found = [(part[0], contents_of(octets, part)) for part in read_elements(octets, at, end)]
    initial = next((value for tag, value in found if tag == _INITIAL), b"")
    final = next((value for tag, value in found if tag == _FINAL), b"")
    return Substrings(attribute, initial, tuple(value for tag, value in found if tag not in (_INITIAL, _FINAL)), final)


def _read_rule(octets: bytes, at: int, end: int) -> Rule:
    parts = {part[0]: contents_of(octets, part) for part in read_elements(octets, at, end)}
    rule = parts.get(_RULE_ID, b"").decode("ascii", "replace")
    if rule not in (ALL_BITS, IN_CHAIN) or _RULE_TYPE not in parts:
        raise UnsupportedFilter("the sandbox does not know this matching rule")
    return Rule(parts[_RULE_TYPE].decode("ascii", "replace").lower(), rule, parts.get(_RULE_VALUE, b""))


def _name(octets: bytes, element: Element) -> str:
    return contents_of(octets, element).decode("ascii", "replace").lower()


def fits(wanted: Filter, attributes: Attributes, is_in_chain: Chain) -> bool:
    """Whether an entry fits a filter; an attribute that is not there fits nothing."""
    if isinstance(wanted, And):
        return all(fits(part, attributes, is_in_chain) for part in wanted.parts)
    if isinstance(wanted, Or):
        return any(fits(part, attributes, is_in_chain) for part in wanted.parts)
    if isinstance(wanted, Not):
        return not fits(wanted.part, attributes, is_in_chain)
    values = attributes.get(wanted.attribute, ())
    if isinstance(wanted, Present):
        return bool(values)
    if isinstance(wanted, Equal):
        return any(is_same(wanted.attribute, value, wanted.value) for value in values)
    if isinstance(wanted, Substrings):
        return any(_has_parts(fold(value), wanted) for value in values)
    if wanted.rule == IN_CHAIN:
        dns = attributes.get("distinguishedname", ())
        return any(is_in_chain(wanted.attribute, dn, wanted.value) for dn in dns)
    return _has_all_bits(values, wanted.value)


def is_same(attribute: str, first: bytes, second: bytes) -> bool:
    """Whether two values of an attribute (in lower case) are the same to this directory."""
    if attribute in _OF_OCTETS:
        return first == second
    if attribute in _OF_DNS:
        return same_dn(first, second)
    return fold(first) == fold(second)


def fold(value: bytes) -> str:
    """Bring a text into the form in which it is compared: no case, no accents, no outer blanks."""
    spread = unicodedata.normalize("NFKD", value.decode("utf-8", "surrogateescape").strip().casefold())
    return "".join(mark for mark in spread if not unicodedata.combining(mark))


def _has_parts(text: str, wanted: Substrings) -> bool:
    initial, final = fold(wanted.initial), fold(wanted.final)
    if len(initial) + len(final) > len(text) or not (text.startswith(initial) and text.endswith(final)):
        return False
    return _in_order(text[len(initial) : len(text) - len(final)], (fold(part) for part in wanted.middle))


def _in_order(text: str, parts: Iterable[str]) -> bool:
    at = 0
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _has_all_bits(values: Sequence[bytes], mask: bytes) -> bool:
    if not mask.isdigit() or len(mask) > 10:
        return False
    bits = int(mask)
    return any(int(value) & bits == bits for value in values if value.lstrip(b"-").isdigit())
