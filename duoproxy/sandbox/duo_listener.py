"""The stand-in Duo service as one HTTPS listener on loopback: service, API, phone page and controls put together."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

from OpenSSL import crypto
from twisted.internet.error import CannotListenError
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from duoproxy.errors import ListenError
from duoproxy.sandbox.accounts import Behaviour, RandomBytes
from duoproxy.sandbox.certificates import ThrowAwayCertificates, make_certificates
from duoproxy.sandbox.controls_web import Controls
from duoproxy.sandbox.duo_api import DuoApi
from duoproxy.sandbox.duo_api_v1 import CALLS as V1_CALLS
from duoproxy.sandbox.duo_api_v2 import CALLS as V2_CALLS
from duoproxy.sandbox.duo_runner import DuoRunner
from duoproxy.sandbox.duo_service import DuoService
from duoproxy.sandbox.duo_web import ApiResource, RootResource
from duoproxy.sandbox.faults import Faults
from duoproxy.sandbox.loopback_web import JsonResource
from duoproxy.sandbox.phone_web import PhoneResource
from duoproxy.secret import Secret

IDLE_CONNECTION_S = 60
BACKLOG = 1024
CUT_AFTER_S = 0.05


class AnyFormRequest(Request):
    """A request whose target may be a whole address, as clients write it that take the way through a proxy.

    Source: RFC 9112 §3.2.2.
    """

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Take the request; of `https://host/path` the path counts."""
        scheme, found, rest = path.partition(b"://")
        if found and scheme.lower() in {b"http", b"https"}:
            path = b"/" + rest.partition(b"/")[2]
        Request.requestReceived(self, command, path, version)


class QuietSite(Site):
    """A site without an access log; requests are in the list of events."""

    noisy = False

    def __init__(self, root: Resource, reactor: Any) -> None:
        Site.__init__(self, root, requestFactory=AnyFormRequest, reactor=reactor, timeout=IDLE_CONNECTION_S)

    def log(self, request: Any) -> None:
        """Write nothing."""


class DuoListener:
    """A stand-in Duo service that can be called.

    Args:
        reactor: IReactorTime, and IReactorTCP for `listen`.
        behaviours: the users.
        ikey: the integration key that is served.
        skey: its secret key.
        random_bytes: as `os.urandom`.
        wall_time: seconds since 1970.
        base_url: where the phone page is, for users who have to enroll.
        lockout_after: failed attempts until a user is locked out; 0 for never.

    Attributes:
        service: the users and what they are asked.
        runner: its clock; `answer` is what the phone page does.
        faults: what goes wrong on demand.
        site: the HTTP factory.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        behaviours: Sequence[Behaviour],
        ikey: str,
        skey: Secret,
        random_bytes: RandomBytes,
        wall_time: Callable[[], float],
        base_url: str,
        lockout_after: int = 10,
    ) -> None:
        self._reactor = reactor
        self._place: tuple[str, int] = ("127.0.0.1", 0)
        self._factory: Any = None
        self._port: Any = None
        self._later: list[Any] = []
        self.service = DuoService(behaviours, random_bytes, lockout_after)
        self.faults = Faults()
        self.runner = DuoRunner(self.service, reactor, wall_time)
        api = DuoApi(self.service, self.faults, {**V1_CALLS, **V2_CALLS}, ikey, skey, base_url)
        root = RootResource(ApiResource(api, self.runner, self.faults))
        root.putChild(b"phone", PhoneResource(self.runner))
        root.putChild(b"sandbox", JsonResource(Controls(self.runner, self.faults, self.refuse).calls()))
        self.site = QuietSite(root, reactor)
        self.certificates = make_certificates(datetime.datetime.fromtimestamp(wall_time(), datetime.UTC))

    def listen(self, interface: str, port: int) -> int:
        """Listen for HTTPS; give the port.

        Raises:
            ListenError: it is taken.
        """
        self._factory = TLSMemoryBIOFactory(tls_options(self.certificates), False, self.site, clock=self._reactor)
        self._factory.noisy = False
        self._place = (interface, port)
        try:
            self._open()
        except CannotListenError as error:
            raise ListenError(
                f"TCP port {port} on {interface} cannot be listened on ({error.socketError}): "
                "another program has it. Stop that program, or let port of [sandbox_duo] name another."
            ) from error
        self._place = (interface, self._port.getHost().port)
        return self._place[1]

    def refuse(self, seconds: float) -> None:
        """Have no listener for so many seconds, so that connections are refused; open ones are cut a moment later."""
        if self._port is None:
            return
        port, self._port = self._port, None
        port.stopListening()
        self._later = [
            self._reactor.callLater(min(seconds, CUT_AFTER_S), self._cut),  # who asked for it gets an answer
            self._reactor.callLater(seconds, self._open),
        ]

    async def stop(self) -> None:
        """Stop listening, and let go who waits."""
        self.runner.stop()
        for later in self._later:
            if later.active():
                later.cancel()
        if self._port is not None:
            await self._port.stopListening()
        self._cut()

    def _open(self) -> None:
        """Listen at the place."""
        interface, port = self._place
        self._port = self._reactor.listenTCP(port, self._factory, backlog=BACKLOG, interface=interface)

    def _cut(self) -> None:
        """Cut the open connections."""
        for protocol in list(self._factory.protocols if self._factory is not None else ()):
            protocol.abortConnection()


def tls_options(certificates: ThrowAwayCertificates) -> CertificateOptions:
    """The settings of the TLS server; TLS 1.2 and newer."""
    return CertificateOptions(
        privateKey=crypto.PKey.from_cryptography_key(certificates.key),
        certificate=crypto.X509.from_cryptography(certificates.certificate),
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
