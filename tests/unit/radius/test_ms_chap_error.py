"""What an Access-Reject says to a client that logged in with MS-CHAP. Source: RFC 2548 §2.1.5, RFC 2759 §6."""

from __future__ import annotations

import pytest

from duoproxy.radius.attributes import Type, vendor_attribute
from duoproxy.radius.ms_chap_error import refusal_of_proof, with_ms_chap_error
from duoproxy.radius.packet import Attribute

TEXT = (int(Type.REPLY_MESSAGE), b"Login request denied.")
VERSION_1 = "E=691 R=0 C=0001020304050607 V=2"
VERSION_2 = "E=691 R=0 C=000102030405060708090a0b0c0d0e0f V=3 M=Authentication rejected"


def counted(octets: int) -> bytes:
    """In the place of random octets."""
    return bytes(range(octets))


def response(number: int, head: bytes, octets: int) -> Attribute:
    return vendor_attribute(311, number, head.ljust(octets, b"r"))


def error(text: str, identifier: int = 0x5A) -> Attribute:
    return vendor_attribute(311, 2, bytes((identifier,)) + text.encode())


@pytest.mark.parametrize(
    ("proof", "text"),
    [
        pytest.param(response(1, b"\x5a\1", 50), VERSION_1, id="MS-CHAP-Response"),
        pytest.param(response(3, b"\5\x5a", 70), VERSION_1, id="MS-CHAP-CPW-1"),
        pytest.param(response(4, b"\6\x5a", 84), VERSION_1, id="MS-CHAP-CPW-2"),
        pytest.param(response(25, b"\x5a\0", 50), VERSION_2, id="MS-CHAP2-Response"),
        pytest.param(response(27, b"\7\x5a", 68), VERSION_2, id="MS-CHAP2-CPW"),
    ],
)
def test_a_refusal_says_in_the_clients_version_that_it_is_final(proof: Attribute, text: str) -> None:
    """E=691, R=0, a challenge of 8 or 16 octets in hexadecimal, the Identifier of the exchange. RFC 2433 §6."""
    request = ((int(Type.USER_NAME), b"alice"), vendor_attribute(311, 11, b"c" * 16), proof)
    assert with_ms_chap_error([TEXT], request, counted) == [TEXT, error(text)]


def test_a_proof_of_a_wrong_size_is_refused_in_the_same_words() -> None:
    """As long as it has an Identifier to repeat."""
    assert with_ms_chap_error([], [response(25, b"\x5a", 1)], counted) == [error(VERSION_2)]


@pytest.mark.parametrize(
    "request_attributes",
    [
        pytest.param([(2, b"p" * 16)], id="PAP"),
        pytest.param([(3, b"p" * 17)], id="CHAP"),
        pytest.param([(79, b"\2\1\0\5\1")], id="EAP"),
        pytest.param([response(25, b"\1", 50), response(1, b"\1", 50)], id="two proofs"),
        pytest.param([vendor_attribute(311, 27, b"\7")], id="no Identifier"),
        pytest.param([vendor_attribute(9, 25, b"\1" * 50)], id="another vendor"),
    ],
)
def test_who_does_not_wait_for_an_ms_chap_error_gets_none(request_attributes: list[Attribute]) -> None:
    """RFC 2548 §2.1.5: it is for MS-CHAP only."""
    assert with_ms_chap_error([TEXT], request_attributes, counted) == [TEXT]


def test_the_error_of_the_server_that_checked_the_proof_stays_alone() -> None:
    """RFC 2548 §3: 0-1 in an Access-Reject, and 648 (password expired) must reach the client."""
    expired = error("E=648 R=0 C=00 V=3 M=Password expired", 7)
    assert with_ms_chap_error([expired], [response(25, b"\x5a", 50)], counted) == [expired]


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (b"\1E=648 R=0 C=0011 V=3 M=x", "password expired; the user can change it where the device offers that"),
        (b"\0E=691 R=1", "wrong name or password"),
        (b"E=1", ""),
        (b"", ""),
        (b"E=" + b"9" * 200, ""),
    ],
)
def test_an_ms_chap_error_is_told_in_words(error: bytes, meaning: str) -> None:
    """RFC 2759 §6; what is unknown is not told."""
    assert refusal_of_proof([vendor_attribute(311, 2, error)]) == meaning
    assert refusal_of_proof([]) == ""
