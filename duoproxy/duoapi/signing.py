"""How a request to the API is spelled and signed.

Owns the canonical form of parameters, the two signatures that are used (2 with a form body, 5 with a JSON body) and the
signed request that a client sends. It must not know what a call is about, nor how it is sent.

Source: Auth API, "Authentication"; the percent-encoding is that of RFC 5849 §3.6 (RFC 3986 §2.3 unreserved characters).
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import json
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import quote

from attrs import field, frozen

from duoproxy.secret import Secret

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"

_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_NO_HEADERS_DIGEST = hashlib.sha512(b"").hexdigest()


class Signature(enum.Enum):
    """The versions of the signature: form body, or JSON body."""

    V2 = 2
    V5 = 5


@frozen
class ApiCall:
    """One call, before it is signed.

    Attributes:
        method: `GET` or `POST`.
        path: beginning with a slash, without parameters.
        params: names and values as text.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(repr=False)  # a passcode may be among them


@frozen
class SignedRequest:
    """What is sent.

    Attributes:
        method: `GET` or `POST`.
        target: path, and query where there is one.
        headers: names and values.
        body: octets, or None for a request without body.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def canonical_params(params: Mapping[str, str]) -> str:
    """Spell parameters in the one way that is signed: encoded as UTF-8, sorted, joined with `&`.

    Text that is no Unicode (a lone surrogate) is spelled too: the service judges it, and nothing fails here.
    """
    pairs = sorted((_percent(name), _percent(value)) for name, value in params.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def canonical_json(params: Mapping[str, str]) -> bytes:
    """Spell parameters as the JSON body that is signed: sorted names, no blanks, ASCII."""
    return json.dumps(dict(params), sort_keys=True, separators=(",", ":")).encode("ascii")


def sign_v2(method: str, host: str, path: str, params: Mapping[str, str], date: str, ikey: str, skey: Secret) -> str:
    """Give the Authorization header of a request whose parameters are a form or a query.

    Args:
        method: any case.
        host: name without port, any case.
        path: as it is sent.
        params: all of them, wherever they are sent.
        date: exactly the Date header.
        ikey: the integration key.
        skey: the secret key.
    """
    lines = (date, method.upper(), host.lower(), path, canonical_params(params))
    return _authorization(lines, ikey, skey)


def sign_v5(
    method: str, host: str, path: str, params: Mapping[str, str], body: bytes, date: str, ikey: str, skey: Secret
) -> str:
    """Give the Authorization header of a request with a JSON body, or without body; no `X-Duo-` header is sent.

    Args:
        method: any case.
        host: name without port, any case.
        path: as it is sent.
        params: those in the query; empty when they are in the body.
        body: exactly what is sent, empty for none.
        date: exactly the Date header.
        ikey: the integration key.
        skey: the secret key.
    """
    digest = hashlib.sha512(body).hexdigest()
    lines = (date, method.upper(), host.lower(), path, canonical_params(params), digest, _NO_HEADERS_DIGEST)
    return _authorization(lines, ikey, skey)


def signed_request(
    call: ApiCall, signature: Signature, host: str, time_s: float, ikey: str, skey: Secret
) -> SignedRequest:
    """Spell and sign a call.

    Args:
        call: what to ask.
        signature: the version that the path takes.
        host: name of the API host, without port.
        time_s: Unix time that the request shall carry; the service takes five minutes to either side.
        ikey: the integration key.
        skey: the secret key.
    """
    date = formatdate(time_s)
    if call.method not in _METHODS_WITH_BODY:
        return _query_request(call, signature, host, date, ikey, skey)
    if signature is Signature.V5:
        body, content_type = canonical_json(call.params), JSON_TYPE
        authorization = sign_v5(call.method, host, call.path, {}, body, date, ikey, skey)
    else:
        body, content_type = canonical_params(call.params).encode("ascii"), FORM_TYPE
        authorization = sign_v2(call.method, host, call.path, call.params, date, ikey, skey)
    headers = {"Date": date, "Authorization": authorization, "Content-Type": content_type}
    return SignedRequest(call.method, call.path, headers, body)


def _query_request(call: ApiCall, signature: Signature, host: str, date: str, ikey: str, skey: Secret) -> SignedRequest:
    if signature is Signature.V5:
        authorization = sign_v5(call.method, host, call.path, call.params, b"", date, ikey, skey)
    else:
        authorization = sign_v2(call.method, host, call.path, call.params, date, ikey, skey)
    query = canonical_params(call.params)
    target = f"{call.path}?{query}" if query else call.path
    return SignedRequest(call.method, target, {"Date": date, "Authorization": authorization}, None)


def _percent(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="~")


def _authorization(lines: tuple[str, ...], ikey: str, skey: Secret) -> str:
    canonical = "\n".join(lines).encode("utf-8")
    digest = hmac.new(skey.reveal(), canonical, hashlib.sha512).hexdigest()
    return "Basic " + base64.b64encode(f"{ikey}:{digest}".encode()).decode("ascii")
