"""How the sandbox checks signatures; the vendor's package signs the requests that have to be accepted."""

from __future__ import annotations

import email.utils
import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import duo_client.client
import pytest

from duoproxy.sandbox.signatures import (
    BAD_BODY,
    BAD_TIMESTAMP,
    MAX_PARAMETERS,
    NO_CREDENTIALS,
    NO_TIMESTAMP,
    WRONG_IKEY,
    WRONG_SIGNATURE,
    ApiRequest,
    canonical_parameters,
    check_signature,
    read_parameters,
)
from duoproxy.secret import Secret

IKEY = "DISANDBOX00000000000"
SKEY = "this-key-is-public-and-not-secure-000000"
WALL_TIME = 1_790_000_000.0
PARAMETERS = {"username": "älice +&=%~", "ipaddr": "2001:db8::1", "empty": ""}


def signed(
    version: int,
    method: str = "POST",
    path: str = "/auth/v2/preauth",
    parameters: dict[str, str] = PARAMETERS,
    *,
    date: str = email.utils.formatdate(WALL_TIME),
    digest: Any = hashlib.sha512,
    skey: str = SKEY,
    host: str = "localhost",
    duo_headers: dict[str, str] | None = None,
) -> ApiRequest:
    """A request as the vendor's package would send it."""
    in_body = method == "POST"
    has_json = version >= 4
    body = json.dumps(parameters, sort_keys=True, separators=(",", ":")) if has_json and in_body else ""
    normal = duo_client.client.normalize_params({} if has_json and in_body else parameters)
    authorization = duo_client.client.sign(
        IKEY,
        skey,
        method,
        host,
        path,
        date,
        version,
        normal,
        body=body if has_json else None,
        digestmod=digest,
        additional_headers=duo_headers,
    )
    form = urlencode(parameters)
    return ApiRequest(
        method,
        path,
        "" if in_body else form,
        {
            "host": [f"{host}:18443"],
            "date": [date],
            "authorization": [authorization],
            "content-type": ["application/json" if has_json else "application/x-www-form-urlencoded"],
            **{name.lower(): [value] for name, value in (duo_headers or {}).items()},
        },
        (body if has_json else form).encode() if in_body else b"",
    )


def changed(request: ApiRequest, **headers: str | None) -> ApiRequest:
    kept = {name: values for name, values in request.headers.items() if name not in headers}
    added = {name: [value] for name, value in headers.items() if value is not None}
    return ApiRequest(request.method, request.path, request.query, {**kept, **added}, request.body)


def check(request: ApiRequest, wall_time: float = WALL_TIME) -> object:
    return check_signature(request, IKEY, Secret(SKEY), wall_time)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("version", "digest"), [(2, hashlib.sha1), (2, hashlib.sha512), (4, None), (5, None)])
def test_what_the_vendors_package_signs_is_accepted(method: str, version: int, digest: Any) -> None:
    """Versions 2, 4 and 5; parameters in query, form or JSON."""
    request = signed(version, method, digest=digest or hashlib.sha512)
    assert check(request) is None
    assert read_parameters(request) == PARAMETERS


def test_duo_headers_are_part_of_version_5() -> None:
    """X-Duo-* headers are signed; one that was changed on the way is noticed."""
    request = signed(5, duo_headers={"X-Duo-B": "2", "X-Duo-A": "1"})
    assert check(request) is None
    assert check(changed(request, **{"x-duo-a": "3"})) is WRONG_SIGNATURE


def test_generation_1_takes_version_2_only() -> None:
    """The old generation knows no JSON signature."""
    assert check(signed(2, path="/rest/v1/preauth")) is None
    assert check(signed(5, path="/rest/v1/preauth")) is WRONG_SIGNATURE


@pytest.mark.parametrize("version", [2, 4, 5])
def test_whatever_was_changed_breaks_the_signature(version: int) -> None:
    """Method, path, parameters, host and date are covered, and the key has to be right."""
    good = signed(version)
    assert check(signed(version, skey="another")) is WRONG_SIGNATURE
    assert check(changed(good, host="other:18443")) is WRONG_SIGNATURE
    assert check(changed(good, date=email.utils.formatdate(WALL_TIME + 1))) is WRONG_SIGNATURE
    for request in (
        ApiRequest("PUT", good.path, good.query, good.headers, good.body),
        ApiRequest(good.method, good.path + "x", good.query, good.headers, good.body),
        ApiRequest(good.method, good.path, "a=b", good.headers, good.body),
        ApiRequest(good.method, good.path, good.query, good.headers, good.body.replace(b"ipaddr", b"ipadds")),
    ):
        assert check(request) is WRONG_SIGNATURE


def test_missing_and_foreign_credentials_have_their_codes() -> None:
    """40101, 40102, 40104, as the service has them."""
    good = signed(5)
    assert check(changed(good, authorization=None)) is NO_CREDENTIALS
    assert check(changed(good, authorization="Bearer x")) is NO_CREDENTIALS
    assert check(changed(good, authorization="Basic !!!")) is NO_CREDENTIALS
    assert check(changed(good, authorization="Basic ÿÿÿÿ")) is NO_CREDENTIALS
    assert check(changed(good, authorization="Basic /w==")) is NO_CREDENTIALS
    assert check(changed(good, date=None)) is NO_TIMESTAMP
    assert check_signature(good, "DIOTHER", Secret(SKEY), WALL_TIME) is WRONG_IKEY
    assert (NO_CREDENTIALS.code, WRONG_IKEY.code, WRONG_SIGNATURE.code, NO_TIMESTAMP.code) == (
        40101,
        40102,
        40103,
        40104,
    )
    assert NO_CREDENTIALS.status == 401


def test_two_headers_of_one_name_are_none() -> None:
    """An ambiguous header proves nothing."""
    good = signed(5)
    twice = ApiRequest(
        good.method, good.path, good.query, {**good.headers, "date": [*good.headers["date"], "x"]}, good.body
    )
    assert check(twice) is NO_TIMESTAMP


@pytest.mark.parametrize(
    ("seconds", "failure"), [(0, None), (300, None), (-300, None), (301, BAD_TIMESTAMP), (-301, BAD_TIMESTAMP)]
)
def test_the_date_may_be_five_minutes_away(seconds: int, failure: object) -> None:
    """Beyond 300 s it is 40105, though the signature is right."""
    assert check(signed(5), WALL_TIME + seconds) is failure


def test_a_date_with_an_offset_means_its_moment() -> None:
    """-0500 is five hours behind; -0000 is UTC."""
    moment = email.utils.parsedate_to_datetime("Mon, 21 Sep 2026 08:13:20 -0500").timestamp()
    assert check(signed(2, date="Mon, 21 Sep 2026 08:13:20 -0500"), moment) is None
    assert check(signed(2, date="Mon, 21 Sep 2026 13:13:20 -0000"), moment) is None
    assert check(signed(2, date="Mon, 21 Sep 2026 13:13:20 -0500"), moment) is BAD_TIMESTAMP
    assert check(signed(2, date="some day"), moment) is BAD_TIMESTAMP


def test_a_wrong_key_is_told_before_a_wrong_clock() -> None:
    """Only a caller who has the key learns that its clock is wrong."""
    assert check(signed(5, skey="another"), WALL_TIME + 9999) is WRONG_SIGNATURE


def test_parameters_have_one_spelling() -> None:
    """Sorted by their encoded names, everything but unreserved characters encoded. Source: RFC 5849 §3.4.1.3.2."""
    assert canonical_parameters("b=%7e&a=1+2&A=%2F") == "A=%2F&a=1%202&b=~"
    assert canonical_parameters("") == ""


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"[]"),
        ("application/json", b"{"),
        ("application/json", b"\xff"),
        ("application/json", b"[" * 60_000),
        ("application/x-www-form-urlencoded", b"a"),
        ("application/x-www-form-urlencoded", b"a=1&a=2"),
        ("application/x-www-form-urlencoded", b"a=%FF"),
        ("application/x-www-form-urlencoded", "a=ä".encode()),
        ("application/x-www-form-urlencoded", b"a=1&" * (MAX_PARAMETERS + 1)),
        ("text/plain", b"a=1"),
    ],
)
def test_a_body_that_cannot_be_read_is_an_error(content_type: str, body: bytes) -> None:
    """Whatever comes, it is parameters or 40001."""
    request = ApiRequest("POST", "/auth/v2/preauth", "", {"content-type": [content_type]}, body)
    assert read_parameters(request) is BAD_BODY


def test_json_numbers_and_booleans_become_text() -> None:
    """Version 5 may send 1 or true where the form sends text."""
    headers = {"content-type": ["application/json; charset=utf-8"]}
    assert read_parameters(ApiRequest("POST", "/", "", headers, b'{"async": 1, "x": true}')) == {
        "async": "1",
        "x": "true",
    }
