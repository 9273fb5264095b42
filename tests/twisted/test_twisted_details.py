"""What the proxy uses of Twisted that Twisted does not promise: each test names the file that needs a new way."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.scripts._twistd_unix import UnixApplicationRunner
from twisted.web._newclient import HTTP11ClientProtocol, Request
from twisted.web.http_headers import Headers


def test_octets_that_wait_are_found_in_one_of_two_buffers() -> None:
    """`net/prompt_write.py`: a transport keeps what it has not written in `_tempDataBuffer`, then in `dataBuffer`."""
    own, far = socket.socketpair()
    with own, far:
        reactor: Any = MemoryReactor()
        transport: Any = Connection(own, Protocol(), reactor)
        transport.connected = 1
        large = bytes(1 << 22)
        transport.write(large)
        assert transport._tempDataBuffer == [large]
        transport.doWrite()
        assert transport._tempDataBuffer == []
        assert transport.dataBuffer == large


def test_http_runs_over_one_connection_without_a_pool() -> None:
    """`net/plain_http.py`: `HTTP11ClientProtocol` says when it is free, and writes a `Request` that it is given."""
    http: Any = HTTP11ClientProtocol()
    transport = StringTransport()
    http.makeConnection(transport)
    assert http.state == "QUIESCENT"
    http.request(Request(b"GET", b"/ping", Headers({b"host": [b"duo.test"]}), None, persistent=True))
    assert http.state != "QUIESCENT"
    assert transport.value() == b"GET /ping HTTP/1.1\r\nHost: duo.test\r\n\r\n"


def test_twistd_looks_for_its_pipe_after_the_application_has_started() -> None:
    """`service/launcher.py`: who takes `statusPipe` out of twistd's settings while it starts reports in its place."""
    asked: list[str] = []

    class Settings(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            asked.append(key)
            return super().get(key, default)

    class Runner(UnixApplicationRunner):
        application = None

        def startApplication(self, application: object) -> None:
            asked.append("started")

        def startReactor(self, *arguments: object) -> None:
            asked.append("reactor")

    runner: Any = Runner.__new__(Runner)
    runner.config, runner.oldstdout, runner.oldstderr = Settings(pidfile=""), None, None
    runner.postApplication()
    assert asked == ["started", "statusPipe", "reactor"]
