"""Checks the signature of an API request, as the service does. Written from the description of the format alone.

It deliberately shares nothing with `duoproxy.duoapi.signing`, so that the two check each other.
Source: Duo Auth API, "Authentication"; signature versions 2, 4 and 5 as the vendor's client signs.
"""

from __future__ import annotations

import base64
import datetime
import email.utils
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, quote

from attrs import frozen

from duoproxy.secret import Secret

MAX_CLOCK_DIFFERENCE_S = 300.0
MAX_PARAMETERS = 100
FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"
_HASH_BY_HEX_LENGTH = {40: "sha1", 128: "sha512"}


@frozen
class Failure:
    """Why a request is refused.

    Attributes:
        code: the service's error code; its first three digits are the HTTP status.
        message: its text.
        detail: `message_detail`; may be empty.
    """

    code: int
    message: str
    detail: str = ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.code // 100


NO_CREDENTIALS = Failure(40101, "Missing request credentials")
WRONG_IKEY = Failure(40102, "Invalid integration key in request credentials")
WRONG_SIGNATURE = Failure(40103, "Invalid signature in request credentials")
NO_TIMESTAMP = Failure(40104, "Missing request timestamp")
BAD_TIMESTAMP = Failure(40105, "Bad request timestamp")
BAD_BODY = Failure(40001, "Invalid request body")


@frozen
class ApiRequest:
    """One HTTP request, as far as the API cares.

    Attributes:
        method: in upper case.
        path: without the query.
        query: the query string as it was sent.
        headers: names in lower case → values in their order.
        body: octets.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, Sequence[str]] = {}
    body: bytes = b""

    def header(self, name: str) -> str:
        """The header of that name, or empty when there is none or more than one."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else ""

    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.header("content-type").split(";")[0].strip().lower()


def read_parameters(request: ApiRequest) -> dict[str, str] | Failure:
    """The parameters of a request from query, form or JSON body; each name may stand once."""
    try:
        pairs = _pairs(request.query)
        if request.body and request.media_type() == JSON_TYPE:
            pairs += _json_pairs(request.body)
        elif request.body and request.media_type() == FORM_TYPE:
            pairs += _pairs(request.body.decode("ascii"))
        elif request.body:
            return BAD_BODY
    except ValueError:
        return BAD_BODY
    parameters = dict(pairs)
    return parameters if len(parameters) == len(pairs) else BAD_BODY


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of a query string or form, percent-encoding undone.

    Raises:
        ValueError: it is none, or has more than `MAX_PARAMETERS`.
    """
    return parse_qsl(
        text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MAX_PARAMETERS
    )


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    """Names and values of a JSON object; numbers and booleans become their text.

    Raises:
        ValueError: it is none.
    """
    try:
        document = json.loads(body.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict) or len(document) > MAX_PARAMETERS:
        raise ValueError("not an object")
    return [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in document.items()]


def check_signature(request: ApiRequest, ikey: str, skey: Secret, wall_time: float) -> Failure | None:
    """Check credentials, signature and Date of a request.

    Args:
        request: the request.
        ikey: the integration key that is served.
        skey: its secret key.
        wall_time: the service's clock, seconds since 1970.

    Returns:
        None when all is well, else the error. The Date is compared last: only a caller who has the key learns that its
        clock is wrong.
    """
    credentials = _credentials(request.header("authorization"))
    if credentials is None:
        return NO_CREDENTIALS
    sent_ikey, sent_digest = credentials
    if sent_ikey != ikey:
        return WRONG_IKEY
    date = request.header("x-duo-date") or request.header("date")
    if not date:
        return NO_TIMESTAMP
    hash_name = _HASH_BY_HEX_LENGTH.get(len(sent_digest))
    if hash_name is None or not _digest_fits(request, date, sent_digest, hash_name, skey):
        return WRONG_SIGNATURE
    return None if _is_near(date, wall_time) else BAD_TIMESTAMP


def _credentials(authorization: str) -> tuple[str, str] | None:
    """Name and password of a Basic header, or None."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        ikey, colon, digest = base64.b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")
    except ValueError:  # not ASCII, or not Base64
        return None
    return (ikey, digest) if colon else None


def _digest_fits(request: ApiRequest, date: str, digest: str, hash_name: str, skey: Secret) -> bool:
    """Whether the digest is that of one of the forms in which this request may be signed."""
    return any(
        hmac.compare_digest(hmac.new(skey.reveal(), text.encode("utf-8"), hash_name).hexdigest(), digest.lower())
        for text in _signed_texts(request, date, hash_name)
    )


def _signed_texts(request: ApiRequest, date: str, hash_name: str) -> Iterator[str]:
    """The texts that the sender may have signed: version 2, or 4 and 5; host with and without its port."""
    host = request.header("host").lower()
    has_json = request.media_type() == JSON_TYPE
    for name in dict.fromkeys((host, _without_port(host))):
        head = [date, request.method.upper(), name, request.path]
        if not has_json:
            body = request.body.decode("ascii", "replace")
            yield "\n".join([*head, canonical_parameters("&".join(part for part in (request.query, body) if part))])
        if hash_name != "sha512" or request.path.startswith("/rest/v1/") or (request.body and not has_json):
            continue
        body_hash = hashlib.sha512(request.body).hexdigest()
        version_4 = [*head, canonical_parameters(request.query), body_hash]
        yield "\n".join(version_4)
        yield "\n".join([*version_4, _hash_of_duo_headers(request)])


def canonical_parameters(encoded: str) -> str:
    """Names and values in the one spelling that is signed: sorted, everything but unreserved characters encoded.

    Source: RFC 5849 §3.4.1.3.2.
    """
    try:
        pairs = _pairs(encoded)
    except ValueError:
        return ""
    spelled = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in spelled)


def _hash_of_duo_headers(request: ApiRequest) -> str:
    """SHA-512 of the `X-Duo-*` headers: names in lower case, sorted, names and values by turns, NUL between."""
    parts: list[str] = []
    for name in sorted(name for name in request.headers if name.startswith("x-duo-")):
        parts += [name, request.header(name)]
    return hashlib.sha512("\0".join(parts).encode("utf-8")).hexdigest()


def _without_port(host: str) -> str:
    """`localhost:18443` → `localhost`; `[::1]:18443` → `[::1]`."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def _is_near(date: str, wall_time: float) -> bool:
    """Whether an RFC 2822 date is within `MAX_CLOCK_DIFFERENCE_S`."""
    try:
        moment = email.utils.parsedate_to_datetime(date)
        if moment.tzinfo is None:  # "-0000" is UTC without a word about the place
            moment = moment.replace(tzinfo=datetime.UTC)
        return abs(moment.timestamp() - wall_time) <= MAX_CLOCK_DIFFERENCE_S
    except (ValueError, OverflowError, TypeError):
        return False
