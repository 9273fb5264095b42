"""JSON over HTTP for people and tests on this machine, and nobody else's web page.

A page from elsewhere that runs in a browser on this machine must neither read nor send anything here: the Host header
has to be a loopback name (against DNS rebinding), and every request needs a header of ours, which no page of another
origin can send without asking first, and which is never granted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from attrs import frozen
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from duoproxy.sandbox.duo_web import MAX_BODY_BYTES, send

SANDBOX_HEADER = "x-sandbox"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

JsonHandler = Callable[[object, Mapping[str, str]], object]
"""(document of a POST or None, query) → document of the answer; raises ValueError with a sentence."""


@frozen
class JsonCall:
    """One path.

    Attributes:
        method: `GET` or `POST`.
        handler: answers it.
    """

    method: str
    handler: JsonHandler


class JsonResource(Resource):
    """A folder of JSON calls.

    Args:
        calls: last part of the path → call.
    """

    isLeaf = True

    def __init__(self, calls: Mapping[str, JsonCall]) -> None:
        Resource.__init__(self)
        self._calls = calls

    def render(self, request: Request) -> int:
        """Check who asks, and answer."""
        status, document = self._answer(request)
        send(request, status, json.dumps(document).encode("utf-8"))
        return NOT_DONE_YET

    def _answer(self, request: Request) -> tuple[int, object]:
        """HTTP status and document."""
        name = b"/".join(request.postpath or []).decode("latin-1")
        call = self._calls.get(name)
        refused = reason_to_refuse(request)
        if refused:
            return 403, {"error": refused}
        if call is None:
            return 404, {"error": f"there is no {name!r}; there are: {', '.join(self._calls)}"}
        if request.method != call.method.encode("ascii"):
            return 405, {"error": f"{name} takes {call.method}"}
        try:
            return 200, call.handler(_document(request), _query(request))
        except ValueError as error:
            return 400, {"error": str(error)}


def is_loopback_host(request: Request) -> bool:
    """Whether the Host header is a loopback name, with or without a port."""
    host = (request.getHeader("host") or "").lower()
    name, colon, port = host.rpartition(":")
    return host in LOOPBACK_HOSTS or (bool(colon) and name in LOOPBACK_HOSTS and port.isdecimal())


def reason_to_refuse(request: Request) -> str:
    """Why a JSON request may come from a web page of somebody else; empty when it cannot."""
    if not is_loopback_host(request):
        return "the Host header is not a loopback name"
    if not request.getHeader(SANDBOX_HEADER):
        return f"the header {SANDBOX_HEADER} is missing"
    origin = request.getHeader("origin")
    if origin is not None and origin.lower() != f"https://{(request.getHeader('host') or '').lower()}":
        return "the request comes from a page of another origin"
    content_type = (request.getHeader("content-type") or "").split(";")[0].strip().lower()
    if request.method == b"POST" and content_type != "application/json":
        return "the content type is not application/json"
    return ""


def _document(request: Request) -> object:
    """The JSON body of a POST; None for other methods.

    Raises:
        ValueError: it is no JSON.
    """
    if request.method != b"POST" or request.content is None:
        return None
    try:
        return json.loads(request.content.read(MAX_BODY_BYTES) or b"null")
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None


def _query(request: Request) -> Mapping[str, str]:
    """The query, the first value of each name."""
    args: Mapping[bytes, list[bytes]] = request.args or {}
    return {name.decode("latin-1"): values[0].decode("latin-1") for name, values in args.items()}


def text_field(document: object, name: str) -> str:
    """A text out of a JSON object.

    Raises:
        ValueError: it is not there.
    """
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, str) or not value:
        raise ValueError(f"the text {name!r} is missing")
    return value
