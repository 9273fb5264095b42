"""The stand-in Duo service over HTTP.

Reads requests, waits with the answer until the user has given one, and fails on demand.
"""

from __future__ import annotations

import email.utils
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.util import Redirect

from duoproxy.sandbox.duo_api import PREFIXES, ApiReply, ApiWait, DuoApi, split_path
from duoproxy.sandbox.faults import Fault, FaultKind, Faults
from duoproxy.sandbox.signatures import ApiRequest

if TYPE_CHECKING:
    from duoproxy.sandbox.duo_runner import DuoRunner

MAX_BODY_BYTES = 65_536
HUGE_BODY_BYTES = 1_048_576
MAX_HEADERS = 100
_log = Logger()


class ApiResource(Resource):
    """`/auth/v2/…` and `/rest/v1/…`.

    Args:
        api: answers.
        runner: the clock, and who waits.
        faults: what goes wrong on demand.
    """

    isLeaf = True

    def __init__(self, api: DuoApi, runner: DuoRunner, faults: Faults) -> None:
        Resource.__init__(self)
        self._api = api
        self._runner = runner
        self._faults = faults

    def render(self, request: Request) -> int:
        """Begin to answer; a caller who hangs up ends the waiting, not the push."""
        serving = Deferred.fromCoroutine(self._serve(request))
        request.notifyFinish().addErrback(lambda _: serving.cancel())
        serving.addErrback(_log_unless_cancelled)
        return NOT_DONE_YET

    async def _serve(self, request: Request) -> None:
        """Answer, or fail as it was asked for."""
        api_request = read_request(request)
        generation, call = split_path(api_request.path)
        fault = self._faults.take(call, generation)
        request.setHeader("date", email.utils.formatdate(self._wall_time(), usegmt=True))
        if fault is not None and not await self._fail(request, fault):
            return
        answer = self._api.handle(api_request, self._runner.now(), self._runner.wall_time())
        self._runner.arm()
        if isinstance(answer, ApiWait):
            await self._runner.wait(answer)
            answer = answer.reply()
        send(request, answer.status, answer.body())

    def _wall_time(self) -> float:
        """The service's clock."""
        return self._runner.wall_time() + self._faults.clock_offset_s

    async def _fail(self, request: Request, fault: Fault) -> bool:
        """Do as the fault says; true when the request is to be answered in spite of it."""
        if fault.kind is FaultKind.SLOW:
            await self._runner.sleep(fault.seconds)
            return True
        if fault.kind is FaultKind.CLOSE:
            cut(request)
        elif fault.kind is FaultKind.STATUS:
            document = {"stat": "FAIL", "code": fault.error_code(), "message": "The sandbox was told to fail"}
            send(request, fault.status, ApiReply(fault.status, document).body())
        elif fault.kind is FaultKind.GARBAGE:
            send(request, 200, b"<html>this is not what was asked for</html>", "text/html")
        elif fault.kind is FaultKind.HUGE:
            send(request, 200, b'{"stat": "OK", "response": "' + b"x" * HUGE_BODY_BYTES + b'"}')
        elif fault.kind is FaultKind.REDIRECT:
            request.setHeader("location", "https://localhost:1/elsewhere")
            send(request, 302, b"{}")
        elif fault.kind is FaultKind.STALL:
            request.setHeader("content-length", "1000")
            request.write(b'{"stat": ')
        return False


class Folder(Resource):
    """A part of a path below which something is, and which is nothing itself."""

    def __init__(self) -> None:
        Resource.__init__(self)

    def getChild(self, path: bytes, request: Request) -> IResource:
        """Nothing of that name is here."""
        return notFound()

    def render(self, request: Request) -> int:
        """Nothing is here."""
        send(request, 404, b"Nothing is here.\n", "text/plain")
        return NOT_DONE_YET


class RootResource(Folder):
    """The root: the API's paths, the way to the phone page, and what else is put under it."""

    def __init__(self, api: ApiResource) -> None:
        super().__init__()
        self.putChild(b"", Redirect(b"/phone/"))
        for prefix in PREFIXES.values():
            _, room, generation, _ = prefix.split("/")
            folder = Folder()
            folder.putChild(generation.encode("ascii"), api)
            self.putChild(room.encode("ascii"), folder)


def read_request(request: Request) -> ApiRequest:
    """Take from a request what the API looks at; of a body that is too long only the beginning."""
    uri: bytes = request.uri
    path, _, query = uri.partition(b"?")
    headers: dict[str, list[str]] = {}
    for name, values in list(request.requestHeaders.getAllRawHeaders())[:MAX_HEADERS]:
        headers[name.decode("latin-1").lower()] = [value.decode("latin-1") for value in values]
    body = request.content.read(MAX_BODY_BYTES) if request.content is not None else b""
    method: bytes = request.method
    return ApiRequest(method.decode("latin-1"), path.decode("latin-1"), query.decode("latin-1"), headers, body)


def send(request: Request, status: int, body: bytes, content_type: str = "application/json") -> None:
    """Send a whole answer."""
    request.setResponseCode(status)
    request.setHeader("content-type", content_type)
    request.setHeader("content-length", str(len(body)))
    request.setHeader("cache-control", "no-store")
    request.write(body)
    request.finish()


def cut(request: Request) -> None:
    """Cut the connection without a word."""
    channel: Any = request.channel
    if channel is not None and channel.transport is not None:
        channel.transport.abortConnection()


def _log_unless_cancelled(failure: Failure) -> None:
    """A caller who hung up is no fault."""
    if not failure.check(CancelledError):
        _log.failure("the sandbox could not answer", failure)
