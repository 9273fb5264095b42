"""Asks the running service something over its control socket, and says in a sentence why that cannot be.

Blocking, with a deadline over everything. Whoever answers has to be root or the owner of the folder that the socket
stands in: a socket that somebody else put up tells nothing.
"""

from __future__ import annotations

import enum
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from duoproxy.errors import DuoproxyError
from duoproxy.service.control_messages import (
    MAX_ANSWER_BYTES,
    ControlFault,
    decode_answer,
    encode_request,
)
from duoproxy.service.control_socket import peer_uid, reachable_name
from duoproxy.service.places import Places

DEADLINE_S: Final = 10.0
_READ_BYTES: Final = 65_536


class Absence(enum.Enum):
    """Why there is no answer."""

    NOT_RUNNING = "not running"
    UNKNOWN = "unknown"


class NoAnswer(DuoproxyError):
    """The service did not answer: one sentence or two.

    Attributes:
        absence: whether it is known not to run.
    """

    def __init__(self, absence: Absence, sentence: str) -> None:
        super().__init__(sentence)
        self.absence = absence


def ask(
    places: Places, command: str, arguments: Mapping[str, object] | None = None, deadline_s: float = DEADLINE_S
) -> Mapping[str, Any]:
    """Ask the service of an installation.

    Args:
        places: of the installation.
        command: what is asked.
        arguments: with what.
        deadline_s: seconds for connecting, asking and the whole answer.

    Raises:
        NoAnswer: it does not run, may not be asked, or does not answer in time.
        ControlFault: it refused, in a sentence.
    """
    path, until = places.control_socket, time.monotonic() + deadline_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(deadline_s)
        try:
            _connect(connection, path)
            connection.sendall(encode_request(command, arguments or {}))
            line = _read_line(connection, until)
        except PermissionError:
            raise NoAnswer(Absence.UNKNOWN, _not_allowed(path)) from None
        except TimeoutError:
            raise NoAnswer(Absence.UNKNOWN, f"The service did not answer in {deadline_s:g} seconds.") from None
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise _absent(places) from None
        except OSError as fault:
            raise NoAnswer(Absence.UNKNOWN, f"{path} cannot be talked to: {fault.strerror or fault}.") from fault
    try:
        return {_printable(key): _printable(value) for key, value in decode_answer(line).items()}
    except ControlFault as fault:
        raise ControlFault(_printable(str(fault))) from None


def _printable(told: Any) -> Any:
    """Write out what would move the cursor: names of users are in answers, and root's terminal shows them."""
    if isinstance(told, str):
        return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in told)
    if isinstance(told, list):
        return [_printable(one) for one in told]
    if isinstance(told, dict):
        return {_printable(key): _printable(value) for key, value in told.items()}
    return told


def _connect(connection: socket.socket, path: Path) -> None:
    folder = os.open(path.parent, os.O_DIRECTORY | os.O_RDONLY | os.O_CLOEXEC)
    try:
        owner = os.fstat(folder).st_uid
        connection.connect(reachable_name(folder, path))
    finally:
        os.close(folder)
    if peer_uid(connection) not in (0, owner):
        raise NoAnswer(
            Absence.UNKNOWN, f"{path} is answered by user id {peer_uid(connection)}, who is not the service's user."
        )


def _read_line(connection: socket.socket, until: float) -> bytes:
    read = bytearray()
    while not read.endswith(b"\n"):
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        piece = connection.recv(_READ_BYTES)
        if not piece:
            raise NoAnswer(Absence.UNKNOWN, "The service closed the connection without an answer: it may be stopping.")
        read += piece
        if len(read) > MAX_ANSWER_BYTES:
            raise ControlFault("The answer is too long.")
    return bytes(read)


def _not_allowed(path: Path) -> str:
    return f"Only root and the user of the service may ask it ({path}): try again with sudo."


def _absent(places: Places) -> NoAnswer:
    """Nobody answers: whether a process of the service is there all the same."""
    from duoproxy.tools.service_control import make_controls  # it imports much, and is seldom needed

    path = places.control_socket
    if not make_controls(places.configuration).is_running():
        remedy = "Start it with authproxyctl start; if it runs with another configuration, name that one with -c FILE."
        return NoAnswer(Absence.NOT_RUNNING, f"The service is not running (nobody answers at {path}). {remedy}")
    sentence = (
        f"The service runs, but nobody answers at {path}: it is starting or stopping, or could not make its socket"
    )
    return NoAnswer(Absence.UNKNOWN, f"{sentence}, which its log then says.")
