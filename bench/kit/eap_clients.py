"""Clients of a PEAP server: eapol_test, as many as are wanted, and conversations that are begun and left half-way.

The second kind is our own peer of the tests: eapol_test cannot stop half-way, and thousands of its processes would not
fit beside the server.
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import ExitStack
from enum import Enum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from bench.kit.eap_servers import SERVER_NAME, USERS
from bench.kit.freeradius import PASSWORD, SECRET
from bench.kit.processes import LOOPBACK, BenchFault, Process
from bench.kit.radius_load import user_name
from duoproxy.radius.attributes import Type, first, joined, split_long
from duoproxy.radius.authenticators import encode_request
from duoproxy.radius.packet import MAX_PACKET_BYTES, Attribute, Code, decode_packet
from tests.unit.eap.peap_peer import PEAP, PeapPeer

PROGRAM = "eapol_test"
TLS_1_2, TLS_1_3 = "TLS 1.2", "TLS 1.3"
LOAD_DEADLINE_S = 180.0
ANSWER_DEADLINE_S = 10.0
IDENTITY = b"\2\7\0\x0e\1anonymous"
MAX_STEPS = 30
# Header, type and flags of a PEAP packet; an acknowledgement has no more.
FIXED_BYTES = 6
START_FLAG, MORE_FLAG = 0x20, 0x40

_PHASE1 = {
    TLS_1_2: "tls_disable_tlsv1_3=1 tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1",
    TLS_1_3: "tls_disable_tlsv1_3=0 tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1",
}
_VERSIONS = {TLS_1_2: SSL.TLS1_2_VERSION, TLS_1_3: SSL.TLS1_3_VERSION}
_SAME_KEYS = re.compile(r"MPPE keys OK: (\d+) +mismatch: (\d+)")


def log_in(folder: Path, port: int, core: int, ca_file: Path, tls: str, clients: int, logins: int) -> int:
    """Let clients log in at once, each several times, always with a full handshake.

    Args:
        folder: for their files.
        port: of the server.
        core: the core they may use.
        ca_file: whom they trust.
        tls: the only version they speak.
        clients: how many, each of another user.
        logins: of each.

    Returns:
        how many logins were let in, with equal keys on both sides.

    Raises:
        BenchFault: they did not come to an end.
    """
    with ExitStack() as stack:
        running = []
        for number in range(clients):
            file = folder / f"client{number}.conf"
            file.write_text(_configuration(user_name(number % USERS), ca_file, tls), "utf-8")
            command = [PROGRAM, "-c", str(file), "-a", LOOPBACK, "-p", str(port), "-s", SECRET, "-t", "60"]
            command += ["-r", str(logins - 1), "-M", f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"]
            running.append(stack.enter_context(Process(f"eapol{number}", command, folder, core)))
        for client in running:
            client.wait(LOAD_DEADLINE_S)
        return sum(_let_in(client.text()) for client in running)


def _let_in(output: str) -> int:
    found = _SAME_KEYS.search(output)
    return int(found[1]) - int(found[2]) if found is not None else 0


def _configuration(user: str, ca_file: Path, tls: str) -> str:
    return f"""fast_reauth=0
network={{
  ssid="x"
  key_mgmt=WPA-EAP
  eap=PEAP
  phase1="peapver=0 {_PHASE1[tls]}"
  phase2="auth=GTC"
  identity="{user}"
  anonymous_identity="anonymous"
  password="{PASSWORD}"
  ca_cert="{ca_file}"
  domain_match="{SERVER_NAME}"
}}
"""


class Stage(Enum):
    """Where a conversation is left."""

    HALF_OPEN = "half-open: PEAP is offered"
    HANDSHAKE = "mid-handshake: the server's certificate was sent"
    PROMPT = "at the prompt, in the tunnel"


class Visitor(PeapPeer):
    """A PEAPv0 client that leaves; by default without the post-quantum key share, which eapol_test has not either."""

    def __init__(self, tls: str, post_quantum: bool) -> None:
        """Begin with one version of TLS."""
        super().__init__(version=0, tls_version=_VERSIONS[tls], identity=user_name(0).encode())
        self._post_quantum = post_quantum

    def _begin(self) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(self.tls_version)
        context.set_max_proto_version(self.tls_version)
        if not self._post_quantum:
            context.set_tmp_ecdh(ec.SECP256R1())
        self._tls = SSL.Connection(context, None)
        self.tls.set_connect_state()


class Visits:
    """A device whose clients leave at one stage, and are not heard of again."""

    def __init__(self, port: int, tls: str, stage: Stage, post_quantum: bool = False) -> None:
        """Begin with none."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((LOOPBACK, port))
        self._socket.settimeout(ANSWER_DEADLINE_S)
        self._tls, self._stage, self._post_quantum = tls, stage, post_quantum
        self._sent = 0

    def __enter__(self) -> Visits:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def open(self, conversations: int) -> None:
        """Begin so many conversations, and leave each at the stage.

        Raises:
            BenchFault: one ended before.
        """
        for _ in range(conversations):
            self._open_one()

    def _open_one(self) -> None:
        visitor = Visitor(self._tls, self._post_quantum)
        eap, state = IDENTITY, None
        for _ in range(MAX_STEPS):
            request, state = self._exchange(eap, state)
            if self._stage is Stage.HALF_OPEN and request[4] == PEAP and request[5] & START_FLAG:
                return
            if self._stage is Stage.HANDSHAKE and request[4] == PEAP and _ends_a_flight(request):
                return
            eap = visitor.respond(request)
            if visitor.prompts:
                return
        raise BenchFault(f"a conversation did not come to its stage: {self._stage.value}")

    def _exchange(self, eap: bytes, state: bytes | None) -> tuple[bytes, bytes | None]:
        carried: list[Attribute] = [(int(Type.USER_NAME), b"anonymous"), *split_long(Type.EAP_MESSAGE, eap)]
        carried += [(int(Type.STATE), state)] if state is not None else []
        self._sent += 1
        self._socket.send(
            encode_request(Code.ACCESS_REQUEST, self._sent % 256, os.urandom(16), carried, SECRET.encode())
        )
        reply = decode_packet(self._socket.recv(MAX_PACKET_BYTES))
        if reply.code != Code.ACCESS_CHALLENGE:
            raise BenchFault(f"a conversation ended with RADIUS code {reply.code}")
        return joined(reply.attributes, Type.EAP_MESSAGE) or b"", first(reply.attributes, Type.STATE)


def _ends_a_flight(request: bytes) -> bool:
    """Tell whether this is the last fragment of what the server has to say."""
    return not request[5] & (START_FLAG | MORE_FLAG) and len(request) > FIXED_BYTES
