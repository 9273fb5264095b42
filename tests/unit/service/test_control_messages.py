"""How tools and service talk: what is a request, what is an answer, and what is told of anything else."""

from __future__ import annotations

import json

import pytest

from duoproxy.service.control_messages import (
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    ControlFault,
    decode_answer,
    decode_request,
    encode_answer,
    encode_refusal,
    encode_request,
)


def test_a_request_is_read_as_it_was_written() -> None:
    """A command with its arguments, on one line."""
    line = encode_request("explain", {"user": "zoë\n", "last": 3})
    assert line.count(b"\n") == 1
    request = decode_request(line)
    assert (request.command, request.arguments) == ("explain", {"user": "zoë\n", "last": 3})
    assert len(line) < MAX_REQUEST_BYTES


def test_an_answer_is_read_as_it_was_written() -> None:
    """Its result."""
    assert decode_answer(encode_answer({"pid": 7})) == {"pid": 7}


def test_a_refusal_is_its_sentence() -> None:
    """What the service says is what the tool says."""
    with pytest.raises(ControlFault, match=r"^Ask for less\.$"):
        decode_answer(encode_refusal("Ask for less."))


@pytest.mark.parametrize(
    "line",
    [b"", b"status", b"[]", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"version":1}', b'{"version":1,"command":7}'],
)
def test_what_is_no_request_is_a_fault(line: bytes) -> None:
    """Whatever it is, it has a sentence."""
    with pytest.raises(ControlFault):
        decode_request(line)


def test_another_version_is_told_what_to_do() -> None:
    """After an upgrade the old tools may still be about."""
    with pytest.raises(ControlFault, match="use the tools that came with it"):
        decode_request(b'{"version": 2, "command": "status"}')


@pytest.mark.parametrize("line", [b"", b"ok", b"{}", b'{"ok":true}', b'{"version":2,"ok":true,"result":{}}'])
def test_what_is_no_answer_is_a_fault(line: bytes) -> None:
    """A tool never takes nonsense for an answer."""
    with pytest.raises(ControlFault):
        decode_answer(line)


def test_an_answer_that_is_too_long_is_refused_in_a_sentence() -> None:
    """Nobody waits for the end of it."""
    line = encode_answer({"text": "x" * MAX_ANSWER_BYTES})
    assert len(line) < MAX_REQUEST_BYTES
    assert json.loads(line)["error"] == "The answer is too long: ask for less."
