"""An answer of Duo's service as octets behind TLS, in any pieces: an answer within its limit, or Lost."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure

from duoproxy.duoapi.answers import HttpAnswer
from duoproxy.duoapi.clock import read_date
from duoproxy.duoapi.signing import SignedRequest
from duoproxy.net.duo_channel import Channel, Lost
from duoproxy.net.duo_link import Link
from duoproxy.net.plain_http import MAX_BODY_BYTES
from tests.fuzz.log_watch import LogWatch
from tests.fuzz.shaping import chunks, first_octet

REQUEST = SignedRequest("GET", "/auth/v2/check", {"Date": "x", "Authorization": "Basic x"}, None)
WORDS = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Connection: close\r\n", b"Date: ", b"\r\n\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n"),
    *(b"HTTP/1.1 304 Not Modified\r\n", b"HTTP/1.0 302 Found\r\nLocation: https://localhost:1/\r\n", b"HTTP/9.9 "),
)


class _Tls(StringTransportWithDisconnection):
    """TLS and TCP in one."""

    @property
    def transport(self) -> _Tls:
        return self

    def abortConnection(self) -> None:
        self.loseConnection()


def target(data: bytes) -> None:
    size, answer = first_octet(data)
    clock, link, tls = Clock(), Link(), _Tls()
    tls.protocol = link
    ends: list[Any] = []
    with LogWatch() as log:
        link.makeConnection(tls)
        link.handshakeCompleted()
        channel = Channel(clock, link, "api.example.com")
        Deferred.fromCoroutine(channel.exchange(REQUEST, 15.0, 10.0)).addBoth(ends.append)
        for piece in chunks(answer, size):
            if tls.connected:
                link.dataReceived(piece)
        clock.advance(20.0)
        clock.advance(20.0)
        _judge(ends)
        if tls.connected:
            tls.loseConnection()
    log.shows_no_fault()
    assert [call for call in clock.getDelayedCalls() if call.active()] == []


def _judge(ends: list[Any]) -> None:
    assert len(ends) == 1
    if isinstance(ends[0], Failure):
        assert ends[0].check(Lost) is Lost, ends[0].getTraceback()
        assert str(ends[0].value).isprintable()
        return
    answer = ends[0]
    assert isinstance(answer, HttpAnswer)
    assert len(answer.body) <= MAX_BODY_BYTES
    read_date(answer.date)
