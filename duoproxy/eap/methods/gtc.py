"""Generic Token Card: a prompt and its answer, in the clear, hence only inside a tunnel.

What the answer means, this file does not know; nothing is cut from it, and nothing in it is interpreted.

Source: RFC 3748 §5.6.
"""

from __future__ import annotations

from duoproxy.errors import RemoteProtocolError
from duoproxy.secret import Secret

MAX_PROMPT_BYTES = 2000
MAX_ANSWER_BYTES = 1024


def encode_prompt(text: str) -> bytes:
    """Write the Type-Data of a request: at least one octet, at most `MAX_PROMPT_BYTES`, cut between characters.

    Source: RFC 3748 §5.6.
    """
    octets = text.encode("utf-8", "replace")[:MAX_PROMPT_BYTES]
    return octets.decode("utf-8", "ignore").encode("utf-8") or b" "


def read_answer(data: bytes) -> Secret:
    """Read the Type-Data of a response; an empty one is an answer, too.

    Raises:
        RemoteProtocolError: DISCARD: over `MAX_ANSWER_BYTES`: it is never cut.

    Source: RFC 3748 §5.6.
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise RemoteProtocolError(f"an answer of {len(data)} octets; the limit is {MAX_ANSWER_BYTES}")
    return Secret(data)
