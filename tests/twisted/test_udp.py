"""The UDP socket on loopback: replies leave from the asked address, ICMP errors and faults do not stop it."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable

import pytest
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.errors import ListenError
from duoproxy.net import udp
from duoproxy.net.packet_info import RefusedDatagram
from duoproxy.net.udp import Endpoint, UdpSocket, bind_udp, open_udp, source_host_towards


def spin_until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Let the real reactor work until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        reactor.iterate(0.01)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback address")


class LoopbackTests(SynchronousTestCase):
    """Each test has a listening socket of ours, and a plain socket of Python as the device."""

    def setUp(self) -> None:
        self.received: list[tuple[bytes, Endpoint, str]] = []

    def listen(self, interface: str) -> UdpSocket:
        self.received.clear()
        listener = bind_udp(interface, 0)
        self.addCleanup(listener.close)
        listener.start_reading(reactor, lambda *arguments: self.received.append(arguments))
        return listener

    def device(self, family: int = socket.AF_INET, bind_to: str = "") -> socket.socket:
        device = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(device.close)
        device.settimeout(5)
        if bind_to:
            device.bind((bind_to, 0))
        return device

    def ask_and_answer(self, interface: str, asked: str) -> tuple[bytes, str]:
        listener = self.listen(interface)
        device = self.device(socket.AF_INET6 if ":" in asked else socket.AF_INET)
        device.sendto(b"question", (asked, listener.port))
        spin_until(lambda: self.received)
        datagram, source, local_host = self.received[0]
        self.assertEqual(datagram, b"question")
        self.assertEqual(source[1], device.getsockname()[1])
        self.assertEqual(local_host, asked)
        self.assertTrue(listener.send(b"answer", source, local_host))
        octets, address = device.recvfrom(100)
        return octets, address[0]

    def test_reply_leaves_from_the_asked_address_on_a_wildcard_socket(self) -> None:
        """RFC 2865 §3: the reply leaves from the address that the request arrived at."""
        for asked in ("127.0.0.1", "127.0.0.2"):
            self.assertEqual(self.ask_and_answer("", asked), (b"answer", asked))

    def test_reply_leaves_from_the_asked_address_on_an_ipv4_wildcard(self) -> None:
        """The same where the socket is bound to all of IPv4 only."""
        self.assertEqual(self.ask_and_answer("0.0.0.0", "127.0.0.2"), (b"answer", "127.0.0.2"))

    def test_reply_of_a_socket_that_is_bound_to_one_address(self) -> None:
        """A socket of one interface answers from it, and names it."""
        self.assertEqual(self.ask_and_answer("127.0.0.3", "127.0.0.3"), (b"answer", "127.0.0.3"))

    @needs_ipv6
    def test_ipv6_device_on_the_dual_stack_socket(self) -> None:
        """One socket serves IPv6 too."""
        self.assertEqual(self.ask_and_answer("", "::1"), (b"answer", "::1"))

    @needs_ipv6
    def test_ipv6_device_on_an_ipv6_address(self) -> None:
        """A socket that is bound to an IPv6 address."""
        self.assertEqual(self.ask_and_answer("::1", "::1"), (b"answer", "::1"))

    def test_ipv4_device_is_shown_as_ipv4_on_the_dual_stack_socket(self) -> None:
        """A v4-mapped address is shown as the IPv4 address that the administrator wrote."""
        listener = self.listen("")
        self.device(bind_to="127.0.0.5").sendto(b"q", ("127.0.0.1", listener.port))
        spin_until(lambda: self.received)
        self.assertEqual(self.received[0][1][0], "127.0.0.5")

    def test_a_burst_is_read_in_a_few_wake_ups(self) -> None:
        """Up to 64 datagrams are read at one wake-up, the rest at the next; none is lost."""
        listener = self.listen("127.0.0.1")
        device = self.device()
        for number in range(200):
            device.sendto(b"%d" % number, ("127.0.0.1", listener.port))
        listener.doRead()
        self.assertEqual(len(self.received), udp.READS_PER_WAKE_UP)
        spin_until(lambda: len(self.received) == 200)
        self.assertEqual([datagram for datagram, *_ in self.received], [b"%d" % number for number in range(200)])

    def test_a_fault_in_the_receiver_costs_one_datagram(self) -> None:
        """An exception of the receiver is logged; the port goes on to read."""
        listener = self.listen("127.0.0.1")

        def receive(datagram: bytes, source: Endpoint, local_host: str) -> None:
            if datagram == b"bad":
                raise ZeroDivisionError
            self.received.append((datagram, source, local_host))

        listener.start_reading(reactor, receive)
        device = self.device()
        for datagram in (b"bad", b"good"):
            device.sendto(datagram, ("127.0.0.1", listener.port))
        spin_until(lambda: self.received)
        self.assertEqual(self.received[0][0], b"good")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_long_datagram_is_cut_at_the_longest_packet(self) -> None:
        """What follows the 4096th octet can only be padding."""
        listener = self.listen("127.0.0.1")
        self.device().sendto(bytes(9000), ("127.0.0.1", listener.port))
        spin_until(lambda: self.received)
        self.assertEqual(len(self.received[0][0]), 4096)

    def test_closing_in_the_middle_of_a_burst_ends_the_reading(self) -> None:
        """After `close` no datagram is given out, also when the receiver itself closed."""
        listener = self.listen("127.0.0.1")
        taken: list[bytes] = []

        def close_at_first(datagram: bytes, source: Endpoint, local_host: str) -> None:
            taken.append(datagram)
            listener.close()

        listener.start_reading(reactor, close_at_first)
        device = self.device()
        for _ in range(3):
            device.sendto(b"x", ("127.0.0.1", listener.port))
        spin_until(lambda: taken)
        self.assertEqual(taken, [b"x"])
        self.assertEqual(listener.fileno(), -1)

    def refuse_and_go_on(self, family: int, host: str) -> None:
        refused: list[RefusedDatagram] = []
        asking = open_udp(family)
        self.addCleanup(asking.close)
        asking.start_reading(reactor, lambda *arguments: self.received.append(arguments), refused.append)
        with socket.socket(family, socket.SOCK_DGRAM) as closed:
            closed.bind((host, 0))
            port = closed.getsockname()[1]
        self.assertTrue(asking.send(b"question", (host, port)))
        spin_until(lambda: refused)
        self.assertEqual(refused, [RefusedDatagram((host, port), b"question")])
        server = self.device(family, host)
        self.assertTrue(asking.send(b"again", (host, server.getsockname()[1])))
        _, address = server.recvfrom(100)
        server.sendto(b"answer", address)
        spin_until(lambda: self.received)
        self.assertEqual(self.received[0][0], b"answer")

    def test_a_refused_datagram_is_reported_with_its_destination(self) -> None:
        """ICMP port unreachable names the server that refuses, and the socket goes on to work."""
        self.refuse_and_go_on(socket.AF_INET, "127.0.0.1")

    @needs_ipv6
    def test_a_refused_datagram_over_ipv6(self) -> None:
        """The same with ICMPv6."""
        self.refuse_and_go_on(socket.AF_INET6, "::1")

    def test_a_datagram_without_a_route_is_counted_and_not_raised(self) -> None:
        """A datagram that the kernel does not take is lost, as in a network; it never raises."""
        listener = self.listen("127.0.0.1")
        self.assertFalse(listener.send(bytes(70000), ("127.0.0.1", 9)))
        self.assertEqual(listener.unsent, 1)

    def test_the_receive_buffer_is_larger_than_the_default(self) -> None:
        """4 MiB where the kernel allows it, and what it allows elsewhere."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            default = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self.assertGreaterEqual(self.listen("127.0.0.1").receive_buffer_bytes, default)

    def test_source_host_towards_loopback(self) -> None:
        """The address that NAS-IP-Address names by default is the one that requests leave from."""
        self.assertEqual(source_host_towards("127.0.0.1"), "127.0.0.1")


class RefusedListenTests(SynchronousTestCase):
    """An address that cannot be listened on is a sentence with a remedy."""

    def test_port_in_use(self) -> None:
        """Port in use: its own sentence with cause and remedy."""
        first = bind_udp("127.0.0.1", 0)
        self.addCleanup(first.close)
        with pytest.raises(ListenError) as raised:
            bind_udp("127.0.0.1", first.port)
        self.assertEqual(
            str(raised.value),
            f"UDP port {first.port} on 127.0.0.1 is in use by another program. Stop that program "
            f"(`ss -lunp 'sport = :{first.port}'` names it), or write another number in the option port of this "
            "section and on the devices.",
        )

    def test_port_in_use_on_all_addresses_is_not_taken_half(self) -> None:
        """A wildcard does not fall back to IPv4 because another program has the port."""
        first = bind_udp("", 0)
        self.addCleanup(first.close)
        with pytest.raises(ListenError, match="on all addresses is in use"):
            bind_udp("", first.port)

    def test_address_of_another_machine(self) -> None:
        """An address that is not ours."""
        with pytest.raises(ListenError, match=r"this machine does not have that address.*option interface"):
            bind_udp("192.0.2.1", 0)

    def test_a_machine_without_ipv6_listens_on_ipv4(self) -> None:
        """`interface` empty means IPv4 only where there is no IPv6."""
        real = udp._bind

        def without_ipv6(family: int, host: str, port: int, dual_stack: bool = False) -> socket.socket:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "no IPv6")
            return real(family, host, port)

        self.patch(udp, "_bind", without_ipv6)
        listener = bind_udp("", 0)
        self.addCleanup(listener.close)
        self.assertEqual(listener._socket.family, socket.AF_INET)
