"""Many EAP conversations at once: handshakes that nobody goes on with, and users who take their time."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from duoproxy.radius.attributes import Type, first, joined, split_long
from duoproxy.radius.authenticators import encode_request
from duoproxy.radius.packet import MAX_PACKET_BYTES, Attribute, Code, decode_packet
from tests.peers import peer
from tests.peers.eap_lab import make_certificates, running_eap_lab
from tests.peers.eapol import EapolTest
from tests.peers.lab import Lab
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET
from tests.unit.eap.peap_peer import PeapPeer

pytestmark = [pytest.mark.needs_peer("eapol_test"), pytest.mark.long, pytest.mark.timeout(600)]

ABANDONED = 5_000
MAX_CONVERSATIONS = 2_000
MAX_KIB_EACH = 100
AT_ONCE = 300
PUSH_S = 5
IDENTITY = b"\2\7\0\x0e\1anonymous"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("eap-long")
    listeners: dict[str, dict[str, object]] = {
        "small": {"max_conversations": MAX_CONVERSATIONS, "factor_prompt": "false"},
        "large": {"factor_prompt": "false"},
    }
    users = {"alice": "push approve-after 0", "*": f"push approve-after {PUSH_S}"}
    with running_eap_lab(folder / "proxy", listeners, make_certificates(folder / "certificates"), users) as running:
        yield running


@pytest.fixture
def supplicant(tmp_path: Path, lab: Lab) -> EapolTest:
    path = peer.peer("eapol_test").path()
    assert path is not None
    lab.controls.reset()
    return EapolTest(path, tmp_path)


def resident_kib(lab: Lab) -> int:
    """How much memory the proxy has."""
    status = Path(f"/proc/{lab.server.pid}/status").read_text("ascii")
    return int(re.findall(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[0])


class Leaver:
    """A device whose supplicants leave in the middle of their handshakes."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, int(port)))
        self._socket.settimeout(10)
        self._sent = 0

    def __enter__(self) -> Leaver:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def begin_and_leave(self) -> None:
        """Go as far as the server's certificate."""
        supplicant, eap, state = PeapPeer(), IDENTITY, None
        for _ in range(3):
            eap, state = self._exchange(eap, state)
            eap = supplicant.respond(eap)

    def _exchange(self, eap: bytes, state: bytes | None) -> tuple[bytes, bytes | None]:
        carried: list[Attribute] = [(int(Type.USER_NAME), b"anonymous"), *split_long(Type.EAP_MESSAGE, eap)]
        carried += [(int(Type.STATE), state)] if state is not None else []
        self._sent += 1
        self._socket.send(
            encode_request(Code.ACCESS_REQUEST, self._sent % 256, os.urandom(16), carried, RADIUS_SECRET.encode())
        )
        reply = decode_packet(self._socket.recv(MAX_PACKET_BYTES))
        assert reply.code == Code.ACCESS_CHALLENGE
        return joined(reply.attributes, Type.EAP_MESSAGE) or b"", first(reply.attributes, Type.STATE)


def test_abandoned_handshakes_take_bounded_memory_and_keep_nobody_out(lab: Lab, supplicant: EapolTest) -> None:
    """5,000 of them, and then a good login; 5,000 more take nothing more."""
    before = resident_kib(lab)
    grown = []
    with Leaver(lab.addresses["small"]) as leaver:
        for _ in range(2):
            for _ in range(ABANDONED):
                leaver.begin_and_leave()
            grown.append(resident_kib(lab) - before)
            outcome = supplicant.run(lab.addresses["small"], {"identity": "alice", "password": PASSWORD})
            assert outcome.let_in, outcome.output[-3000:]
    assert grown[0] < MAX_CONVERSATIONS * MAX_KIB_EACH
    assert grown[1] < 1.2 * grown[0], grown


def test_users_who_take_their_time_are_all_answered_with_one_push_each(lab: Lab, supplicant: EapolTest) -> None:
    """300 logins at once, each with a push that takes 5 s."""

    def log_in(number: int) -> bool:
        network = {"identity": f"user{number}", "password": PASSWORD}
        return supplicant.run(
            lab.addresses["large"], network, "-M", f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        ).let_in

    with ThreadPoolExecutor(AT_ONCE) as pool:
        let_in = list(pool.map(log_in, range(AT_ONCE)))
    assert let_in.count(True) == AT_ONCE
    asked = lab.controls.call("/sandbox/state")["asked"]
    assert {name: asked.get(name) for name in (f"user{number}" for number in range(AT_ONCE))} == {
        f"user{number}": {"push": 1} for number in range(AT_ONCE)
    }
    assert "Traceback" not in lab.log()
