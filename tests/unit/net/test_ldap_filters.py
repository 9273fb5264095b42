"""Filters as objects: the configured text once, and what a user typed only ever as a value."""

from __future__ import annotations

from typing import Any

import pytest

from duoproxy.net import ldap_filters as filters
from duoproxy.net.ldap_filters import FilterError, parse_filter
from tests.twisted.ldap_wire import element


def octets_of(wanted: Any) -> bytes:
    return bytes(wanted.toWire())


def equality(attribute: bytes, value: bytes) -> bytes:
    return element(0xA3, element(0x04, attribute), element(0x04, value))


@pytest.mark.parametrize("value", ["*)(objectClass=*", "a*b", "\\2a", "x\0y", "müller", "(", 5000 * "x"])
def test_value_of_a_user_stays_a_value(value: str) -> None:
    """RFC 4511 §4.5.1.7.1: the value stands in octets with their length, whatever it contains."""
    assert octets_of(filters.equal("sAMAccountName", value)) == equality(b"sAMAccountName", value.encode())


def test_value_of_octets() -> None:
    """A SID has no text."""
    assert octets_of(filters.equal("objectSid", b"\x01\xff*")) == equality(b"objectSid", b"\x01\xff*")


def test_parts_are_joined() -> None:
    """RFC 4511 §4.5.1.7: and, or."""
    one, two = filters.equal("a", "1"), filters.equal("b", "2")
    first, second = octets_of(one), octets_of(two)
    assert octets_of(filters.all_of(one, two)) == element(0xA0, first, second)
    assert octets_of(filters.any_of(one, two)) == element(0xA1, first, second)
    assert octets_of(filters.all_of(one)) == octets_of(filters.any_of(one)) == first


def test_matching_rule_in_chain() -> None:
    """The value is a DN with parentheses and commas, and stays one."""
    wanted = filters.matches_rule("memberOf", filters.IN_CHAIN, b"CN=VPN (x)\\, y,DC=z")
    rule = element(0x81, b"1.2.840.113556.1.4.1941")
    assert octets_of(wanted) == element(0xA9, rule, element(0x82, b"memberOf"), element(0x83, b"CN=VPN (x)\\, y,DC=z"))


def test_presence() -> None:
    """RFC 4511 §4.5.1.7.5."""
    assert octets_of(filters.present("objectClass")) == element(0x87, b"objectClass")


def test_configured_filter_is_read() -> None:
    """RFC 4515 §4; blanks around it do not count."""
    wanted = parse_filter(" (&(objectClass=user)(!(department=Sales*))(|(a>=1)(b=*))) ")
    parts = [
        equality(b"objectClass", b"user"),
        element(0xA2, element(0xA4, element(0x04, b"department"), element(0x30, element(0x80, b"Sales")))),
        element(0xA1, element(0xA5, element(0x04, b"a"), element(0x04, b"1")), element(0x87, b"b")),
    ]
    assert octets_of(wanted) == element(0xA0, *parts)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(cn=M\\c3\\bcller)", "Müller".encode()),
        ("(cn=Müller)", "Müller".encode()),
        ("(objectGUID=\\ff\\00\\80)", b"\xff\0\x80"),
        ("(cn=a\\2ab\\29\\5c)", b"a*b)\\"),
    ],
)
def test_escapes_are_octets(text: str, value: bytes) -> None:
    """RFC 4515 §3: a backslash and two digits are one octet, and octets above 7F stay what they are."""
    assert octets_of(parse_filter(text))[-len(value) :] == value


def test_escapes_in_substrings_and_matching_rules() -> None:
    """Everywhere that a value stands."""
    assert b"\x80\x01\xff" in octets_of(parse_filter("(cn=\\ff*a)"))
    assert octets_of(parse_filter("(memberOf:1.2.3:=\\ff)")).endswith(element(0x83, b"\xff") + b"\x84\x01\x00") or (
        element(0x83, b"\xff") in octets_of(parse_filter("(memberOf:1.2.3:=\\ff)"))
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin with a parenthesis"),
        ("department=Sales", r"write it as in \(department=Sales\)"),
        ("(a=b)(c=d)", "at character 6"),
        ("(a=b", "at character"),
        ("(&)", "at character"),
        (31 * "(!" + "(a=b)" + 31 * ")", "nested too deeply"),
        ("(a=" + 9000 * "x" + ")", "too long"),
    ],
)
def test_what_is_no_filter_is_refused(text: str, words: str) -> None:
    """With a clause for the administrator; nothing recurses without end."""
    with pytest.raises(FilterError, match=words):
        parse_filter(text)


def test_deepest_filter_that_is_allowed() -> None:
    """The limit itself can be parsed and sent."""
    depth = filters.MAX_FILTER_DEPTH - 1
    assert octets_of(parse_filter(depth * "(!" + "(a=b)" + depth * ")"))
