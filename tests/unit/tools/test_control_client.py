"""Asking the service: an answer, or a sentence that says why there is none, always in time."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duoproxy.service.control_messages import ControlFault, encode_answer, encode_refusal
from duoproxy.service.places import Places
from duoproxy.tools import control_client, service_control
from duoproxy.tools.control_client import Absence, NoAnswer, ask


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(tmp_path / "conf" / "authproxy.cfg")
    made.run_folder.mkdir()
    return made


@contextlib.contextmanager
def answering(places: Places, octets: bytes | None) -> Iterator[list[bytes]]:
    """Answer one request with these octets and close; with None be silent."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(places.run_folder, os.O_DIRECTORY)
        listener.bind(f"/proc/self/fd/{folder}/{places.control_socket.name}")
        os.close(folder)
        listener.listen()
        over = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(BrokenPipeError):
                asked.append(connection.recv(65_536))
                if octets is None:
                    over.wait(10)
                else:
                    connection.sendall(octets)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            over.set()
            thread.join(10)


def test_an_answer_is_its_result(places: Places) -> None:
    """In pieces or whole."""
    with answering(places, encode_answer({"text": "x" * 300_000})) as asked:
        assert ask(places, "status", {"a": 1}) == {"text": "x" * 300_000}
    assert asked == [b'{"version":1,"command":"status","a":1}\n']


def test_a_refusal_is_its_sentence(places: Places) -> None:
    """As the service says it."""
    with answering(places, encode_refusal("Not today.")), pytest.raises(ControlFault, match=r"^Not today\.$"):
        ask(places, "status")


def test_nothing_that_an_answer_says_moves_the_cursor(places: Places) -> None:
    """A name that somebody logged in with is shown to root: what cannot be printed stands as its number."""
    told = {"logins": [{"user": "\x1b]0;pwned\x07al\nice", "steps": [{"text": "b\u202eob é"}], "at": 1.5, "end": None}]}
    with answering(places, encode_answer(told)):
        assert ask(places, "explain") == {
            "logins": [
                {"user": "\\x1b]0;pwned\\x07al\\nice", "steps": [{"text": "b\\u202eob é"}], "at": 1.5, "end": None}
            ]
        }


def test_a_refusal_with_what_cannot_be_printed(places: Places) -> None:
    """The same holds for the sentence of a refusal."""
    with answering(places, encode_refusal("No \x1b[31m.")), pytest.raises(ControlFault, match=r"No \\x1b\[31m\."):
        ask(places, "explain")


def test_who_is_silent_is_given_up(places: Places) -> None:
    """After the deadline, and not later."""
    began = time.monotonic()
    with answering(places, None), pytest.raises(NoAnswer, match="did not answer in") as raised:
        ask(places, "status", deadline_s=0.2)
    assert raised.value.absence is Absence.UNKNOWN
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("octets", [b"", b'{"version":1'])
def test_half_an_answer_is_none(places: Places, octets: bytes) -> None:
    """The service was stopped meanwhile."""
    with answering(places, octets), pytest.raises(NoAnswer, match="without an answer"):
        ask(places, "status")


def test_nobody_there_is_not_running(places: Places) -> None:
    """No folder, no socket, or one that nobody answers on."""
    with answering(places, b""), contextlib.suppress(NoAnswer):
        ask(places, "status")
    assert places.control_socket.exists()
    for prepare in (lambda: None, places.control_socket.unlink, places.run_folder.rmdir):
        prepare()
        with pytest.raises(NoAnswer, match=r"The service is not running .*name that one with -c FILE") as raised:
            ask(places, "status")
        assert raised.value.absence is Absence.NOT_RUNNING


def test_a_process_without_a_socket_is_not_taken_for_a_stopped_service(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches the service must not start it a second time."""
    monkeypatch.setattr(service_control.Controls, "is_running", lambda self: True)
    with pytest.raises(NoAnswer, match="The service runs, but nobody answers") as raised:
        ask(places, "status")
    assert raised.value.absence is Absence.UNKNOWN


def test_somebody_else_who_answers_is_not_believed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither root nor the owner of the folder; what they say is not even read."""
    monkeypatch.setattr(control_client, "peer_uid", lambda connection: os.geteuid() + 54_321)
    with (
        answering(places, encode_answer({"running": True})),
        pytest.raises(NoAnswer, match="is not the service's user"),
    ):
        ask(places, "status")
