"""What this machine lacks, and how many connections there may be: no outage of Duo, whoever brings it about."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.error import TimeoutError as TCPTimedOut

from duoproxy.errors import ServiceRefused, ServiceUnavailable
from duoproxy.net.connection_limit import ConnectionLimit
from tests.twisted.duo_case import SHORT_S, ClientCase
from tests.twisted.https_stand_in import LOOPBACK


class BoundTests(ClientCase):
    """What this machine lacks is no outage: whoever sends many logins could bring it about."""

    async def test_machine_without_descriptors_refuses_and_never_fails_open(self) -> None:
        """EMFILE and its kin, and no port that is free, are our own bound, not a service that cannot be reached."""
        for number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL):
            endpoint = mock.Mock()
            endpoint.return_value.connect.side_effect = lambda _, number=number: fail(ConnectError(number))
            with (
                mock.patch("duoproxy.net.remembered_address.HostnameEndpoint", endpoint),
                mock.patch("duoproxy.net.lacking._speaks_ipv6", return_value=True),
            ):
                text = await self.fails(ServiceRefused, self.client().begin_login().preauth("alice", None))
            self.assertEqual(
                text,
                f"Duo ({LOOPBACK}:PORT): this machine has no room for another connection ({os.strerror(number)}); "
                "raise LimitNOFILE in the systemd unit, or lower max_pending_logins; ss -s tells who has sockets and "
                "ports",
            )

    async def test_look_up_that_lacks_a_socket_refuses_and_never_fails_open(self) -> None:
        """It is not begun: the resolver would say that there is no such name, or nothing at all."""
        for number in (errno.EMFILE, errno.EADDRINUSE):
            with mock.patch("duoproxy.net.lacking.socket") as trial:
                trial.socket.side_effect = OSError(number, "")
                text = await self.fails(ServiceRefused, self.client().begin_login().preauth("alice", None))
            self.assertIn(f"no room for another connection ({os.strerror(number)})", text)

    async def test_look_up_that_lacked_a_socket_refuses_and_never_fails_open(self) -> None:
        """What it needed may be gone only then: no such name, or no answer, is looked into before it counts."""
        for nothing, said in ((lambda: fail(DNSLookupError()), "cannot be resolved"), (Deferred, "no connection with")):
            text = await self.fails(ServiceRefused, self._looked_up(nothing, errno.EMFILE))
            self.assertIn(f"no room for another connection ({os.strerror(errno.EMFILE)})", text)
            text = await self.fails(ServiceUnavailable, self._looked_up(nothing, None))
            self.assertIn(said, text)

    async def test_machine_without_ipv6_is_no_machine_without_ports(self) -> None:
        """No IPv6 address can be assigned there: that Duo cannot be reached at any other is an outage like all."""
        for number, has_ipv6 in ((errno.EADDRNOTAVAIL, False), (errno.ENETUNREACH, True)):
            text = await self.fails(ServiceUnavailable, self._tried(number, has_ipv6, port=None))
            self.assertIn(f"no connection ({os.strerror(number)})", text)

    async def test_lack_of_ports_is_seen_behind_the_fault_of_another_address(self) -> None:
        """Of a host with several addresses the last fault is told; it need not be that of the lack."""
        for number, has_ipv6 in ((errno.EADDRNOTAVAIL, False), (errno.ENETUNREACH, True)):
            text = await self.fails(ServiceRefused, self._tried(number, has_ipv6, port=errno.EADDRINUSE))
            self.assertIn(f"no room for another connection ({os.strerror(errno.EADDRINUSE)})", text)

    async def test_address_that_was_waited_for_in_vain_is_not_tried_twice(self) -> None:
        """What took its time is not repeated: the user waits, and the device."""
        endpoint = mock.Mock()
        endpoint.return_value.connect.side_effect = lambda _: fail(TCPTimedOut())
        with mock.patch("duoproxy.net.remembered_address.HostnameEndpoint", endpoint):
            text = await self.fails(ServiceUnavailable, self.client().begin_login().preauth("alice", None))
        self.assertIn(f"no connection ({os.strerror(errno.ETIMEDOUT)})", text)
        endpoint.assert_called_once()

    async def _tried(self, number: int, has_ipv6: bool, port: int | None) -> None:
        """Log in where no address can be reached, the last one for this reason."""
        endpoint = mock.Mock()
        endpoint.return_value.connect.side_effect = lambda _: fail(ConnectError(number))
        with (
            mock.patch("duoproxy.net.remembered_address.HostnameEndpoint", endpoint),
            mock.patch("duoproxy.net.lacking._speaks_ipv6", return_value=has_ipv6),
            mock.patch("duoproxy.net.remembered_address.lacking_for_look_up", return_value=None),
            mock.patch("duoproxy.net.lacking._lacking", return_value=port),
        ):
            await self.client().begin_login().preauth("alice", None)

    async def _looked_up(self, nothing: Callable[[], Deferred[Any]], then_lacking: int | None) -> None:
        """Log in where the look-up comes to nothing, and the machine lacks something afterwards."""
        lacking: list[int | None] = [None]

        def look_up(_: Any) -> Deferred[Any]:
            lacking[0] = then_lacking
            return nothing()

        endpoint = mock.Mock()
        endpoint.return_value.connect.side_effect = look_up
        with (
            mock.patch("duoproxy.net.remembered_address.HostnameEndpoint", endpoint),
            mock.patch("duoproxy.net.lacking._lacking", side_effect=lambda *_: lacking[0]),
        ):
            await self.client(api_timeout_s=SHORT_S).begin_login().preauth("alice", None)

    async def test_sections_share_one_bound(self) -> None:
        """Two sections may not open twice as many connections as there are descriptors for."""
        self.server.answer = lambda *_: None
        limit = ConnectionLimit(1)
        first = Deferred.fromCoroutine(self.client(limit=limit).begin_login().preauth("alice", None))
        await self.fails(ServiceRefused, self.client(limit=limit).begin_login().preauth("bob", None))
        first.cancel()
        with self.assertRaises(CancelledError):
            await first
