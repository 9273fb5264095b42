"""Routes, errors and waiting in the sandbox's API, without HTTP."""

from __future__ import annotations

import email.utils
import itertools
import json
from typing import Any
from urllib.parse import urlencode

import duo_client.client
import pytest

from duoproxy.sandbox import duo_service
from duoproxy.sandbox.accounts import Reaction, parse_behaviour
from duoproxy.sandbox.duo_api import ApiReply, ApiWait, DuoApi, split_path
from duoproxy.sandbox.duo_api_v1 import CALLS as V1_CALLS
from duoproxy.sandbox.duo_api_v2 import CALLS as V2_CALLS
from duoproxy.sandbox.duo_service import DuoService
from duoproxy.sandbox.faults import Faults
from duoproxy.sandbox.signatures import ApiRequest
from duoproxy.secret import Secret

IKEY, SKEY = "DISANDBOX00000000000", "k" * 40
WALL_TIME = 1_790_000_000.0


class Api:
    """An API and a caller that signs."""

    def __init__(self, *lines: str) -> None:
        counter = itertools.count(1)
        self.service = DuoService(
            [parse_behaviour(line) for line in lines], lambda count: next(counter).to_bytes(count, "little")
        )
        self.faults = Faults()
        calls = {**V1_CALLS, **V2_CALLS}
        self.api = DuoApi(self.service, self.faults, calls, IKEY, Secret(SKEY), "https://localhost:18443")

    def send(self, method: str, path: str, now: float = 0.0, /, **parameters: str) -> ApiReply | ApiWait:
        date = email.utils.formatdate(WALL_TIME)
        normal = duo_client.client.normalize_params(parameters)
        authorization = duo_client.client.sign(IKEY, SKEY, method, "localhost", path, date, 2, normal)
        headers = {
            "host": ["localhost"],
            "date": [date],
            "authorization": [authorization],
            "content-type": ["application/x-www-form-urlencoded"],
        }
        encoded = urlencode(parameters)
        query, body = (encoded, b"") if method == "GET" else ("", encoded.encode())
        return self.api.handle(ApiRequest(method, path, query, headers, body), now, WALL_TIME)

    def response(self, method: str, path: str, **parameters: str) -> Any:
        reply = self.send(method, path, **parameters)
        assert isinstance(reply, ApiReply), reply
        assert reply.document["stat"] == "OK", reply
        return reply.document["response"]

    def code(self, method: str, path: str, **parameters: str) -> object:
        reply = self.send(method, path, **parameters)
        assert isinstance(reply, ApiReply), reply
        assert reply.status == int(str(reply.document["code"])[:3])
        return reply.document["code"]


def test_a_path_names_generation_and_call() -> None:
    """Both prefixes are known; everything else is no call."""
    assert split_path("/auth/v2/preauth") == ("v2", "preauth")
    assert split_path("/rest/v1/auth") == ("v1", "auth")
    assert split_path("/admin/v1/users") == ("", "")


def test_ping_needs_no_signature_and_check_does() -> None:
    """An unsigned check is 40101."""
    api = Api().api
    assert api.handle(ApiRequest("GET", "/auth/v2/ping"), 0.0, WALL_TIME) == ApiReply(
        200, {"stat": "OK", "response": {"time": int(WALL_TIME)}}
    )
    reply = api.handle(ApiRequest("GET", "/auth/v2/check"), 0.0, WALL_TIME)
    assert isinstance(reply, ApiReply)
    assert json.loads(reply.body()) == {"stat": "FAIL", "code": 40101, "message": "Missing request credentials"}


def test_what_is_not_there_is_told_by_its_code() -> None:
    """Unknown paths 40401, wrong methods 40501, missing parameters 40001, wrong ones 40002."""
    api = Api("alice push")
    assert api.code("GET", "/auth/v2/nothing") == 40401
    assert api.code("GET", "/admin/v1/users") == 40401
    assert api.code("GET", "/auth/v2/preauth") == 40501
    assert api.code("POST", "/auth/v2/preauth") == 40001
    assert api.code("POST", "/auth/v2/preauth", username="alice", user_id="DU") == 40002
    assert api.code("POST", "/auth/v2/preauth", user_id="DUNOBODY") == 40002
    assert api.code("POST", "/auth/v2/auth", username="alice") == 40001
    assert api.code("POST", "/auth/v2/auth", username="alice", factor="push") == 40001
    assert api.code("POST", "/auth/v2/auth", username="alice", factor="smoke", device="auto") == 40002
    assert api.code("POST", "/auth/v2/auth", username="alice", factor="push", device="DPX") == 40002
    assert api.code("POST", "/auth/v2/auth", username="alice", factor="passcode") == 40002
    assert api.code("POST", "/auth/v2/enroll", valid_secs="long") == 40002
    assert api.code("POST", "/rest/v1/auth", user="alice", factor="auto") == 40001
    assert api.code("POST", "/rest/v1/auth", user="alice", factor="push", phone="phone9") == 40002
    assert api.code("POST", "/rest/v1/auth", user="alice", factor="smoke") == 40002
    assert api.code("GET", "/rest/v1/status", txid="nothing") == 40002


def test_a_user_is_named_by_identifier_too() -> None:
    """Preauth by user_id is preauth of that user."""
    api = Api("frank bypass")
    account = api.service.account("frank")
    assert account is not None
    assert api.response("POST", "/auth/v2/preauth", user_id=account.user_id)["result"] == "allow"


@pytest.mark.parametrize(
    ("path", "parameters", "approved"),
    [
        (
            "/auth/v2/auth",
            {"username": "alice", "factor": "push", "device": "auto"},
            {"result": "allow", "status": "allow", "status_msg": "Success. Logging you in..."},
        ),
        (
            "/rest/v1/auth",
            {"user": "alice", "factor": "push", "phone": "phone1"},
            {"result": "allow", "status": "Success. Logging you in..."},
        ),
    ],
)
def test_a_blocking_auth_waits_for_the_user(path: str, parameters: dict[str, str], approved: object) -> None:
    """The answer is not known before the user has answered, and is in the words of the generation that asked."""
    api = Api("alice push")
    wait = api.send("POST", path, 5.0, **parameters)
    assert isinstance(wait, ApiWait)
    assert wait.until == 125.0
    api.service.answer(wait.transaction.txid, Reaction.APPROVE, 6.0)
    assert wait.reply().document == {"stat": "OK", "response": approved}


@pytest.mark.parametrize(
    ("auth", "status", "name"),
    [("/auth/v2/auth", "/auth/v2/auth_status", "username"), ("/rest/v1/auth", "/rest/v1/status", "user")],
)
def test_a_status_is_told_once_and_then_waited_for(auth: str, status: str, name: str) -> None:
    """The second call in the same state waits at most 30 s for news."""
    api = Api("alice push")
    txid = api.response("POST", auth, **{name: "alice", "factor": "push", "device": "auto", "async": "1"})["txid"]
    assert "allow" not in api.response("GET", status, txid=txid).values()
    wait = api.send("GET", status, 10.0, txid=txid)
    assert isinstance(wait, ApiWait)
    assert wait.until == 40.0
    api.service.answer(txid, Reaction.APPROVE, 11.0)
    assert api.response("GET", status, txid=txid)["result"] == "allow"
    assert api.response("GET", status, txid=txid)["result"] == "allow"


def test_an_asynchronous_passcode_has_a_transaction_too() -> None:
    """The transaction is finished when it begins."""
    api = Api("carol passcode 424242")
    txid = api.response(
        "POST", "/auth/v2/auth", **{"username": "carol", "factor": "passcode", "passcode": "1", "async": "1"}
    )
    status = api.response("GET", "/auth/v2/auth_status", **txid)
    assert (status["result"], status["status_msg"]) == ("deny", "Incorrect passcode. Please try again.")


def test_generation_1_reads_words_and_codes_behind_auto() -> None:
    """`push2` and `phone` are factors, everything else is a passcode."""
    api = Api("judy phone push", "carol passcode 424242")
    assert isinstance(api.send("POST", "/rest/v1/auth", user="judy", factor="auto", auto="PUSH2"), ApiWait)
    assert isinstance(api.send("POST", "/rest/v1/auth", user="judy", factor="auto", auto="auto"), ApiWait)
    assert [attempt.factor for attempt in api.service.pending()] == ["push", "push"]
    assert api.code("POST", "/rest/v1/auth", user="judy", factor="auto", auto="push1") == 40002
    assert api.response("POST", "/rest/v1/auth", user="carol", factor="auto", auto="424242")["result"] == "allow"


def test_generation_1_prompts_even_a_user_without_a_phone() -> None:
    """A token has no line in the prompt."""
    carol = Api("carol passcode").response("POST", "/rest/v1/preauth", user="carol")
    assert carol == {
        "result": "auth",
        "prompt": "Duo two-factor login for carol\n\nEnter a passcode.\n\nPasscode: ",
        "factors": {},
    }


def test_what_the_push_shows_comes_from_the_request() -> None:
    """Address and pushinfo are kept for the phone page, in bounds."""
    api = Api("alice push")
    info = urlencode({f"name {number}": "x" * 1000 for number in range(30)})
    api.send("POST", "/auth/v2/auth", username="alice", factor="push", device="auto", ipaddr="192.0.2.1", pushinfo=info)
    details = api.service.pending()[0].details
    assert details["ipaddr"] == "192.0.2.1"
    assert len(details) == 21
    assert details["name 0"] == "x" * 256


def test_a_generation_is_refused_on_demand() -> None:
    """403 says wrong application type, for signed calls with the right key; 404 says that nothing is there."""
    api = Api("alice push")
    api.faults.refused = {"v2": 403}
    assert api.code("GET", "/auth/v2/check") == 40301
    assert api.response("GET", "/auth/v2/ping")["time"] == int(WALL_TIME)
    assert api.response("GET", "/rest/v1/check") == "valid"
    api.faults.refused = {"v2": 404}
    assert api.code("GET", "/auth/v2/ping") == 40401


def test_the_clock_of_the_service_can_be_wrong() -> None:
    """Its time shows in ping and decides about the Date."""
    api = Api()
    api.faults.clock_offset_s = 301.0
    assert api.response("GET", "/auth/v2/ping")["time"] == int(WALL_TIME) + 301
    assert api.code("GET", "/auth/v2/check") == 40105


def test_too_many_pending_pushes_are_a_429(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of the service shows as the API's rate limit."""
    monkeypatch.setattr(duo_service, "MAX_PENDING", 0)
    assert Api("alice push").code("POST", "/rest/v1/auth", user="alice", factor="push") == 42901


def test_every_request_is_in_the_list_of_events() -> None:
    """Tests see who called what, and with which status it ended."""
    api = Api("alice push")
    api.send("POST", "/auth/v2/preauth", 1.0, username="alice")
    api.send("POST", "/rest/v1/auth", 2.0, user="alice", factor="push")
    api.send("GET", "/auth/v2/nothing", 3.0)
    requests = [event for event in api.service.journal.since(0) if event.what == "request"]
    assert [(event.at, event.username, event.detail) for event in requests] == [
        (1.0, "alice", "v2/preauth 200"),
        (2.0, "alice", "v1/auth waits"),
        (3.0, "", "v2/nothing 404"),
    ]
