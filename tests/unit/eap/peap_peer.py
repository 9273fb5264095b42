"""A small PEAP peer for tests: EAP-Requests in, EAP-Responses out, with pyOpenSSL as its TLS client.

It is written from the specifications and shares no code with the server: headers, fragments, TLVs and keys are its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import struct
from collections.abc import Callable, Iterable

from attrs import define, field
from OpenSSL import SSL

TLS_1_2, TLS_1_3 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION
IDENTITY, NAK, GTC, PEAP, EXTENSIONS = 1, 3, 6, 25, 33
RESULT_SUCCESS = bytes.fromhex("800300020001")
RESULT_FAILURE = bytes.fromhex("800300020002")
INNER_SUCCESS = 3


def response(identifier: int, its_type: int, data: bytes) -> bytes:
    return struct.pack("!BBHB", 2, identifier, 5 + len(data), its_type) + data


def prf_plus(key: bytes, seed: bytes, size: int) -> bytes:
    last, result, count = b"", b"", 0
    while len(result) < size:
        count += 1
        last = hmac.new(key, last + seed + bytes((count, 0, 0)), hashlib.sha1).digest()
        result += last
    return result[:size]


def unchanged(octets: bytes) -> bytes:
    return octets


@define(eq=False)
class PeapPeer:
    """One supplicant.

    Attributes:
        version: of PEAP that it speaks at most.
        tls_version: the only one that it speaks.
        identity: inside the tunnel.
        answers: to the prompts, in turn; the last one again and again.
        fragment_bytes: of TLS in one packet.
        binding: whether it answers crypto-binding.
        cipher: None for OpenSSL's own.
        change_inner: what it does to each inner packet before it goes into the tunnel.
    """

    version: int = 1
    tls_version: int = TLS_1_3
    identity: bytes = b"alice"
    answers: Iterable[bytes] = (b"pencil",)
    fragment_bytes: int = 1300
    binding: bool = True
    change_inner: Callable[[bytes], bytes] = unchanged
    change_tls: Callable[[bytes], bytes] = unchanged
    prompts: list[bytes] = field(factory=list)
    inner_requests: list[bytes] = field(factory=list)
    fragments_seen: list[int] = field(factory=list)
    bound: bool = False
    agreed: int = -1
    _out: bytes = b""
    _sent: int = 0
    _partial: bytes = b""
    _tls: SSL.Connection | None = None
    _used: int = 0

    def respond(self, request: bytes) -> bytes:
        """Answer an EAP-Request."""
        identifier, its_type, data = request[1], request[4], request[5:]
        if its_type == IDENTITY:
            return response(identifier, IDENTITY, b"anonymous")
        if its_type != PEAP:
            return response(identifier, NAK, bytes((PEAP,)))
        return response(identifier, PEAP, self._peap(identifier, data))

    # ── fragments ──────────────────────────────────────────────────────────────────────────────────────────────

    def _peap(self, identifier: int, data: bytes) -> bytes:
        flags, body = data[0], data[1:]
        self.fragments_seen.append(len(data) + 5)
        if flags & 0x20:
            self.agreed = min(self.version, flags & 7)
            self._begin()
            return self._send(self._handshake(b""))
        if self._sent < len(self._out):
            assert not body, "data where an acknowledgement is awaited"
            return self._next()
        if flags & 0x80:
            body = body[4:]
        self._partial += body
        if flags & 0x40:
            return bytes((self.agreed,))
        message, self._partial = self._partial, b""
        return self._send(self._message(identifier, message))

    def _send(self, message: bytes) -> bytes:
        self._out, self._sent = self.change_tls(message) if message else b"", 0
        return self._next()

    def _next(self) -> bytes:
        first = self._sent == 0
        part = self._out[self._sent : self._sent + self.fragment_bytes]
        self._sent += len(part)
        more = self._sent < len(self._out)
        if first and more:
            return bytes((self.agreed | 0xC0,)) + struct.pack("!I", len(self._out)) + part
        return bytes((self.agreed | (0x40 if more else 0),)) + part

    # ── TLS ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def tls(self) -> SSL.Connection:
        assert self._tls is not None
        return self._tls

    def _begin(self) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(self.tls_version)
        context.set_max_proto_version(self.tls_version)
        self._tls = SSL.Connection(context, None)
        self.tls.set_connect_state()

    def _handshake(self, message: bytes) -> bytes:
        if message:
            self.tls.bio_write(message)
        with contextlib.suppress(SSL.WantReadError):
            self.tls.do_handshake()
        return self._drain()

    def _drain(self) -> bytes:
        try:
            return self.tls.bio_read(1 << 16)
        except SSL.WantReadError:
            return b""

    def _message(self, identifier: int, message: bytes) -> bytes:
        out = self._handshake(message)
        if out:
            return out
        try:
            plaintext = self.tls.recv(1 << 16)
        except SSL.WantReadError:
            return b""
        answer = self._inner(identifier, plaintext)
        if not answer:
            return b""
        self.tls.send(self.change_inner(answer))
        return self._drain()

    # ── inside the tunnel ──────────────────────────────────────────────────────────────────────────────────────

    def _inner(self, identifier: int, plaintext: bytes) -> bytes:
        self.inner_requests.append(plaintext)
        if self.agreed == 0:
            if plaintext[0] == 1 and len(plaintext) > 4 and plaintext[4] == EXTENSIONS:
                return response(identifier, EXTENSIONS, self._extensions(plaintext[5:]))
            return self._method(plaintext[0], plaintext[1:])
        if plaintext[0] in (3, 4):
            return b""
        answer = self._method(plaintext[4], plaintext[5:])
        return response(plaintext[1], answer[0], answer[1:])

    def _method(self, its_type: int, data: bytes) -> bytes:
        if its_type == IDENTITY:
            return bytes((IDENTITY,)) + self.identity
        if its_type == GTC:
            self.prompts.append(data)
            answers = list(self.answers)
            answer = answers[min(self._used, len(answers) - 1)]
            self._used += 1
            return bytes((GTC,)) + answer
        return bytes((NAK, GTC))

    def _extensions(self, tlvs: bytes) -> bytes:
        answer = tlvs[:6]
        rest = tlvs[6:]
        if rest and self.binding:
            assert rest[:4] == bytes.fromhex("000c0038"), rest
            keys = prf_plus(self._material()[:40], b"Inner Methods Compound Keys" + bytes(32), 60)
            unsigned = rest[:40] + bytes(20)
            assert hmac.new(keys[40:], unsigned + b"\x19", hashlib.sha1).digest() == rest[40:]
            mine = rest[:7] + b"\1" + rest[8:40] + bytes(20)
            answer += mine[:40] + hmac.new(keys[40:], mine + b"\x19", hashlib.sha1).digest()
            self.bound = True
        return answer

    # ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _material(self) -> bytes:
        if self.tls_version == TLS_1_3:
            return self.tls.export_keying_material(b"EXPORTER_EAP_TLS_Key_Material", 128, b"\x19")
        return self.tls.export_keying_material(b"client EAP encryption", 128, None)

    def msk(self) -> bytes:
        """The master session key, as this side has it."""
        material = self._material()
        if not self.bound:
            return material[:64]
        ipmk = prf_plus(material[:40], b"Inner Methods Compound Keys" + bytes(32), 60)[:40]
        return prf_plus(ipmk, b"Session Key Generating Function\0", 128)[:64]

    def session_id(self) -> bytes:
        if self.tls_version == TLS_1_3:
            return b"\x19" + self.tls.export_keying_material(b"EXPORTER_EAP_TLS_Method-Id", 64, b"\x19")
        return b"\x19" + (self.tls.client_random() or b"") + (self.tls.server_random() or b"")
