"""The Auth API of the stand-in Duo service: routes, signatures, errors; both generations behind one `handle`.

Pure: a request, the time and the service go in; a reply comes out, or a note that the answer has to wait for the user.
How the two generations spell their calls is in `duo_api_v2` and `duo_api_v1`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from attrs import frozen

from duoproxy.sandbox.duo_service import BadParameter, DuoService, TooManyPending
from duoproxy.sandbox.faults import Faults
from duoproxy.sandbox.signatures import ApiRequest, Failure, check_signature, read_parameters
from duoproxy.sandbox.transactions import Transaction
from duoproxy.secret import Secret

MAX_AUTH_WAIT_S = 120.0
MAX_STATUS_WAIT_S = 30.0
PREFIXES = {"v2": "/auth/v2/", "v1": "/rest/v1/"}

NOT_FOUND = Failure(40401, "Resource not found")
WRONG_METHOD = Failure(40501, "Method not allowed")
WRONG_TYPE = Failure(40301, "Access forbidden", "Wrong integration type for this API.")
TOO_MANY = Failure(42901, "Too many requests")


class InvalidCall(Exception):
    """A parameter is missing or wrong; carries the `Failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def missing(name: str) -> InvalidCall:
    """The error for a parameter that has to be there."""
    return InvalidCall(Failure(40001, "Missing required request parameters", name))


def invalid(name: str) -> InvalidCall:
    """The error for a parameter that cannot be."""
    return InvalidCall(Failure(40002, "Invalid request parameters", name))


@frozen
class ApiReply:
    """What is sent back.

    Attributes:
        status: HTTP status.
        document: the JSON body.
    """

    status: int
    document: Mapping[str, object]

    def body(self) -> bytes:
        """The JSON body as octets."""
        return json.dumps(self.document).encode("utf-8")


@frozen
class ApiWait:
    """The answer has to wait for the user.

    Attributes:
        transaction: the attempt.
        until: seconds; then it is answered as it stands.
        render: makes the response of the attempt in the words of the generation that asked.
    """

    transaction: Transaction
    until: float
    render: Callable[[Transaction], object]

    def reply(self) -> ApiReply:
        """The reply for the attempt as it now stands."""
        return success(self.render(self.transaction))


@frozen
class CallContext:
    """What a call is given.

    Attributes:
        service: the service.
        parameters: name → value.
        now: seconds.
        wall_time: the service's clock, seconds since 1970.
        base_url: `https://localhost:18443`.
    """

    service: DuoService
    parameters: Mapping[str, str]
    now: float
    wall_time: float
    base_url: str

    def required(self, name: str) -> str:
        """The parameter of that name.

        Raises:
            InvalidCall: it is missing or empty.
        """
        value = self.parameters.get(name, "")
        if not value:
            raise missing(name)
        return value

    def flag(self, name: str) -> bool:
        """Whether a parameter says yes."""
        return self.parameters.get(name, "").lower() in ("1", "true")


@frozen
class Call:
    """One call of the API.

    Attributes:
        method: the HTTP method.
        run: gives the response object, or a wait.
        signed: whether credentials are needed.
    """

    method: str
    run: Callable[[CallContext], object | ApiWait]
    signed: bool = True


def success(response: object) -> ApiReply:
    """The envelope of a success."""
    return ApiReply(200, {"stat": "OK", "response": response})


def refusal(failure: Failure) -> ApiReply:
    """The envelope of an error."""
    document: dict[str, object] = {"stat": "FAIL", "code": failure.code, "message": failure.message}
    if failure.detail:
        document["message_detail"] = failure.detail
    return ApiReply(failure.status, document)


def split_path(path: str) -> tuple[str, str]:
    """Generation and name of the call that a path names, such as `("v2", "preauth")`; two empty texts for others."""
    for generation, prefix in PREFIXES.items():
        if path.startswith(prefix):
            return generation, path.removeprefix(prefix)
    return "", ""


class DuoApi:
    """The API over one service.

    Args:
        service: the service.
        faults: which generations are refused, and the clock's offset.
        calls: (generation, name) → call.
        ikey: the integration key that is served.
        skey: its secret key.
        base_url: where the phone page is.
    """

    def __init__(
        self,
        service: DuoService,
        faults: Faults,
        calls: Mapping[tuple[str, str], Call],
        ikey: str,
        skey: Secret,
        base_url: str,
    ) -> None:
        self._service = service
        self._faults = faults
        self._calls = calls
        self._ikey = ikey
        self._skey = skey
        self._base_url = base_url

    def handle(self, request: ApiRequest, now: float, wall_time: float) -> ApiReply | ApiWait:
        """Answer one request.

        Args:
            request: the request.
            now: seconds, the state machine's time.
            wall_time: the true time, seconds since 1970.
        """
        generation, name = split_path(request.path)
        parameters = read_parameters(request)
        answer = self._answer(request, generation, name, parameters, now, wall_time + self._faults.clock_offset_s)
        outcome = "waits" if isinstance(answer, ApiWait) else str(answer.status)
        self._service.journal.note("request", _username(parameters), now, f"{generation}/{name} {outcome}")
        return answer

    def _answer(
        self,
        request: ApiRequest,
        generation: str,
        name: str,
        parameters: Mapping[str, str] | Failure,
        now: float,
        wall_time: float,
    ) -> ApiReply | ApiWait:
        """Check all that stands before a call, and run it."""
        call = self._calls.get((generation, name))
        failure = self._refusal(request, generation, call, wall_time)
        if failure is None and isinstance(parameters, Failure):
            failure = parameters
        if failure is not None or call is None or isinstance(parameters, Failure):
            return refusal(failure or NOT_FOUND)
        try:
            response = call.run(CallContext(self._service, parameters, now, wall_time, self._base_url))
        except InvalidCall as error:
            return refusal(error.failure)
        except BadParameter as error:
            return refusal(invalid(str(error)).failure)
        except TooManyPending:
            return refusal(TOO_MANY)
        return response if isinstance(response, ApiWait) else success(response)

    def _refusal(self, request: ApiRequest, generation: str, call: Call | None, wall_time: float) -> Failure | None:
        """Why the request is refused before its parameters are looked at, or None."""
        if call is None or self._faults.refused.get(generation) == NOT_FOUND.status:
            return NOT_FOUND
        if request.method != call.method:
            return WRONG_METHOD
        if not call.signed:
            return None
        failure = check_signature(request, self._ikey, self._skey, wall_time)
        if failure is None and generation in self._faults.refused:
            return WRONG_TYPE
        return failure


def _username(parameters: Mapping[str, str] | Failure) -> str:
    """Whom a request is about, for the list of events."""
    if isinstance(parameters, Failure):
        return ""
    return (parameters.get("username") or parameters.get("user") or "")[:256]
