"""Signatures: the published vectors, and the vendor's own client as a second opinion."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import parse_qs

import pytest
from duo_client import client as vendor

from duoproxy.duoapi.signing import (
    ApiCall,
    Signature,
    canonical_json,
    canonical_params,
    sign_v2,
    sign_v5,
    signed_request,
)
from duoproxy.secret import Secret

DATE = "Fri, 07 Dec 2012 17:18:00 -0000"
SKEY = Secret("gtdfxv9YgVBYcF6dl2Eq17KUQJN2PLM2ODVTkvoT")
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
AWKWARD = {
    "zeta": "",
    "Alpha": "ü é 日本",
    "alpha": PUNCTUATION,
    "a b": "\t\n\v\f\r ",
    "ä": "+&=%",
}


def _digest(authorization: str) -> str:
    kind, _, encoded = authorization.partition(" ")
    assert kind == "Basic"
    return base64.b64decode(encoded).decode().partition(":")[2]


def test_vector_of_the_public_documentation():
    """Duo's own example, with the digest that is used today (SHA-512)."""
    authorization = sign_v2(
        "POST",
        "api-xxxxxxxx.duosecurity.com",
        "/accounts/v1/account/list",
        {"username": "root", "realname": "First Last"},
        "Tue, 21 Aug 2012 17:29:18 -0000",
        "DIWJ8X6AEYOR5OMC6TQ1",
        Secret("Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"),
    )
    assert _digest(authorization) == (
        "1bffb8924348f7db7da9e7d7d749ded93aafd02d8e904960da7b96c57510220185a64a2827ee8f24ac5d30802a9ee97e59de44b304b18242"
        "f0d596d15a8122af"
    )


def test_canonical_parameters_are_sorted_after_encoding():
    """`foo` stands before `foo_bar`; a blank is %20."""
    assert canonical_params({"username": "root", "realname": "First Last"}) == "realname=First%20Last&username=root"
    assert canonical_params({"foo_bar": "2", "foo": "1"}) == "foo=1&foo_bar=2"


def test_only_unreserved_characters_stay_bare():
    """RFC 3986 §2.3: letters, digits, - . _ ~."""
    assert canonical_params({"p": PUNCTUATION}) == (
        "p=%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~"
    )


@pytest.mark.parametrize("params", [{}, {"username": "root"}, AWKWARD])
def test_form_signature_is_what_the_vendor_computes(params):
    """Signature 2 with SHA-512 equals the one of the duo_client package."""
    theirs = vendor.sign(
        "DIKEY", SKEY.reveal_text(), "PoSt", "foO.BAr52.cOm", "/Foo/BaR2/qux", DATE, 2, vendor.normalize_params(params)
    )
    assert sign_v2("PoSt", "foO.BAr52.cOm", "/Foo/BaR2/qux", params, DATE, "DIKEY", SKEY) == theirs


@pytest.mark.parametrize("params", [{}, {"username": "root"}, AWKWARD])
def test_json_signature_is_what_the_vendor_computes(params):
    """Signature 5 over a JSON body equals the one of the duo_client package."""
    body = vendor.Client.canon_json(params)
    theirs = vendor.sign(
        "DIKEY", SKEY.reveal_text(), "POST", "Host", "/auth/v2/auth", DATE, 5, {}, body=body, additional_headers={}
    )
    assert canonical_json(params) == body.encode()
    assert sign_v5("POST", "Host", "/auth/v2/auth", {}, body.encode(), DATE, "DIKEY", SKEY) == theirs


@pytest.mark.parametrize("params", [{}, {"txid": "a b&c"}])
def test_query_signature_is_what_the_vendor_computes(params):
    """Signature 5 of a GET covers its query and an empty body."""
    theirs = vendor.sign(
        "DIKEY", SKEY.reveal_text(), "GET", "h", "/p", DATE, 5, vendor.normalize_params(params), body="",
        additional_headers={},
    )  # fmt: skip
    assert sign_v5("GET", "h", "/p", params, b"", DATE, "DIKEY", SKEY) == theirs


def test_signed_form_request_sends_what_it_signs():
    """A form body is decoded by the service to the parameters that were signed."""
    call = ApiCall("POST", "/rest/v1/preauth", AWKWARD)
    request = signed_request(call, Signature.V2, "api.example", 1354900680.0, "DIKEY", SKEY)
    assert request.headers["Date"] == DATE
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.body is not None
    received = {k: v[0] for k, v in parse_qs(request.body.decode(), keep_blank_values=True).items()}
    assert received == AWKWARD
    expected = sign_v2("POST", "api.example", "/rest/v1/preauth", AWKWARD, DATE, "DIKEY", SKEY)
    assert request.headers["Authorization"] == expected


def test_signed_json_request_sends_what_it_signs():
    """The JSON body that is sent is the one whose digest is signed."""
    request = signed_request(ApiCall("POST", "/p", AWKWARD), Signature.V5, "api.example", 0.0, "DIKEY", SKEY)
    assert request.body is not None
    assert json.loads(request.body) == AWKWARD
    assert request.headers["Content-Type"] == "application/json"
    date = request.headers["Date"]
    assert request.headers["Authorization"] == sign_v5(
        "POST", "api.example", "/p", {}, request.body, date, "DIKEY", SKEY
    )


@pytest.mark.parametrize("signature", Signature)
def test_get_carries_its_parameters_in_the_query(signature):
    """A request without body has neither body nor Content-Type."""
    request = signed_request(ApiCall("GET", "/status", {"txid": "a b"}), signature, "h", 0.0, "DIKEY", SKEY)
    assert (request.target, request.body) == ("/status?txid=a%20b", None)
    assert "Content-Type" not in request.headers
    assert signed_request(ApiCall("GET", "/ping", {}), signature, "h", 0.0, "DIKEY", SKEY).target == "/ping"


def test_text_that_is_no_unicode_is_signed_and_not_fatal():
    """A user name with an undecodable octet is the service's to refuse, never a fault of ours."""
    request = signed_request(ApiCall("POST", "/p", {"user": "a\udcff"}), Signature.V2, "h", 0.0, "DIKEY", SKEY)
    assert request.body == b"user=a%ED%B3%BF"
    assert signed_request(ApiCall("POST", "/p", {"user": "a\ud800"}), Signature.V5, "h", 0.0, "I", SKEY).body


def test_secret_key_is_not_in_the_request():
    """Only the digest leaves the machine."""
    request = signed_request(ApiCall("POST", "/p", {"a": "b"}), Signature.V5, "h", 0.0, "DIKEY", SKEY)
    assert SKEY.reveal_text() not in repr(request)
    assert hashlib.sha512(b"").hexdigest() not in repr(request)


def test_what_is_sent_does_not_show():
    """A passcode and the signature stand in no format of a call or request."""
    call = ApiCall("POST", "/auth/v2/auth", {"factor": "passcode", "passcode": "424242"})
    for signature in Signature:
        request = signed_request(call, signature, "api-1.example", 1e9, "DI", Secret("key"))
        assert "424242" in repr(request.body)
        assert "424242" not in f"{call!r} {request!r}"
        assert request.headers["Authorization"] not in repr(request)
