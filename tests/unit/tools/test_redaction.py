"""Secrets are taken out of text, in every spelling; what only looks a little like one stays."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duoproxy.tools.redaction import Redactor
from tests.unit.tools.leaks import leaks

SECRET = b"S3cret/of+the house: \xc3\xa4%"
REDACTOR = Redactor([SECRET])


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        SECRET.hex().encode(),
        SECRET.hex().upper().encode(),
        SECRET.hex(":").encode(),
        quote(SECRET).encode(),
        quote(SECRET, safe="").encode(),
        quote(SECRET, safe="").lower().encode(),
        quote_plus(SECRET).encode(),
        "".join(f"%{octet:02x}" for octet in SECRET).encode(),
        repr(SECRET).encode(),
        json.dumps(SECRET.decode()).encode(),
        base64.b64encode(SECRET),
        base64.b64encode(b"x" + SECRET + b"yy"),
        base64.b64encode(b"xx" + SECRET + b"y"),
        base64.urlsafe_b64encode(b"user:" + SECRET),
    ],
)
def test_a_known_secret_is_found_in_every_spelling(spelled: bytes) -> None:
    """And what surrounds it stays."""
    cleaned = REDACTOR.known(b"before <" + spelled + b"> behind")
    assert leaks(cleaned, SECRET) == []
    assert cleaned.startswith(b"before <")
    assert cleaned.endswith(b"> behind")


@given(
    st.binary(min_size=8, max_size=60),
    st.binary(max_size=40),
    st.binary(max_size=40),
)
def test_no_known_secret_is_left_in_whatever_surrounds_it(secret: bytes, before: bytes, behind: bytes) -> None:
    """Plain, hex, base64 at any alignment, percent-encoded."""
    text = b"\n".join(
        [
            before + secret + behind,
            (before + secret + behind).hex().encode(),
            base64.b64encode(before + secret + behind),
            quote(before + secret + behind, safe="").encode(),
        ]
    )
    cleaned = Redactor([secret]).known(text)
    # What happens to stand in the text beside the secret is no leak of it.
    assert [form for form in leaks(cleaned, secret) if form not in leaks(before + b"\n" + behind, secret)] == []


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        ("login?user=alice&password=hunter2&x=1", "login?user=alice&password=*****&x=1"),
        ("POST passcode=123456", "POST passcode=*****"),
        ("{'user': 'alice', 'password': 'hun\\'ter2'}", "{'user': 'alice', 'password': '*****'}"),
        ('{"service_account_password": "hunter2", "n": 1}', '{"service_account_password": "*****", "n": 1}'),
        ('radius_secret_1="hunter two"', 'radius_secret_1="*****"'),
        ("Authorization: Basic YWxpY2U6aHVudGVyMg==", "Authorization: Basic *****"),
        ("proxy-authorization: bearer abc.def", "proxy-authorization: bearer *****"),
        ("CONNECT http://proxy:hunter2@10.0.0.1:3128/", "CONNECT http://proxy:*****@10.0.0.1:3128/"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----*****-----END EC PRIVATE KEY-----",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMHcCAQEE", "-----BEGIN PRIVATE KEY-----*****"),
    ],
)
def test_an_unknown_secret_is_known_by_where_it_stands(line: str, cleaned: str) -> None:
    """In logs, which other programs may have written."""
    assert Redactor([]).all(line.encode()) == cleaned.encode()


@pytest.mark.parametrize(
    "line",
    [
        "Login 5f2a91c07e: user='alice' device=10.1.2.20 section=radius_server_auto cause=password-refused",
        "Make radius_secret_1 of [radius_server_auto] equal to the secret on the device.",
        "https://api-1.duosecurity.com:443/auth/v2/check",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    """A log has to be read afterwards."""
    assert Redactor([SECRET]).all(line.encode()) == line.encode()


def test_a_secret_that_is_too_short_to_be_found_is_left_out() -> None:
    """It would blacken every line."""
    assert Redactor([b"abc", b""]).all(b"abcdef") == b"abcdef"
