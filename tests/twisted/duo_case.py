"""A client of Duo's API, and the HTTPS server on loopback that it asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from duoproxy.duoapi.messages import AuthQuery, Factor
from duoproxy.net.duo_client import DuoClient
from duoproxy.secret import Secret
from tests.twisted.https_stand_in import (
    ADDRESS,
    LOOPBACK,
    ApiProtocol,
    Authority,
    Received,
    ServerTls,
    ShiftedReactor,
    StandIn,
    ok,
)

AUTHORITY = Authority()
GOOD_CERTIFICATE = AUTHORITY.server_options(ADDRESS, x509.DNSName("localhost"))
IKEY, SKEY = "DIWJ8X6AEYOR5OMC6TQ1", Secret("Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep")
PUSH = AuthQuery("alice", Factor.PUSH, "DP1", client_ip="10.1.1.1")
PHONE = {"device": "DP1", "type": "phone", "number": "+15555551234", "capabilities": ["push", "sms"]}
PREAUTH = {"result": "auth", "status_msg": "Account is active", "devices": [PHONE]}
ALLOW = {"result": "allow", "status": "allow", "status_msg": "Success. Logging you in..."}
# Long enough for a slow machine, short enough for a test that waits for it.
SHORT_S = 0.4

_T = TypeVar("_T")


def usual(request: Received, _: ApiProtocol) -> bytes:
    """Answer as Duo does when all is well."""
    return ok(PREAUTH if request.path.endswith("/preauth") else ALLOW)


class ClientCase(TestCase):
    """Starts a stand-in and makes clients of it."""

    timeout = 20

    def setUp(self) -> None:
        self.reactor = ShiftedReactor(reactor)
        self.server = StandIn(usual)
        self.lines: list[tuple[LogLevel, str]] = []
        observer: ILogObserver = cast(ILogObserver, self._note)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _note(self, event: Any) -> None:
        if "sentence" in event:
            self.lines.append((event["log_level"], event["sentence"]))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, with a deadline."""
        deadline = time.monotonic() + 5
        while not condition():
            self.assertLess(time.monotonic(), deadline, "the condition did not come true")
            await deferLater(reactor, 0.005)

    def listen(self, server: StandIn, options: ServerTls | None = GOOD_CERTIFICATE) -> int:
        """Start a server that ends with the test."""
        port = server.listen(reactor, options)
        self.addCleanup(server.close)
        return port

    def client(self, options: ServerTls | None = GOOD_CERTIFICATE, host: str = LOOPBACK, **settings: Any) -> DuoClient:
        """Make a client of the stand-in."""
        if self.server.port is None:
            self.listen(self.server, options)
        arguments: dict[str, Any] = {
            "reactor": self.reactor,
            "section_name": "radius_server_auto",
            "ikey": IKEY,
            "skey": SKEY,
            "api_host": f"{host}:{self.server.number}",
            "trust_roots": AUTHORITY.roots,
            "random": lambda: 0.0,
        }
        client = DuoClient(**{**arguments, **settings})
        self.addCleanup(lambda: Deferred.fromCoroutine(client.stop()))
        return client

    async def fails(self, expected: type[BaseException], waiting: Coroutine[Any, Any, _T]) -> str:
        """Wait for a fault and give its text, without the changing port."""
        with self.assertRaises(expected) as caught:
            await waiting
        return str(caught.exception).replace(f":{self.server.number}", ":PORT")
