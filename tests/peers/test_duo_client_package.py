"""The vendor's own duo_client package calls our stand-in Duo service over HTTPS, in both generations of the API."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import sys
import threading
from collections.abc import Callable
from typing import Any

import duo_client
import pytest
from duo_client.auth_v1 import AuthV1

from tests.peers.conftest import StartServer
from tests.peers.ports import free_port
from tests.peers.proxy import proxy_environment
from tests.peers.sandbox_duo_process import IKEY, READY, SKEY
from tests.peers.server import output_matches, wait_until

# The package still asks for any version of TLS by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated:DeprecationWarning")

USERS = ("alice push", "bob phone", "carol passcode 424242", "dave deny", "erin enroll", "frank bypass", "grace locked")
MORE_USERS = ("heidi timeout 0.2", "ivan approve-after 0.2", "judy phone push approve-after 0", "mallory fraud")


class StandIn:
    """The running stand-in: clients for it, and its controls."""

    def __init__(self, port: int, ca_file: str) -> None:
        self.port = port
        self.ca_file = ca_file

    def client(self, kind: type[Any] = duo_client.Auth, **changes: Any) -> Any:
        place = {"host": "localhost", "port": self.port, "ca_certs": self.ca_file, "timeout": 20}
        return kind(**{"ikey": IKEY, "skey": SKEY, **place, **changes})

    def call(self, path: str, document: object = None) -> Any:
        context = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=20)
        headers = {"X-Sandbox": "test", "Content-Type": "application/json"}
        connection.request(
            "GET" if document is None else "POST",
            path,
            None if document is None else json.dumps(document),
            headers,
        )
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        assert answer.status == 200, body
        return body


@pytest.fixture
def stand_in(run_server: StartServer) -> StandIn:
    port = free_port()
    server = run_server(
        "stand-in",
        [sys.executable, "-m", "tests.peers.sandbox_duo_process", str(port), "ca.pem", *USERS, *MORE_USERS],
        ready=output_matches(READY),
        environment=proxy_environment(),
    )
    return StandIn(port, str(server.folder / "ca.pem"))


def error_of(call: Callable[[], object]) -> tuple[int, int]:
    """HTTP status and code of the error that a call of the package ends with."""
    with pytest.raises(RuntimeError) as caught:
        call()
    error: Any = caught.value
    data = error.data  # the package has parsed it
    return error.status, data["code"]


SIGNATURES: list[dict[str, Any]] = [
    {"sig_version": 5},
    {"sig_version": 4},
    {"sig_version": 2, "digestmod": hashlib.sha512},
    {"sig_version": 2, "digestmod": hashlib.sha1},
]


def test_every_signature_of_the_package_is_accepted_and_a_wrong_key_is_not(stand_in: StandIn) -> None:
    """Versions 2 (SHA-1 and SHA-512), 4 and 5 are checked; another key is 40103, another integration 40102."""
    for signature in SIGNATURES:
        client = stand_in.client(**signature)
        assert client.ping()["time"] > 0
        assert client.check()["time"] > 0
        assert client.preauth(username="älice ~+&=% ")["result"] == "enroll"
        assert error_of(stand_in.client(**signature, skey="x" * 40).check) == (401, 40103)
    assert error_of(stand_in.client(ikey="DIOTHER").check) == (401, 40102)


def test_preauth_tells_what_to_do_with_each_user(stand_in: StandIn) -> None:
    """The call preauth answers auth with devices, allow, deny, or enroll with an address."""
    client = stand_in.client()
    alice = client.preauth(username="alice", ipaddr="192.0.2.1")
    assert alice["result"] == "auth"
    assert [device["capabilities"] for device in alice["devices"]] == [["auto", "push", "sms", "phone", "mobile_otp"]]
    assert client.preauth(username="carol")["devices"][0]["type"] == "token"
    assert client.preauth(username="frank")["result"] == "allow"
    assert client.preauth(username="grace")["result"] == "deny"
    erin = client.preauth(username="erin")
    assert erin["result"] == "enroll"
    assert erin["enroll_portal_url"].startswith(f"https://localhost:{stand_in.port}/phone/#enroll=")


@pytest.mark.parametrize(
    ("user", "result", "status"),
    [
        ("ivan", "allow", "allow"),
        ("dave", "deny", "deny"),
        ("heidi", "deny", "timeout"),
        ("mallory", "deny", "fraud"),
        ("judy", "allow", "allow"),
    ],
)
def test_a_blocking_push_ends_as_the_user_reacts(stand_in: StandIn, user: str, result: str, status: str) -> None:
    """The call auth holds the request until the push is answered."""
    answer = stand_in.client().auth("push", username=user, device="auto", pushinfo="from=login%20portal")
    assert (answer["result"], answer["status"]) == (result, status)


def test_a_push_is_answered_on_the_phone_page(stand_in: StandIn) -> None:
    """The phone's JSON calls list the push of a blocking auth, and approving it ends the call."""
    answers: list[dict[str, str]] = []
    client = stand_in.client()
    caller = threading.Thread(target=lambda: answers.append(client.auth("push", username="alice", device="auto")))
    caller.start()
    wait_until(lambda: stand_in.call("/phone/state")["pending"], "a push on the phone page")
    waiting = stand_in.call("/phone/state")["pending"]
    assert waiting[0]["username"] == "alice"
    assert stand_in.call("/phone/answer", {"txid": waiting[0]["txid"], "answer": "approve"}) == {"answered": True}
    caller.join(20)
    assert answers == [{"result": "allow", "status": "allow", "status_msg": "Success. Logging you in..."}]
    assert stand_in.call("/sandbox/state")["asked"] == {"alice": {"push": 1}}


def test_an_asynchronous_push_is_polled_until_it_is_answered(stand_in: StandIn) -> None:
    """auth_status says at once that the push went out, and then waits for news."""
    client = stand_in.client()
    txid = client.auth("push", username="ivan", device="auto", async_txn=True)["txid"]
    first = client.auth_status(txid)
    assert (first["waiting"], first["status"]) == (True, "pushed")
    last = client.auth_status(txid)
    assert (last["waiting"], last["success"], last["status"]) == (False, True, "allow")
    assert error_of(lambda: client.auth_status("no-such-transaction")) == (400, 40002)


def test_passcodes_and_sms_codes_are_compared(stand_in: StandIn) -> None:
    """A fixed passcode always works, an SMS code once; three wrong ones lock the account."""
    client = stand_in.client()
    assert client.auth("passcode", username="carol", passcode="424242")["result"] == "allow"
    assert client.auth("sms", username="alice", device="auto")["status"] == "sent"
    users = {user["username"]: user for user in stand_in.call("/phone/state")["users"]}
    code = users["alice"]["sms_codes"][0]
    assert client.preauth(username="alice")["devices"][0]["sms_nextcode"] == code[0]
    assert client.auth("passcode", username="alice", passcode=code)["result"] == "allow"
    for _ in range(3):
        assert client.auth("passcode", username="alice", passcode=code)["result"] == "deny"
    assert client.preauth(username="alice")["result"] == "deny"
    assert client.auth("passcode", username="alice", passcode=code)["status"] == "locked_out"


def test_a_new_user_enrolls(stand_in: StandIn) -> None:
    """The call enroll gives a code, enroll_status waits until it was used, and then the user has a phone."""
    client = stand_in.client()
    enrolled = client.enroll(username="newcomer", valid_secs=600)
    identity = (enrolled["user_id"], enrolled["activation_code"])
    assert client.enroll_status(*identity) == "waiting"
    code = enrolled["activation_code"].removeprefix("duo://")
    assert stand_in.call("/phone/enroll", {"code": code}) == {"enrolled": True}
    assert client.enroll_status(*identity) == "success"
    assert client.enroll_status(enrolled["user_id"], "another") == "success"
    assert client.preauth(username="newcomer")["result"] == "auth"
    assert client.enroll_status("DUNOBODY", "another") == "invalid"


def test_generation_1_answers_in_its_own_words(stand_in: StandIn) -> None:
    """Its ping says pong, check says valid; preauth has a prompt and factors; auth takes phone1 and codes."""
    client = stand_in.client(AuthV1)
    assert client.ping()
    assert client.check()
    judy = client.preauth("judy")
    assert judy["result"] == "auth"
    assert judy["factors"] == {
        "default": "push2",
        "1": "phone1",
        "2": "sms1",
        "3": "push2",
        "4": "phone2",
        "5": "sms2",
    }
    assert judy["prompt"].startswith("Duo two-factor login for judy\n\nEnter a passcode or select one of")
    assert judy["prompt"].endswith(" 5. SMS passcodes to XXX-XXX-0101\n\nPasscode or option (1-5): ")
    assert client.auth("judy", "push", phone="phone2")
    assert client.auth("judy", "auto", auto="push2")
    assert not client.auth("dave", "push")
    assert client.auth("carol", "passcode", passcode="424242")
    assert client.auth("carol", "auto", auto="424242")
    assert not client.auth("alice", "sms", phone="phone1")
    assert client.preauth("frank")["result"] == "allow"
    assert client.preauth("erin")["result"] == "enroll"
    assert error_of(lambda: client.auth("alice", "push", phone="phone2")) == (400, 40002)


def test_generation_1_has_transactions_too(stand_in: StandIn) -> None:
    """The call status has a result when the user has answered."""
    client = stand_in.client(AuthV1)
    txid = client.auth("ivan", "push", async_txn=True)
    assert client.status(txid) == (False, False, "Pushed a login request to your device...")
    assert client.status(txid) == (True, True, "Success. Logging you in...")


def test_an_application_of_the_wrong_type_is_refused_per_generation(stand_in: StandIn) -> None:
    """On demand one generation answers 40301, or is not there at all, and the other one works."""
    stand_in.call("/sandbox/generations", {"refused": {"v2": 403}})
    assert error_of(stand_in.client().check) == (403, 40301)
    assert stand_in.client(AuthV1).check()
    stand_in.call("/sandbox/generations", {"refused": {"v2": 404}})
    assert error_of(stand_in.client().check) == (404, 40401)
    stand_in.call("/sandbox/generations", {"refused": {"v1": 403}})
    assert error_of(stand_in.client(AuthV1).check) == (403, 40301)
    assert stand_in.client().check()


def test_a_clock_that_is_wrong_is_told(stand_in: StandIn) -> None:
    """A Date more than 300 s away from the service's clock is 40105."""
    stand_in.call("/sandbox/clock", {"offset_s": 290})
    assert stand_in.client().check()["time"] > 0
    stand_in.call("/sandbox/clock", {"offset_s": -400})
    assert error_of(stand_in.client().check) == (401, 40105)


def test_the_service_fails_on_demand(stand_in: StandIn) -> None:
    """429 and 5xx come as often as was asked for; a refused connection is refused until the time is over."""
    client = stand_in.client()
    stand_in.call("/sandbox/faults", {"faults": [{"kind": "status", "status": 503, "calls": ["preauth"], "count": 1}]})
    assert error_of(lambda: client.preauth(username="alice")) == (503, 50301)
    assert client.preauth(username="alice")["result"] == "auth"
    stand_in.call("/sandbox/faults", {"faults": [{"kind": "status", "status": 429, "count": 1}]})
    assert client.check()["time"] > 0  # the package waits a second and asks again
    stand_in.call("/sandbox/faults", {"faults": [{"kind": "close", "count": 1}]})
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        client.check()
    stand_in.call("/sandbox/faults", {"faults": [{"kind": "refuse", "seconds": 0.5}]})
    with pytest.raises(ConnectionRefusedError):
        client.check()
    wait_until(lambda: _answers(client), "the stand-in to listen again")
    assert [event["detail"] for event in stand_in.call("/sandbox/events")["events"]][-1] == "v2/check 200"


def _answers(client: Any) -> bool:
    try:
        return bool(client.check()["time"])
    except OSError:
        return False
