"""Packets of a running proxy, judged by tshark and by pyrad; and packets of pyrad, taken by the proxy.

pyrad is the device and the server that checks passwords; all that went over the wire is read by tshark afterwards.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pyrad import dictionary as pyrad_dictionary
from pyrad import packet as pyrad_packet

from duoproxy.radius.packet import Code
from tests.peers.capture import Datagram, judge, write_capture
from tests.peers.lab import Lab, running_lab
from tests.peers.ports import LOOPBACK, free_ports
from tests.peers.pyrad_upstream import PyradUpstream, running_pyrad
from tests.peers.raw_device import RawDevice, exchange
from tests.peers.sandbox import RADIUS_SECRET

SECRET = RADIUS_SECRET.encode()
KEY = bytes(range(32))
LONG_TEXT = "wörter " * 30
PASSWORDS = {
    "alice": "correct horse",
    "block": "exactly-sixteen!",
    "long": "0123456789abcdef" * 8,
    "grün": "pässwörd ß €",
    "dave": "correct horse",
}
GRANTED = [
    ("Class", b"class"),
    ("Framed-IP-Address", "192.0.2.77"),
    ("Reply-Message", LONG_TEXT[:200]),
    ("Cisco-AVPair", "shell:priv-lvl=15"),
    ("Cisco-AVPair", "ip:addr-pool=vpn"),
    ("MS-MPPE-Send-Key", KEY),
    ("MS-MPPE-Recv-Key", KEY[::-1]),
]
PROXY_STATES = [b"one", b"two", b"one"]
USERS = {name: f"push {'deny' if name == 'dave' else 'approve'}-after 0" for name in PASSWORDS}

# Every login comes from an address of its own: whether it signs is remembered.
_addresses = (f"127.0.5.{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def dictionary() -> Any:
    return pyrad_dictionary.Dictionary(str(resources.files("duoproxy.radius") / "dictionary_data" / "dictionary"))


@pytest.fixture(scope="module")
def upstream(dictionary: Any) -> Iterator[PyradUpstream]:
    [port] = free_ports(1)
    with running_pyrad(port, SECRET, dictionary, PASSWORDS, GRANTED) as running:
        yield running
    assert running.faults == []


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, upstream: PyradUpstream) -> Iterator[Lab]:
    clients = {
        "radius_client": {
            "host": LOOPBACK,
            "port": upstream.endpoint[1],
            "secret": RADIUS_SECRET,
            "pass_through_all": "true",
            "require_message_authenticator": "yes",
        }
    }
    listeners = {"all": {"client": "radius_client", "radius_ip_1": "127.0.0.0/8"}}
    with running_lab(tmp_path_factory.mktemp("proxy"), listeners, USERS, clients) as running:
        yield running


@dataclass
class Device:
    """A device made of pyrad.

    Attributes:
        lab: the proxy.
        dictionary: of pyrad.
        datagrams: all that it sent and got.
    """

    lab: Lab
    dictionary: Any
    datagrams: list[Datagram] = field(default_factory=list)

    def login(self, user: str, password: str, *, signed: bool = True) -> tuple[Any, Any, bytes]:
        """Log in; give pyrad's request, pyrad's reading of the reply, and the reply's octets."""
        request = pyrad_packet.AuthPacket(secret=SECRET, dict=self.dictionary)
        request["User-Name"] = user
        request["User-Password"] = request.PwCrypt(password)
        request["NAS-Identifier"] = "pyrad"
        request["NAS-Port-Type"] = "Virtual"
        request["Calling-Station-Id"] = "203.0.113.9"
        for state in PROXY_STATES:
            request.AddAttribute("Proxy-State", state)
        if signed:
            request.add_message_authenticator()
        return self._exchange(request)

    def status(self) -> tuple[Any, Any, bytes]:
        """Ask whether the proxy lives."""
        request = pyrad_packet.AuthPacket(code=Code.STATUS_SERVER, secret=SECRET, dict=self.dictionary)
        request.authenticator = os.urandom(16)
        request.add_message_authenticator()
        return self._exchange(request)

    def _exchange(self, request: Any) -> tuple[Any, Any, bytes]:
        octets = request.RequestPacket()
        address = self.lab.addresses["all"]
        source = next(_addresses)
        with RawDevice(address, source) as device:
            device.send(octets)
            answer = device.receive()
        assert answer is not None, self.lab.log()
        here = (source, 40_000)
        self.datagrams += [Datagram(here, device.server, octets), Datagram(device.server, here, answer[0])]
        return request, request.CreateReply(packet=answer[0]), answer[0]


@pytest.fixture
def device(lab: Lab, dictionary: Any) -> Device:
    return Device(lab, dictionary)


# ── pyrad ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_pyrad_verifies_and_reads_an_accept(device: Device, upstream: PyradUpstream, signed: bool) -> None:
    """Both authenticators fit, Message-Authenticator stands first, and every value is what the server gave."""
    request, reply, octets = device.login("alice", PASSWORDS["alice"], signed=signed)
    assert request.VerifyReply(reply, octets, enforce_ma=True)
    assert octets[0] == Code.ACCESS_ACCEPT
    assert octets[20:22] == b"\x50\x12"
    assert reply["Proxy-State"] == PROXY_STATES
    assert reply["Class"] == [b"class"]
    assert reply["Framed-IP-Address"] == ["192.0.2.77"]
    assert reply["Reply-Message"] == ["Success. Logging you in...", LONG_TEXT[:200]]
    assert reply["Cisco-AVPair"] == ["shell:priv-lvl=15", "ip:addr-pool=vpn"]
    reply.authenticator = request.authenticator  # salted values are hidden with that of the request
    assert [reply.SaltDecrypt(dict(raw_values(reply))[key]) for key in (16, 17)] == [KEY, KEY[::-1]]


def raw_values(reply: Any) -> list[tuple[int, bytes]]:
    """The Microsoft attributes as octets."""
    return [(key[1], value) for key, values in reply.items() if isinstance(key, tuple) for value in values]


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("dave", PASSWORDS["dave"]), ("nobody", "x")])
def test_pyrad_verifies_a_reject(device: Device, user: str, password: str) -> None:
    """A Reject is signed as well, and carries every Proxy-State, but nothing that grants."""
    request, reply, octets = device.login(user, password)
    assert request.VerifyReply(reply, octets, enforce_ma=True)
    assert octets[0] == Code.ACCESS_REJECT
    assert reply["Proxy-State"] == PROXY_STATES
    assert set(reply.keys()) <= {"Message-Authenticator", "Proxy-State", "Reply-Message"}


@pytest.mark.parametrize("user", PASSWORDS)
def test_pyrad_reads_the_password_that_the_proxy_hid(device: Device, upstream: PyradUpstream, user: str) -> None:
    """What pyrad hid for the proxy, pyrad reveals from the request of the proxy: any length, any character."""
    device.login(user, PASSWORDS[user])
    request, password = upstream.requests[-1]
    assert password == PASSWORDS[user]
    assert request["User-Name"] == [user]
    assert request["NAS-Identifier"] == ["pyrad"]
    assert request["NAS-Port-Type"] == ["Virtual"]
    assert "Proxy-State" not in request
    assert next(iter(request.keys())) == "Message-Authenticator"


def test_identifiers_and_authenticators_of_requests_are_new_each_time(device: Device, upstream: PyradUpstream) -> None:
    """Sixteen random octets for every request upstream."""
    before = len(upstream.requests)
    for _ in range(5):
        device.login("alice", PASSWORDS["alice"])
    authenticators = {request.authenticator for request, _ in upstream.requests[before:]}
    assert len(authenticators) == 5


def test_pyrad_gets_an_answer_to_status_server(device: Device, upstream: PyradUpstream) -> None:
    """Status-Server: an Access-Accept that pyrad verifies; nobody's password is checked."""
    before = len(upstream.requests)
    request, reply, octets = device.status()
    assert request.VerifyReply(reply, octets, enforce_ma=True)
    assert octets[0] == Code.ACCESS_ACCEPT
    assert len(upstream.requests) == before


@pytest.mark.parametrize("octets", [129, 144, 200])
def test_a_password_that_is_longer_than_128_octets_is_rejected(lab: Lab, upstream: PyradUpstream, octets: int) -> None:
    """No device can send one by the RFC, and pyrad refuses to; from one that does it is a Reject."""
    before = len(upstream.requests)
    authenticator = os.urandom(16)
    hidden = hide_without_limit(b"x" * octets, authenticator)
    attributes = b"\x01\x07alice" + bytes([2, 2 + len(hidden)]) + hidden
    request = bytes([1, 7]) + (20 + len(attributes)).to_bytes(2, "big") + authenticator + attributes
    answer = exchange(lab.addresses["all"], request, source="127.0.6.1")
    assert answer is not None
    assert answer[0] == Code.ACCESS_REJECT
    assert len(upstream.requests) == before


def hide_without_limit(password: bytes, authenticator: bytes) -> bytes:
    """RFC 2865 §5.2 without its limit."""
    padded = password + bytes(-len(password) % 16)
    hidden = b""
    last = authenticator
    for start in range(0, len(padded), 16):
        mask = hashlib.md5(SECRET + last).digest()
        last = bytes(one ^ other for one, other in zip(mask, padded[start : start + 16], strict=True))
        hidden += last
    return hidden


# ── tshark ─────────────────────────────────────────────────────────────────────────────────────────────────────────

COMPLAINTS = ("_ws.expert.message", "_ws.malformed", "radius.invalid_length")
Judge = Callable[[list[Datagram]], list[dict[str, Any]]]


@pytest.fixture
def tshark(program: Callable[[str], str], tmp_path: Path, lab: Lab, upstream: PyradUpstream) -> Judge:
    def read(datagrams: list[Datagram]) -> list[dict[str, Any]]:
        capture = tmp_path / "radius.pcap"
        write_capture(capture, datagrams)
        ports = [int(lab.addresses["all"].rpartition(":")[2]), upstream.endpoint[1]]
        return judge(program("tshark"), capture, RADIUS_SECRET, ports)

    return read


def as_tshark_prints(text: str) -> str:
    r"""Octets beyond ASCII as `\303`."""
    return "".join(chr(octet) if octet < 0x7F else f"\\{octet:03o}" for octet in text.encode())


@pytest.mark.needs_peer("tshark")
def test_tshark_finds_nothing_wrong_with_any_packet(device: Device, upstream: PyradUpstream, tshark: Judge) -> None:
    """Requests and replies on both sides: no complaint, every Response Authenticator fits, every password is read."""
    start = len(upstream.datagrams)
    logins = [*PASSWORDS.items(), ("alice", "wrong"), ("nobody", "x")]
    for user, password in logins:
        device.login(user, password)
    device.status()
    wire = [*device.datagrams, *upstream.datagrams[start:]]
    judged = tshark(wire)
    assert len(judged) == len(wire) == 4 * len(logins) + 2
    assert [{name: found[name] for name in COMPLAINTS if name in found} for found in judged] == [{}] * len(wire)
    replies = [found for found in judged if "radius.reqframe" in found]  # it does not follow Status-Server
    assert len(replies) == 2 * len(logins)
    assert all(found["radius.authenticator.valid"] == ["1"] for found in replies)
    ours = [found for found in judged[len(device.datagrams) :] if found["radius.code"] == ["1"]]
    assert [found["radius.User_Password"] for found in ours] == [[as_tshark_prints(word)] for _, word in logins]
    assert all(found["radius.avp.type"][0] == "80" for found in [*ours, *judged[1 : len(device.datagrams) : 2]])


@pytest.mark.needs_peer("tshark")
def test_tshark_reads_the_attributes_of_an_accept(device: Device, tshark: Judge) -> None:
    """Vendor attributes and long texts are in the format that others read."""
    device.login("alice", PASSWORDS["alice"])
    accept = tshark(device.datagrams)[1]
    assert accept["radius.Class"] == ["63:6c:61:73:73"]
    assert accept["radius.Framed-IP-Address"] == ["192.0.2.77"]
    assert accept["radius.Cisco_AVPair"] == ["shell:priv-lvl=15", "ip:addr-pool=vpn"]
    assert accept["radius.Reply_Message"][0] == "Success. Logging you in..."
    assert len(accept["radius.MS_MPPE_Send_Key"]) == len(accept["radius.MS_MPPE_Recv_Key"]) == 1
    assert accept["radius.Proxy_State"] == [":".join(f"{octet:02x}" for octet in state) for state in PROXY_STATES]


@pytest.mark.needs_peer("tshark")
def test_tshark_would_find_what_is_wrong(device: Device, tshark: Judge) -> None:
    """The judge can judge: an octet changed in a reply, and a reply cut short, are complained about."""
    device.login("alice", PASSWORDS["alice"])
    request, accept = device.datagrams
    changed = Datagram(accept.source, accept.destination, accept.octets[:-1] + bytes([accept.octets[-1] ^ 1]))
    assert tshark([request, changed])[1]["radius.authenticator.valid"] == ["0"]
    longer = accept.octets[:21] + b"\xff" + accept.octets[22:40]
    cut = Datagram(accept.source, accept.destination, longer[:2] + len(longer).to_bytes(2, "big") + longer[4:])
    assert any(name in tshark([request, cut])[1] for name in COMPLAINTS)
