"""What comes over HTTP, in any pieces: the answers of a proxy to CONNECT, and of Duo's service."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import http_answer, http_connect

quick = settings(max_examples=200, deadline=None)
pieces = st.integers(0, 255)
versions = st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2", "http/1.1", "ICY", ""])
statuses = st.sampled_from(["200", "204", "299", "100", "304", "407", "502", "20", "2000", "abc"])
header = st.sampled_from(
    [
        *("Content-Length: 5", "Content-Length: -1", "Content-Length: 5, 6", "Transfer-Encoding: chunked"),
        *("Connection: close", "Content-Encoding: gzip", "Date: Mon, 21 Sep 2026 12:26:40 GMT", "Date: now"),
        *("Location: https://x/", ": x", "x"),
    ]
) | st.text(max_size=10)
bodies = st.sampled_from(["", "hello", "5\r\nhello\r\n0\r\n\r\n", "-1\r\n", '{"stat": "OK"}']) | st.text(max_size=20)
answers = st.builds(
    lambda version, status, headers, body: "\r\n".join([f"{version} {status} reason", *headers, "", body]).encode(
        "utf-8", "replace"
    ),
    versions,
    statuses,
    st.lists(header, max_size=4),
    bodies,
) | st.binary(max_size=100)


@quick
@given(pieces, answers)
def test_any_answer_of_a_proxy_is_a_tunnel_or_a_refusal(size: int, answer: bytes) -> None:
    """Nothing that stands behind the head reaches TLS, and the refusal can be logged."""
    http_connect.target(bytes((size,)) + answer)


@quick
@given(pieces, answers)
def test_any_answer_of_the_service_is_an_answer_or_is_lost(size: int, answer: bytes) -> None:
    """One end for each request, within its time, without a timer that is left behind."""
    http_answer.target(bytes((size,)) + answer)
