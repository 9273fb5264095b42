"""radclient with what Microsoft RRAS sends for SSTP, L2TP and PPTP: answered, and the user's address told to Duo.

There is no Windows here; the attributes are those of RRAS with the authentication method PAP. Every test is a device of
its own (radclient can choose its source address), because a device is remembered by its address.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from tests.peers.lab import Lab, running_lab
from tests.peers.radclient import Answer, Pair, Radclient, login
from tests.peers.sandbox import PASSWORD, USERS

pytestmark = pytest.mark.needs_peer("radclient")

MICROSOFT = 311
# The value of Tunnel-Type that Microsoft took for SSTP: its vendor number, and 1.
SSTP = MICROSOFT << 8 | 1
TUNNEL_TYPES = {"sstp": SSTP, "l2tp": "L2TP", "pptp": "PPTP"}
TUNNELS = tuple(TUNNEL_TYPES)
CLIENT = "203.0.113.77"
PROXY_STATES = ("0xfe800000000000000000000000000137", "0x00000007", "0xfe800000000000000000000000000137")
SILENCE_S = 0.5

_devices = (f"127.0.77.{number}" for number in itertools.count(1))

ANYBODY = {"radius_ip_1": "127.0.0.0/8"}
LISTENERS = {
    "auto": ANYBODY,
    "required": {**ANYBODY, "require_message_authenticator": "yes"},
    "limited": {**ANYBODY, "limit_proxy_state": "yes"},
    "lenient": {**ANYBODY, "require_message_authenticator": "no", "limit_proxy_state": "no"},
}


def rras(tunnel: str, proxy_states: tuple[str, ...] = PROXY_STATES) -> list[Pair]:
    """What RRAS adds to name and password."""
    return [
        ("NAS-IP-Address", "192.0.2.20"),
        ("NAS-Identifier", "RRAS01"),
        ("Service-Type", "Framed-User"),
        ("Framed-Protocol", "PPP"),
        ("NAS-Port", 128),
        ("NAS-Port-Type", "Virtual"),
        ("Tunnel-Type", TUNNEL_TYPES[tunnel]),
        ("Tunnel-Medium-Type", "IPv4"),
        ("Tunnel-Client-Endpoint", CLIENT),
        ("Called-Station-Id", "192.0.2.20"),
        ("Calling-Station-Id", CLIENT),
        ("Acct-Session-Id", "42"),
        ("MS-RAS-Vendor", MICROSOFT),
        ("MS-RAS-Version", "MSRASV5.20"),
        ("MS-RAS-Client-Name", "MSRAS-0-LAPTOP"),
        ("MS-RAS-Client-Version", "MSRASV5.20"),
        ("MS-Network-Access-Server-Type", "Remote-Access-Server"),
        ("MS-RAS-Correlation", b"{5D0A3C84-7A54-4F5B-9E2F-2C8C9A6C1E11}"),
        *(("Proxy-State", bytes.fromhex(state[2:])) for state in proxy_states),
    ]


class Device:
    """One RRAS server, with an address that no other test uses."""

    def __init__(self, radclient: Radclient, lab: Lab) -> None:
        self.address = next(_devices)
        self._radclient = radclient
        self._lab = lab

    def ask(self, listener: str, tunnel: str, user: str, password: str, *, signed: bool, wait_s: float = 20) -> Answer:
        """Send one login with everything that RRAS sends."""
        pairs = login(user, password, *rras(tunnel), signed=signed)
        return self.send(listener, pairs, wait_s)

    def send(self, listener: str, pairs: list[Pair], wait_s: float = 20) -> Answer:
        """Send one login."""
        source: list[Pair] = [("Packet-Src-IP-Address", self.address)]
        return self._radclient.send(self._lab.addresses[listener], [*source, *pairs], wait_s=wait_s)

    def gets_no_answer(self, listener: str, pairs: list[Pair]) -> bool:
        """Whether the proxy stays silent, and says in its log that it dropped a request of this device."""
        answer = self.send(listener, pairs, SILENCE_S)
        self._lab.server.wait_for_output(f"Dropped a request from {self.address}:")
        return answer.code == ""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("rras"), LISTENERS, {**USERS, "grace": "push"}) as running:
        yield running


@pytest.fixture
def device(radclient: Radclient, lab: Lab) -> Device:
    return Device(radclient, lab)


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("tunnel", TUNNELS)
def test_a_login_of_rras_is_accepted(device: Device, tunnel: str, signed: bool) -> None:
    """Password and push right: Access-Accept, signed first of all, with every Proxy-State in its order."""
    answer = device.ask("auto", tunnel, "alice", PASSWORD, signed=signed)
    assert answer.code == "Access-Accept", answer.output
    assert answer.pairs[0][0] == "Message-Authenticator"
    assert answer.values("Proxy-State") == list(PROXY_STATES)
    assert answer.values("Reply-Message") == ["Success. Logging you in..."]
    assert len(answer.pairs) == 2 + len(PROXY_STATES)


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("dave", PASSWORD)], ids=["password", "push"])
def test_a_login_of_rras_is_rejected(device: Device, user: str, password: str, signed: bool) -> None:
    """Password wrong, or push denied: Access-Reject, signed, with every Proxy-State in its order."""
    answer = device.ask("auto", "sstp", user, password, signed=signed)
    assert answer.code == "Access-Reject", answer.output
    assert answer.pairs[0][0] == "Message-Authenticator"
    assert answer.values("Proxy-State") == list(PROXY_STATES)


@pytest.mark.parametrize("tunnel", TUNNELS)
def test_the_address_of_the_user_reaches_duo(device: Device, lab: Lab, tunnel: str) -> None:
    """What RRAS sends as Calling-Station-Id is the address that the push shows."""
    answers: list[Answer] = []
    pairs = login("grace", PASSWORD, *rras(tunnel))
    asking = threading.Thread(target=lambda: answers.append(device.send("auto", pairs)))
    asking.start()
    push = lab.controls.pending("grace")
    lab.controls.answer(push, "approve")
    asking.join()
    assert push["details"]["ipaddr"] == CLIENT
    assert answers[0].code == "Access-Accept"


def test_a_device_that_signs_has_to_go_on_signing(device: Device) -> None:
    """require_message_authenticator=auto: armed by the first signed login of an address; unsigned ones are dropped."""
    unsigned = login("frank", PASSWORD, *rras("sstp", ()), signed=False)
    assert device.send("auto", unsigned).code == "Access-Accept"
    assert device.ask("auto", "sstp", "frank", PASSWORD, signed=True).code == "Access-Accept"
    assert device.gets_no_answer("auto", unsigned)


def test_signatures_are_insisted_on_when_the_option_says_so(device: Device) -> None:
    """require_message_authenticator=yes: unsigned logins are dropped from the first one on."""
    assert device.gets_no_answer("required", login("frank", PASSWORD, *rras("l2tp", ()), signed=False))
    assert device.ask("required", "l2tp", "frank", PASSWORD, signed=True).code == "Access-Accept"


def test_proxy_state_needs_a_signature_when_the_option_says_so(device: Device) -> None:
    """limit_proxy_state=yes: an unsigned login with Proxy-State is dropped; without it, or signed, it is taken."""
    without = login("frank", PASSWORD, *rras("pptp", ()), signed=False)
    assert device.send("limited", without).code == "Access-Accept"
    assert device.gets_no_answer("limited", login("frank", PASSWORD, *rras("pptp"), signed=False))
    assert device.ask("limited", "pptp", "frank", PASSWORD, signed=True).code == "Access-Accept"


def test_proxy_state_is_taken_from_a_device_that_sent_it_at_first(device: Device, lab: Lab) -> None:
    """limit_proxy_state=auto: the first request decides; a device that needs it keeps working, and the log warns."""
    for _ in range(2):
        assert device.ask("auto", "sstp", "frank", PASSWORD, signed=False).code == "Access-Accept"
    warning = f"The first request from {device.address} carries Proxy-State but no Message-Authenticator"
    assert lab.log().count(warning) == 1


def test_proxy_state_is_dropped_from_a_device_that_did_without_at_first(device: Device) -> None:
    """limit_proxy_state=auto: Proxy-State that turns up later in unsigned logins is what a forger would send."""
    assert device.send("auto", login("frank", PASSWORD, *rras("sstp", ()), signed=False)).code == "Access-Accept"
    assert device.gets_no_answer("auto", login("frank", PASSWORD, *rras("sstp"), signed=False))


def test_nothing_is_insisted_on_when_both_options_say_no(device: Device) -> None:
    """`no` and `no`: an unsigned login with Proxy-State is taken, also after signed ones."""
    for signed in (True, False):
        answer = device.ask("lenient", "pptp", "frank", PASSWORD, signed=signed)
        assert answer.code == "Access-Accept"
        assert answer.values("Proxy-State") == list(PROXY_STATES)
