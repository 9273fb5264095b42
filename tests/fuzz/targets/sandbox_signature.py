"""A request to the stand-in Duo service: refused with an error of the API, or signed by someone who has the key.

Two inputs in one: parts between NUL are method, path, query, headers and body.
"""

from __future__ import annotations

from duoproxy.duoapi.messages import Generation
from duoproxy.duoapi.signing import ApiCall, Signature, SignedRequest, canonical_params, signed_request
from duoproxy.sandbox.signatures import (
    BAD_BODY,
    ApiRequest,
    Failure,
    canonical_parameters,
    check_signature,
    read_parameters,
)
from duoproxy.secret import Secret

IKEY, SKEY = "DISANDBOX00000000000", Secret(b"this-key-is-public-and-not-secure-000000")
WALL_TIME = 1_790_000_000.0
SIGNATURES = {Generation.V1: Signature.V2, Generation.V2: Signature.V5}
WORDS = (
    *(b"authorization: ", b"Basic ", b"date: ", b"x-duo-date: ", b"x-duo-extra: ", b"host: localhost:18443", b"\n"),
    *(b"content-type: application/json", b"content-type: application/x-www-form-urlencoded", b"\0", b"%00", b"&a=%ff"),
    *(b"RElTQU5EQk9YMDAwMDAwMDAwMDA6", b"Mon, 21 Sep 2026 12:26:40 -0000", b'{"username": "alice"}', b"/auth/v2/auth"),
)


def target(data: bytes) -> None:
    request = _request(data)
    assert isinstance(check_signature(request, IKEY, SKEY, WALL_TIME), Failure)
    canonical_parameters(request.query)
    parameters = read_parameters(request)
    if isinstance(parameters, Failure):
        assert parameters == BAD_BODY
        return
    assert all(type(text) is str for pair in parameters.items() for text in pair)
    _signed_by_us(parameters)


def _request(data: bytes) -> ApiRequest:
    method, path, query, head, body = (data.split(b"\0", 4) + [b""] * 4)[:5]
    headers: dict[str, list[str]] = {}
    for line in head.decode("latin-1").split("\n")[:100]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return ApiRequest(method.decode("latin-1"), path.decode("latin-1"), query.decode("latin-1"), headers, body)


def _signed_by_us(parameters: dict[str, str]) -> None:
    """What our client signs is accepted, and read as it was written."""
    for signature in SIGNATURES.values():
        for method in ("GET", "POST"):
            call = ApiCall(method, "/auth/v2/auth", parameters)
            sent = _received(signed_request(call, signature, "localhost", WALL_TIME, IKEY, SKEY))
            assert check_signature(sent, IKEY, SKEY, WALL_TIME) is None
            assert read_parameters(sent) == parameters
    assert canonical_parameters(canonical_params(parameters)) == canonical_params(parameters)


def _received(request: SignedRequest) -> ApiRequest:
    path, _, query = request.target.partition("?")
    headers = {name.lower(): [value] for name, value in request.headers.items()}
    return ApiRequest(request.method, path, query, {**headers, "host": ["localhost:18443"]}, request.body or b"")
