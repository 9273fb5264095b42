r"""How tools and service talk over the control socket: one JSON object a line, in each direction.

    {"version": 1, "command": "explain", "last": 5}
    {"version": 1, "ok": true, "result": {…}}
    {"version": 1, "ok": false, "error": "a sentence"}

Pure. Whoever speaks another version is told so in a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from duoproxy.errors import DuoproxyError

VERSION: Final = 1
MAX_REQUEST_BYTES: Final = 4_096
"""Of a request, its line end included."""
MAX_ANSWER_BYTES: Final = 8 << 20
"""Of an answer; what would be longer is refused in a sentence."""


class ControlFault(DuoproxyError):
    """A request that cannot be carried out, or an answer that says so: one sentence."""


@frozen
class ControlRequest:
    """What a tool asks.

    Attributes:
        command: `status`, `explain`, `primary_only` …
        arguments: the other keys of the object.
    """

    command: str
    arguments: Mapping[str, Any]


def encode_request(command: str, arguments: Mapping[str, object]) -> bytes:
    """Write a request."""
    return _line({"version": VERSION, "command": command, **arguments})


def decode_request(line: bytes) -> ControlRequest:
    """Read a request.

    Raises:
        ControlFault: it is none, or of another version.
    """
    read = _object(line, "the request")
    if read.get("version") != VERSION:
        raise ControlFault(
            f"The service speaks version {VERSION} of the control channel: use the tools that came with it."
        )
    command = read.get("command")
    if not isinstance(command, str):
        raise ControlFault("The request names no command.")
    return ControlRequest(command, {key: value for key, value in read.items() if key not in ("version", "command")})


def encode_answer(result: Mapping[str, object]) -> bytes:
    """Write the answer to a request that was carried out."""
    line = _line({"version": VERSION, "ok": True, "result": result})
    if len(line) > MAX_ANSWER_BYTES:
        return encode_refusal("The answer is too long: ask for less.")
    return line


def encode_refusal(sentence: str) -> bytes:
    """Write the answer to a request that was not."""
    return _line({"version": VERSION, "ok": False, "error": sentence})


def decode_answer(line: bytes) -> Mapping[str, Any]:
    """Read an answer, and give its result.

    Raises:
        ControlFault: the service refused, or this is no answer.
    """
    read = _object(line, "the answer")
    if read.get("ok") is not True:
        error = read.get("error")
        raise ControlFault(error if isinstance(error, str) else "The service refused, and did not say why.")
    result = read.get("result")
    if read.get("version") != VERSION or not isinstance(result, dict):
        raise ControlFault("The service and this tool are of different versions: restart the service.")
    return result


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes, what: str) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise ControlFault(f"{what.capitalize()} is not one JSON object on one line.")
    return read
