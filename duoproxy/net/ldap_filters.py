r"""Search filters as objects: the configured text is parsed once, and what a user typed only ever becomes a value.

Owns the way from text and octets to ldaptor's filter objects. A value inside an object is octets with their length:
nothing in it can end it, so nothing has to be escaped and nothing can be injected. In a text, `\e4` stands for the
octet E4, also where the octets together are no UTF-8.

Source: RFC 4511 §4.5.1.7, RFC 4515.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ldaptor.ldapfilter import InvalidLDAPFilter, parseFilter
from ldaptor.protocols import pureldap

from duoproxy.errors import DuoproxyError

Filter = Any
"""One of ldaptor's filter objects."""

IN_CHAIN: Final = "1.2.840.113556.1.4.1941"
"""Matches a DN also through nested groups. Source: MS-ADTS §3.1.1.3.4.4.3."""
MAX_FILTER_CHARACTERS: Final = 8192
MAX_FILTER_DEPTH: Final = 30

_HIGH_OCTET: Final = re.compile(r"\\([89a-fA-F][0-9a-fA-F])")


class FilterError(DuoproxyError):
    """A text is no filter; `str()` is a clause that says why."""


def parse_filter(text: str) -> Filter:
    """Read a filter from the configuration; takes a moment, so once at the start.

    Args:
        text: with its parentheses; blanks around it do not count.

    Raises:
        FilterError: it is no filter.

    Source: RFC 4515 §3.
    """
    stripped = text.strip()
    if len(stripped) > MAX_FILTER_CHARACTERS or _depth(stripped) > MAX_FILTER_DEPTH:
        raise FilterError("it is too long, or nested too deeply")
    if not stripped.startswith("("):
        raise FilterError("it does not begin with a parenthesis; write it as in (department=Sales)")
    try:
        parsed = parseFilter(_HIGH_OCTET.sub(_keep_octet, stripped))
    except InvalidLDAPFilter as fault:
        raise FilterError(f"{fault.msg} at character {fault.loc + 1}") from None
    _to_octets(parsed)
    return parsed


def _depth(text: str) -> int:
    deepest = depth = 0
    for mark in text:
        depth += (mark == "(") - (mark == ")")
        deepest = max(deepest, depth)
    return deepest


def _keep_octet(match: re.Match[str]) -> str:
    """Write an octet above 7F as the lone surrogate that `surrogateescape` turns back into it."""
    return chr(0xDC00 + int(match[1], 16))


def _to_octets(parsed: Filter) -> None:
    """Turn the texts in a tree into the octets that they stand for."""
    if isinstance(parsed, (pureldap.LDAPFilter_and, pureldap.LDAPFilter_or)):
        for part in parsed.data:
            _to_octets(part)
    elif isinstance(parsed, pureldap.LDAPFilter_not):
        _to_octets(parsed.value)
    elif isinstance(parsed, pureldap.LDAPFilter_substrings):
        for part in parsed.substrings:
            part.value = _octets(part.value)
    elif isinstance(parsed, pureldap.LDAPFilter_extensibleMatch):
        parsed.matchValue.value = _octets(parsed.matchValue.value)
    elif isinstance(parsed, pureldap.LDAPAttributeValueAssertion):
        parsed.assertionValue.value = _octets(parsed.assertionValue.value)


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def equal(attribute: str, value: str | bytes) -> Filter:
    """Match entries in which the attribute has this value. Source: RFC 4511 §4.5.1.7.1."""
    return pureldap.LDAPFilter_equalityMatch(
        attributeDesc=pureldap.LDAPAttributeDescription(attribute),
        assertionValue=pureldap.LDAPAssertionValue(_octets(value)),
    )


def present(attribute: str) -> Filter:
    """Match entries that have the attribute. Source: RFC 4511 §4.5.1.7.5."""
    return pureldap.LDAPFilter_present(attribute)


def matches_rule(attribute: str, rule: str, value: str | bytes) -> Filter:
    """Match by a matching rule of its own, such as `IN_CHAIN`. Source: RFC 4511 §4.5.1.7.7."""
    return pureldap.LDAPFilter_extensibleMatch(matchingRule=rule, type=attribute, matchValue=_octets(value))


def all_of(*parts: Filter) -> Filter:
    """Match what every part matches; a single part stays as it is. Source: RFC 4511 §4.5.1.7."""
    return parts[0] if len(parts) == 1 else pureldap.LDAPFilter_and(list(parts))


def any_of(*parts: Filter) -> Filter:
    """Match what at least one part matches; a single part stays as it is. Source: RFC 4511 §4.5.1.7."""
    return parts[0] if len(parts) == 1 else pureldap.LDAPFilter_or(list(parts))
