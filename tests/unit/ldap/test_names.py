"""Escapings, DNs and user names. Source: RFC 4514, RFC 4515 §3."""

from __future__ import annotations

import pytest

from duoproxy.ldap.names import (
    UserName,
    dns_domain_of,
    escape_dn_value,
    is_at_or_below,
    looks_like_dn,
    parse_dn,
    same_dn,
    same_letters,
    split_username,
)


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("alice", "alice"),
        ('James "Jim" Smith, III', r"James \"Jim\" Smith\, III"),
        ("a+b;c<d>e\\f=g", r"a\+b\;c\<d\>e\\f=g"),
        ("#1 #2", r"\#1 #2"),
        (" a ", r"\ a\ "),
        (" ", r"\ "),
        ("  ", r"\ \ "),
        ("\\ ", "\\\\\\ "),
        ("Before\rAfter\0", r"Before\0dAfter\00"),
        (b"L\xc4\x8d\xff", r"Lč\ff"),
    ],
)
def test_dn_value(value, escaped):
    """What is special in a DN gets a backslash, what cannot be shown becomes a hex pair."""
    assert escape_dn_value(value) == escaped


@pytest.mark.parametrize(
    ("dn", "names"),
    [
        ("UID=jsmith,DC=example,DC=net", ((("uid", "jsmith"),), (("dc", "example"),), (("dc", "net"),))),
        ("OU=Sales+CN=J.  Smith,DC=net", ((("ou", "Sales"), ("cn", "J.  Smith")), (("dc", "net"),))),
        (r"CN=James \"Jim\" Smith\, III,DC=net", ((("cn", 'James "Jim" Smith, III'),), (("dc", "net"),))),
        (r"CN=Before\0dAfter,DC=net", ((("cn", "Before\rAfter"),), (("dc", "net"),))),
        ("1.3.6.1.4.1.1466.0=#04024869", ((("1.3.6.1.4.1.1466.0", "Hi"),),)),
        (r"CN=Lu\C4\8Di\C4\87", ((("cn", "Lučić"),),)),
        ("", ()),
    ],
)
def test_examples_of_rfc_4514(dn, names):
    """The examples of RFC 4514 §4 read as it explains them."""
    assert parse_dn(dn) == names


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "a@b.c",
        "CORP\\alice",
        "cn=a,",
        "cn=a,,dc=x",
        ",cn=a",
        "=a",
        "cn=a;dc=x",
        'cn="a,b"',
        "cn=a\\",
        "cn=a\\zz",
        *("cn=#", "cn=#0402486", "cn=#3002", "cn=#zz", "cn=a\0", "cn=a<b", "1=a", "c n=a", "cn=a+", "cn=a dc=x, o"),
    ],
)
def test_what_is_no_dn(text):
    """What RFC 4514 does not generate is no DN, and no name is guessed from it."""
    assert parse_dn(text) is None
    assert not looks_like_dn(text)


@pytest.mark.parametrize("text", ["cn=admin,dc=corp", " CN = admin , DC=corp", "uid=svc+cn=x", "o=corp"])
def test_what_an_administrator_writes_for_a_dn(text):
    """A DN is known by its form, with one part or several, with blanks or without."""
    assert looks_like_dn(text)
    assert not looks_like_dn("")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("CN=VPN Users,DC=corp", "cn=vpn users, dc=CORP"),
        (r"CN=Weird\, User", r"cn=weird\2C user"),
        ("cn=a+sn=b,dc=x", "sn=b+cn=a,dc=x"),
        (b"CN=p\xc3\xa4r", "cn=PÄR"),
        (r"cn=\C3\A4", "cn=ä"),
        ("cn=a  b", "cn=A B"),
        ("cn=a\\ ", "cn=a"),
        ("2.5.4.3=a", "commonName=a"),
        ("oid.2.5.4.3=a", "cn=a"),
        ("cn=#04024869", "cn=hi"),
        ("ä".encode("latin-1"), "ä".encode("latin-1")),
        ("", " "),
        ('cn="a,b"', 'cn="a,b"'),
    ],
)
def test_spellings_of_one_dn(first, second):
    """Case, blanks, escapes, long names of types and the order within an RDN make no other entry."""
    assert same_dn(first, second)
    assert same_dn(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("cn=a,dc=x", "cn=a"),
        ("cn=a,cn=b", "cn=b,cn=a"),
        ("cn=a+sn=b", "cn=a,sn=b"),
        (r"cn=a\,dc=x", "cn=a,dc=x"),
        (r"cn=\#04024869", "cn=#04024869"),
        ("cn=a", "ou=a"),
        ("cn=resume", "cn=résumé"),
        ('cn="a,b"', r"cn=a\,b"),
        ('CN="A,B"', 'cn="a,b"'),
        ("", "cn=a"),
    ],
)
def test_different_dns(first, second):
    """What is not the same entry for certain is another one; without a DN on both sides the octets decide."""
    assert not same_dn(first, second)
    assert not same_dn(second, first)


@pytest.mark.parametrize(
    ("search_dn", "domain"),
    [
        ("DC=corp,DC=example,DC=test", "corp.example.test"),
        ("OU=VPN,OU=People,dc=corp, dc=example, dc=test", "corp.example.test"),
        ("DC=odd,OU=People,DC=corp,DC=test", "corp.test"),
        ("ou=people,o=corp", ""),
        ("no dn", ""),
        ("", ""),
    ],
)
def test_domain_of_a_search_dn(search_dn, domain):
    """The DC= parts at its end spell the DNS domain."""
    assert dns_domain_of(search_dn) == domain


@pytest.mark.parametrize(
    ("submitted", "name"),
    [
        ("alice", UserName("alice")),
        ("CORP\\alice", UserName("alice", netbios_domain="CORP")),
        ("alice@corp.example.test", UserName("alice", upn_suffix="corp.example.test")),
        ("a@b@c", UserName("a@b", upn_suffix="c")),
        ("CORP\\a@b", UserName("a@b", netbios_domain="CORP")),
        ("CORP\\a\\b", UserName("a\\b", netbios_domain="CORP")),
        ("\\alice", UserName("\\alice")),
        ("CORP\\", UserName("CORP\\")),
        ("@corp", UserName("@corp")),
        ("alice@", UserName("alice@")),
        ("", UserName("")),
    ],
)
def test_names_as_users_type_them(submitted, name):
    r"""`user`, `DOMAIN\user` and `user@domain`; a side that would be empty is no side."""
    assert split_username(submitted) == name


def test_long_hostile_text_is_read_in_one_pass():
    """A text made to be tried again and again is refused like any other."""
    assert parse_dn("cn=" + " " * 50_000 + "\\") is None
    assert parse_dn("1." * 50_000) is None
    assert parse_dn(" " * 50_000 + "cn") is None


@pytest.mark.parametrize(
    ("dn", "top", "expected"),
    [
        ("CN=svc,OU=Service,DC=x", "ou=service,dc=X", True),
        ("ou=service,dc=x", "OU=Service, DC=x", True),
        ("CN=svc,OU=Service,DC=x", "CN=svc,OU=Service,DC=x", True),
        ("CN=svc,OU=Other,DC=x", "OU=Service,DC=x", False),
        ("DC=x", "OU=Service,DC=x", False),
        ("CN=a,OU=Service\\,DC=x", "DC=x", False),
        ("CN=a\\,OU=Service,DC=x", "OU=Service,DC=x", False),
        ("CN=a", "", True),
        ("no dn", "", False),
        ("CN=a", "no dn", False),
    ],
)
def test_entry_stands_at_or_below_another(dn: str, top: str, expected: bool) -> None:
    """By whole RDNs, case and blanks aside; an escaped comma is part of a value."""
    assert is_at_or_below(dn, top) is expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("alice", "ALICE", True),
        ("Zoë", "ZOË", True),
        ("Яна", "яНА", True),
        ("strauss", "strauß", False),
        ("fiona", "\ufb01ona", False),
        ("frank", "fran\u212a", False),
        ("strauss", "\u017ftrauss", False),
        ("zoe", "zoë", False),
        ("zo\u00eb", "zoe\u0308", False),
        ("alice", "alice ", False),
        ("", "", True),
    ],
)
def test_names_are_the_same_but_for_the_case_of_their_letters(first: str, second: str, expected: bool) -> None:
    """What only a directory takes for the same letter is another one, as it is for Duo."""
    assert same_letters(first, second) is expected
    assert same_letters(second, first) is expected
