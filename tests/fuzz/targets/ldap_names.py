"""Names in a directory: any text is a DN or none, and what was escaped stays one value on one line."""

from __future__ import annotations

from duoproxy.ldap.names import (
    dns_domain_of,
    escape_dn_value,
    looks_like_dn,
    parse_dn,
    same_dn,
    split_username,
)

WORDS = (
    b"CN=",
    b",DC=",
    b"OID.2.5.4.3=",
    b"\\2c",
    b"\\ ",
    b"#0403616263",
    b"+",
    b" = ",
    b"CORP\\alice",
    b"@corp.example.test",
)


def target(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    names = parse_dn(data)
    assert names == parse_dn(text)
    assert looks_like_dn(text) == bool(names)
    assert same_dn(text, data)
    dns_domain_of(text)
    if names:
        again = ",".join("+".join(f"{kind}={escape_dn_value(value)}" for kind, value in parts) for parts in names)
        assert parse_dn(again) == names
        assert same_dn(again, text)
    assert parse_dn(f"cn={escape_dn_value(data)}") == ((("cn", text),),)
    name = split_username(text)
    assert name.local in text
    assert bool(name.local) == bool(text)
