"""Calls to the stand-in Duo service, one a line: `/path {"name": "value"}`, ten seconds apart.

Those of the API are signed as our client signs; the phone page's and the controls' are what a browser or a test sends.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock

from duoproxy.duoapi.signing import ApiCall, Signature, signed_request
from duoproxy.sandbox.accounts import parse_behaviour
from duoproxy.sandbox.controls_web import Controls
from duoproxy.sandbox.duo_api import ApiReply, ApiWait, DuoApi
from duoproxy.sandbox.duo_api_v1 import CALLS as V1_CALLS
from duoproxy.sandbox.duo_api_v2 import CALLS as V2_CALLS
from duoproxy.sandbox.duo_runner import DuoRunner
from duoproxy.sandbox.duo_service import DuoService
from duoproxy.sandbox.faults import Faults
from duoproxy.sandbox.loopback_web import JsonCall
from duoproxy.sandbox.phone_web import phone_calls
from duoproxy.sandbox.signatures import ApiRequest
from duoproxy.secret import Secret

IKEY, SKEY = "DISANDBOX00000000000", Secret(b"this-key-is-public-and-not-secure-000000")
WALL_TIME = 1_790_000_000.0
SECONDS_APART = 10.0
MAX_CALLS = 20
USERS = ("alice", "bob phone passcode 123456", "carol deny", "dave enroll", "eve approve-after 15", "* bypass")
WORDS = (
    *(f"/auth/v2/{name} ".encode() for _, name in V2_CALLS),
    *(f"/rest/v1/{name} ".encode() for _, name in V1_CALLS),
    *(f"/phone/{name} ".encode() for name in ("state", "answer", "enroll")),
    *(f"/sandbox/{name} ".encode() for name in ("state", "events", "faults", "clock", "generations", "users", "reset")),
    *(b'"username": "', b'"user": "', b'"factor": "', b'"device": "', b'"txid": "', b'"async": "1"', b'"passcode": "'),
    *(b"alice", b"bob", b"dave", b"auto", b"push", b"sms", b"phone1", b"123456", b'"kind": "slow"', b'"seconds": 1e9'),
)


class _Sandbox:
    def __init__(self) -> None:
        counter = itertools.count(1)
        users = [parse_behaviour(line) for line in USERS]
        self.clock = Clock()
        service = DuoService(users, lambda size: next(counter).to_bytes(8, "big").rjust(size, b"\1")[-size:])
        faults = Faults()
        calls = {**V1_CALLS, **V2_CALLS}
        self.runner = DuoRunner(service, self.clock, lambda: WALL_TIME + self.clock.seconds())
        self.api = DuoApi(service, faults, calls, IKEY, SKEY, "https://localhost:18443")
        self.calls: dict[str, JsonCall] = {
            **{f"/phone/{name}": call for name, call in phone_calls(self.runner).items()},
            **{
                f"/sandbox/{name}": call for name, call in Controls(self.runner, faults, lambda _: None).calls().items()
            },
        }

    def call(self, path: str, document: Any) -> None:
        if path in self.calls:
            self._json_call(self.calls[path], document)
        else:
            self._api_call(path, document if isinstance(document, dict) else {})
        self.runner.arm()
        self.clock.advance(SECONDS_APART)

    @staticmethod
    def _json_call(call: JsonCall, document: Any) -> None:
        query = {"since": str(document)} if call.method == "GET" else {}
        try:
            answer = call.handler(document, query)
        except ValueError:
            return
        json.dumps(answer)

    def _api_call(self, path: str, document: Mapping[str, Any]) -> None:
        parameters = {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}
        method = "GET" if path.endswith(("check", "ping", "status")) else "POST"
        signature = Signature.V2 if path.startswith("/rest") else Signature.V5
        made = signed_request(
            ApiCall(method, path, parameters), signature, "localhost", WALL_TIME + self.clock.seconds(), IKEY, SKEY
        )
        target, _, query = made.target.partition("?")
        headers = {name.lower(): [value] for name, value in {**made.headers, "host": "localhost"}.items()}
        request = ApiRequest(made.method, target, query, headers, made.body or b"")
        answer = self.api.handle(request, self.clock.seconds(), self.runner.wall_time())
        if isinstance(answer, ApiWait):
            answer = answer.reply()
        assert isinstance(answer, ApiReply)
        assert json.loads(answer.body())["stat"] == ("OK" if answer.status == 200 else "FAIL")


def target(data: bytes) -> None:
    sandbox = _Sandbox()
    for line in data.splitlines()[:MAX_CALLS]:
        path, _, body = line.partition(b" ")
        try:
            document = json.loads(body or b"null")
        except (ValueError, RecursionError):
            document = body.decode("latin-1")
        sandbox.call(path.decode("ascii", "ignore"), document)
    sandbox.clock.advance(1000.0)
