"""A stand-in for the API host: HTTPS on loopback, with throw-away certificates and answers that a test writes."""

from __future__ import annotations

import datetime
import ipaddress
import json
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import directlyProvides, implementer, providedBy

from duoproxy.net.tls import TrustRoots

LOOPBACK = "127.0.0.1"
ADDRESS = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
_LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_FAR_AHEAD = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)


@implementer(IOpenSSLContextFactory)
class ServerTls:
    """The server's side of TLS, with one certificate."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate
        self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)

    def getContext(self) -> SSL.Context:
        """Source: IOpenSSLContextFactory."""
        return self.context


class Authority:
    """A certification authority for one test run."""

    def __init__(self, name: str = "Test CA") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self.name, self.key, _FAR_AHEAD).add_extension(constraints, critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def roots(self) -> TrustRoots:
        """Trust this authority and nobody else."""
        return TrustRoots(False, (crypto.X509.from_cryptography(self.certificate),))

    def server_options(
        self, *names: x509.GeneralName, common_name: str = LOOPBACK, until: datetime.datetime = _FAR_AHEAD
    ) -> ServerTls:
        """Make a certificate with these subjectAltNames (none: without the extension), ready for a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = self._builder(subject, key, until).add_extension(usage, critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return ServerTls(key, certificate)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime.datetime
    ) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer_name=self.name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=_LONG_AGO,
            not_valid_after=until,
        )


@define
class Received:
    """One request as the server read it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


def http(status: int, body: bytes, *headers: str, date: float | None = None) -> bytes:
    """Spell an HTTP answer."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", *headers]
    if date is not None:
        lines.append(f"Date: {formatdate(date, usegmt=True)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def ok(response: object, *headers: str, date: float | None = None) -> bytes:
    """Spell a good answer of the API."""
    return http(200, json.dumps({"stat": "OK", "response": response}).encode(), *headers, date=date)


def failed(code: int, message: str = "no", *, date: float | None = None) -> bytes:
    """Spell a refusal of the API; the status is the code's first three digits."""
    envelope = {"stat": "FAIL", "code": code, "message": message}
    return http(code // 100, json.dumps(envelope).encode(), date=date)


@define(eq=False)
class StandIn(Factory):
    """Answers each request with what `answer` gives: octets to write, or None to stay silent."""

    answer: Callable[[Received, ApiProtocol], bytes | None]
    requests: list[Received] = field(factory=list)
    connections: list[ApiProtocol] = field(factory=list)
    received_octets: int = 0
    port: Any = None
    number: int = 0

    def listen(self, reactor: Any, options: ServerTls | None) -> int:
        """Listen on a free port of loopback; without options in plain text."""
        factory = self if options is None else TLSMemoryBIOFactory(options, False, self, clock=reactor)
        self.port = reactor.listenTCP(0, factory, interface=LOOPBACK)
        self.number = int(self.port.getHost().port)
        return self.number

    def close(self) -> Deferred[Any]:
        """Listen no more and end every connection."""
        for connection in self.connections:
            if connection.transport is not None and not connection.is_gone:
                connection.transport.abortConnection()
        return maybeDeferred(self.port.stopListening)

    def buildProtocol(self, addr: Any) -> ApiProtocol:
        protocol = ApiProtocol(self, len(self.connections))
        self.connections.append(protocol)
        return protocol

    @property
    def paths(self) -> list[str]:
        """The paths that were asked, in order."""
        return [request.path for request in self.requests]


class ApiProtocol(Protocol):
    """The server's side of one connection."""

    transport: Any

    def __init__(self, stand_in: StandIn, number: int) -> None:
        self.stand_in = stand_in
        self.number = number
        self.is_gone = False
        self._buffer = b""

    def dataReceived(self, data: bytes) -> None:
        self.stand_in.received_octets += len(data)
        self._buffer += data
        while self._read_one():
            pass

    def _read_one(self) -> bool:
        head, mark, rest = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return False
        self._buffer = rest[length:]
        method, target, _ = first.split(" ")
        request = Received(method, target, headers, rest[:length], self.number)
        self.stand_in.requests.append(request)
        answer = self.stand_in.answer(request, self)
        if answer is not None:
            self.transport.write(answer)
        return True

    def connectionLost(self, reason: Any = None) -> None:
        self.is_gone = True


class ShiftedReactor:
    """The real reactor, whose clock a test can put forward."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.shift_s = 0.0
        directlyProvides(self, *providedBy(reactor))

    def seconds(self) -> float:
        return float(self._reactor.seconds()) + self.shift_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)
