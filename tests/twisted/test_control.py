"""The control channel: what a connection may do, for how long, and whom it belongs to."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.service import control
from duoproxy.service.control import CONNECTION_S, MAX_CONNECTIONS, ControlChannel, ControlProtocol
from duoproxy.service.control_messages import MAX_REQUEST_BYTES, ControlFault, encode_request


class FakeReactor(Clock):
    """A clock that also takes descriptors and connections, and keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.adopted: list[Factory] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Factory) -> None:
        assert family == socket.AF_UNIX
        self.adopted.append(factory)


def echo(arguments: Mapping[str, Any], uid: int) -> Mapping[str, object]:
    return {"arguments": dict(arguments), "uid": uid}


def refuse(arguments: Mapping[str, Any], uid: int) -> Mapping[str, object]:
    raise ControlFault("Not today.")


def fail(arguments: Mapping[str, Any], uid: int) -> Mapping[str, object]:
    raise ZeroDivisionError("a marker of the fault")


class ControlCase(SynchronousTestCase):
    """A channel with three commands."""

    def setUp(self) -> None:
        """Make it; nothing listens yet."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.reactor = FakeReactor()
        self.path = Path(folder.name) / "s.sock"
        self.channel = ControlChannel(self.reactor, self.path, {"echo": echo, "refuse": refuse, "fail": fail})

    def connect(self) -> tuple[ControlProtocol, StringTransport]:
        protocol, transport = ControlProtocol(self.channel, 1000), StringTransport()
        protocol.makeConnection(transport)
        return protocol, transport

    def said(self, transport: StringTransport) -> list[dict[str, Any]]:
        return [json.loads(line) for line in transport.value().splitlines()]


class ConnectionTests(ControlCase):
    """One connection."""

    def test_each_line_gets_its_answer(self) -> None:
        """Also when it comes in pieces, or two come together."""
        protocol, transport = self.connect()
        line = encode_request("echo", {"a": 1})
        protocol.dataReceived(line[:5])
        self.assertEqual(transport.value(), b"")
        protocol.dataReceived(line[5:] + encode_request("echo", {}))
        answers = self.said(transport)
        self.assertEqual([answer["result"]["arguments"] for answer in answers], [{"a": 1}, {}])

    def test_a_command_is_told_who_asks(self) -> None:
        """By the user id that the kernel gave."""
        protocol, transport = self.connect()
        protocol.dataReceived(encode_request("echo", {"uid": 0}))
        self.assertEqual(self.said(transport)[0]["result"]["uid"], 1000)

    def test_what_cannot_be_carried_out_has_a_sentence_and_the_next_is_served(self) -> None:
        """A refusal, an unknown command, and nonsense."""
        protocol, transport = self.connect()
        for line in (encode_request("refuse", {}), encode_request("sing", {}), b"nonsense\n"):
            protocol.dataReceived(line)
        protocol.dataReceived(encode_request("echo", {}))
        answers = self.said(transport)
        self.assertEqual([answer["ok"] for answer in answers], [False, False, False, True])
        self.assertEqual(answers[0]["error"], "Not today.")
        self.assertEqual(answers[1]["error"], "This service knows no command 'sing'.")

    def test_a_fault_of_ours_is_logged_and_not_told(self) -> None:
        """What went wrong inside is for the log."""
        protocol, transport = self.connect()
        protocol.dataReceived(encode_request("fail", {}))
        self.assertNotIn("marker", transport.value().decode())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_line_without_end_is_closed(self) -> None:
        """No request is so long."""
        protocol, transport = self.connect()
        protocol.dataReceived(b"x" * (MAX_REQUEST_BYTES + 10))
        self.assertTrue(transport.disconnecting)

    def test_a_silent_tool_is_closed(self) -> None:
        """Its place is for others."""
        protocol, transport = self.connect()
        self.reactor.advance(CONNECTION_S - 1)
        self.assertFalse(transport.disconnected)
        self.reactor.advance(1)
        self.assertTrue(transport.disconnected)
        protocol.connectionLost()
        self.assertEqual(self.channel.connections, set())


class ChannelTests(ControlCase):
    """The socket, and who comes to it."""

    def accept(self, uid: int = 0) -> list[str]:
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        with ours, mock.patch.object(control, "peer_uid", return_value=uid), capturedLogs() as events:
            self.channel.accepted(ours)
        return [formatEvent(event) for event in events]

    def test_root_and_our_own_user_are_served(self) -> None:
        """Nobody else is, whatever the mode of the file says."""
        for uid in (0, os.geteuid()):
            self.assertEqual(self.accept(uid), [])
        served = len(self.reactor.adopted)
        stranger = os.geteuid() + 54_321
        self.assertEqual(
            self.accept(stranger), [f"A control connection of user id {stranger} was refused: only root may ask."]
        )
        self.assertEqual(len(self.reactor.adopted), served)

    def test_so_many_connections_and_no_more(self) -> None:
        """Whoever holds them all keeps others out for a few seconds only."""
        for _ in range(MAX_CONNECTIONS):
            self.connect()
        self.assertIn("was refused", self.accept()[0])
        self.assertEqual(self.reactor.adopted, [])
        self.reactor.advance(CONNECTION_S)
        for connection in list(self.channel.connections):
            connection.connectionLost()
        self.assertEqual(self.accept(), [])
        self.assertEqual(len(self.reactor.adopted), 1)

    def test_it_listens_and_takes_the_file_away(self) -> None:
        """And starting needs no root."""
        self.channel.start()
        [acceptor] = self.reactor.readers
        with socket.socket(socket.AF_UNIX) as tool:
            tool.connect(str(self.path))
            acceptor.doRead()
        self.assertEqual(len(self.reactor.adopted), 1)
        self.channel.stop()
        self.assertEqual(self.reactor.readers, [])
        self.assertFalse(self.path.exists())

    def test_without_a_folder_the_service_works_and_one_line_says_so(self) -> None:
        """As in a clone."""
        self.channel = ControlChannel(self.reactor, self.path.parent / "run" / "s.sock", {})
        with capturedLogs() as events:
            self.channel.start()
        [event] = events
        self.assertEqual(event["log_level"].name, "info")
        self.assertIn("authproxyctl status", formatEvent(event))
        self.channel.stop()

    def test_a_folder_that_is_not_safe_is_a_warning(self) -> None:
        """And the service works all the same."""
        self.path.parent.chmod(0o777)
        with capturedLogs() as events:
            self.channel.start()
        self.assertEqual([event["log_level"].name for event in events], ["warn"])
        self.assertEqual(self.reactor.readers, [])
        self.channel.stop()
