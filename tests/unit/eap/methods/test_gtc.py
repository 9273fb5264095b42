"""Prompts and answers of Generic Token Card. Source: RFC 3748 §5.6."""

from __future__ import annotations

import pytest

from duoproxy.eap.methods.gtc import MAX_ANSWER_BYTES, MAX_PROMPT_BYTES, encode_prompt, read_answer
from duoproxy.errors import RemoteProtocolError
from duoproxy.secret import Secret


def test_prompt_is_the_text():
    """The text in UTF-8, without a terminator."""
    assert encode_prompt("Code für Älice: ") == "Code für Älice: ".encode()


def test_prompt_has_at_least_one_octet():
    """The request holds a message of one octet or more."""
    assert encode_prompt("") == b" "


def test_long_prompt_is_cut_between_characters():
    """A prompt is bounded, and no character is cut in two."""
    octets = encode_prompt("ä" * 5000 + "x")
    assert len(octets) == MAX_PROMPT_BYTES
    assert octets.decode() == "ä" * (MAX_PROMPT_BYTES // 2)
    assert encode_prompt("x" + "ä" * 5000).decode() == "x" + "ä" * (MAX_PROMPT_BYTES // 2 - 1)


@pytest.mark.parametrize("answer", [b"", b"pencil", b"RESPONSE=alice\0pencil", b"\xff\0", b"a" * MAX_ANSWER_BYTES])
def test_answer_is_taken_literally(answer: bytes):
    """Nothing in an answer is interpreted: a password may begin with RESPONSE=."""
    assert read_answer(answer) == Secret(answer)


def test_long_answer_is_refused():
    """Reject, do not cut."""
    with pytest.raises(RemoteProtocolError):
        read_answer(b"a" * (MAX_ANSWER_BYTES + 1))
