"""The request to our HTTP proxy: however its octets are cut, only CONNECT to the one host is ever allowed."""

from __future__ import annotations

from duoproxy.net.connect_requests import Allowed, Authority, ConnectReader, Refusal, refusal_octets
from tests.fuzz.shaping import first_octet

DUO = Authority("api-1.duosecurity.com", 443)
WORDS = (b"CONNECT ", b"api-1.duosecurity.com:443", b" HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"Content-Length: 0\r\n")


def target(data: bytes) -> None:
    cut, octets = first_octet(data)
    reader = ConnectReader(DUO)
    judgement = None
    for piece in (octets[:cut], octets[cut:]):
        if piece and judgement is None:
            judgement = reader.receive(piece)
    if isinstance(judgement, Allowed):
        line = octets.lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r")
        assert line.lower() in {b"connect api-1.duosecurity.com:443 http/1." + version for version in (b"0", b"1")}
        assert line.startswith(b"CONNECT ")
        assert octets.endswith((b"\r\n", b"\n"))
    elif isinstance(judgement, Refusal):
        assert judgement.what.isprintable()
        assert refusal_octets(judgement).startswith(b"HTTP/1.1 4")
