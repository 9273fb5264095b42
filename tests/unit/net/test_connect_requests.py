"""What an HTTP proxy for one host takes: CONNECT to exactly that host."""

from __future__ import annotations

import pytest

from duoproxy.net.connect_requests import (
    BAD_REQUEST,
    FORBIDDEN,
    HEAD_TOO_LARGE,
    MAX_HEAD_BYTES,
    METHOD_NOT_ALLOWED,
    Allowed,
    Authority,
    ConnectReader,
    Judgement,
    Refusal,
    refusal_octets,
)

DUO = Authority("api-1.duosecurity.com", 443)


def judged(octets: bytes, authority: Authority = DUO) -> Judgement | None:
    """What is said of these octets, when they come at once."""
    return ConnectReader(authority).receive(octets)


def connect(target: str, more: str = "") -> bytes:
    """A CONNECT as curl writes it."""
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: curl", "Proxy-Connection: Keep-Alive"]
    return ("\r\n".join([*lines, more]) + "\r\n").encode("latin-1")


@pytest.mark.parametrize("target", ["api-1.duosecurity.com:443", "API-1.DuoSecurity.com:443"])
def test_the_one_authority_is_allowed_whatever_its_case(target: str) -> None:
    """Host names are compared without case (RFC 9110 §4.2.3)."""
    assert judged(connect(target)) == Allowed()


def test_http_1_0_without_host_is_allowed() -> None:
    """Older clients write it."""
    assert judged(b"CONNECT api-1.duosecurity.com:443 HTTP/1.0\r\n\r\n") == Allowed()


@pytest.mark.parametrize(
    "target",
    [
        "api-1.duosecurity.com",
        "api-1.duosecurity.com:",
        "api-1.duosecurity.com:80",
        "api-1.duosecurity.com:0443",
        "api-1.duosecurity.com.:443",
        "api-1.duosecurity.com:443@evil.example:443",
        "evil@api-1.duosecurity.com:443",
        "https://api-1.duosecurity.com:443",
        "api-1.duosecurity.com:443/",
        "api-2.duosecurity.com:443",
        "x.api-1.duosecurity.com:443",
        "54.241.191.128:443",
        "[::1]:443",
        "127.0.0.1:22",
        "*",
        "/",
    ],
)
def test_every_other_authority_is_forbidden(target: str) -> None:
    """Nothing is relayed but what is written exactly as api_host and its port."""
    judgement = judged(connect(target))
    assert isinstance(judgement, Refusal)
    assert judgement.status == FORBIDDEN
    assert target[:20] in judgement.what


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "connect", "TRACE", "PRI"])
def test_every_other_method_is_refused(method: str) -> None:
    """This is no general proxy; methods are compared with case (RFC 9110 §9.1)."""
    judgement = judged(f"{method} api-1.duosecurity.com:443 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert isinstance(judgement, Refusal)
    assert judgement.status == METHOD_NOT_ALLOWED
    assert b"\r\nAllow: CONNECT\r\n" in refusal_octets(judgement)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"CONNECT api-1.duosecurity.com:443\r\n\r\n",
        b"CONNECT api-1.duosecurity.com:443 HTTP/2.0\r\nHost: a\r\n\r\n",
        b"CONNECT api-1.duosecurity.com:443 HTTP/1.1\r\n\r\n",
        b"CONNECT  api-1.duosecurity.com:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT api-1.duosecurity.com:443 HTTP/1.1\r\nHost : a\r\n\r\n",
        b"CONNECT api-1.duosecurity.com:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"CONNECT api-1.duosecurity.com:443 HTTP/1.1\r\nHost: a\r\n continued\r\n\r\n\x00",
    ],
)
def test_what_is_no_request_is_refused_as_such(octets: bytes) -> None:
    """TLS on the wrong port, other protocols, malformed lines: 400 and the end."""
    judgement = judged(octets)
    assert isinstance(judgement, Refusal)
    assert judgement.status == BAD_REQUEST


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_a_connect_with_a_body_is_refused(field: str) -> None:
    """RFC 9110 §9.3.6: a CONNECT has no content; where it would end is a matter of opinion."""
    judgement = judged(connect("api-1.duosecurity.com:443", f"{field}\r\n"))
    assert judgement == Refusal(BAD_REQUEST, "its CONNECT announces a body")


def test_octets_before_the_answer_are_refused() -> None:
    """Nothing runs through a tunnel that is not open."""
    judgement = judged(connect("api-1.duosecurity.com:443") + b"\x16")
    assert judgement == Refusal(BAD_REQUEST, "it sent data before the tunnel was open")


def test_a_request_may_come_octet_by_octet() -> None:
    """The judgement falls at its last octet, and not before."""
    reader, octets = ConnectReader(DUO), connect("api-1.duosecurity.com:443")
    answers = [reader.receive(octets[index : index + 1]) for index in range(len(octets))]
    assert answers[:-1] == [None] * (len(octets) - 1)
    assert answers[-1] == Allowed()


def test_a_head_without_end_is_refused_at_the_bound() -> None:
    """A client cannot make us keep more than MAX_HEAD_BYTES."""
    reader = ConnectReader(DUO)
    assert reader.receive(b"CONNECT api-1.duosecurity.com:443 HTTP/1.1\r\n") is None
    judgement = reader.receive(b"X: " + b"a" * MAX_HEAD_BYTES)
    assert isinstance(judgement, Refusal)
    assert judgement.status == HEAD_TOO_LARGE


@pytest.mark.parametrize("more", [0, 1])
def test_the_bound_of_a_head_does_not_depend_on_the_network(more: int) -> None:
    """A head that comes in one piece may have as many octets as one that drips; what stands behind is not its own."""
    begin, end = b"CONNECT api-1.duosecurity.com:443 HTTP/1.0\r\nX: ", b"\r\n\r\n"
    head = begin + b"a" * (MAX_HEAD_BYTES - len(begin) - len(end) + more) + end
    assert isinstance(judged(head), Refusal if more else Allowed)
    behind = judged(head + b"b" * MAX_HEAD_BYTES)
    assert isinstance(behind, Refusal)
    assert behind.status == (HEAD_TOO_LARGE if more else BAD_REQUEST)


def test_what_a_client_wrote_cannot_forge_a_line_of_the_log() -> None:
    """A target is shown without characters that end a line or move the cursor, and not at full length."""
    judgement = judged(b"CONNECT " + b"a\x7f\xc3\xa9" * 200 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert isinstance(judgement, Refusal)
    assert judgement.what.isprintable()
    assert len(judgement.what) < 300
