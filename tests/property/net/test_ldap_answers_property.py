"""Whatever a directory sends, in whatever pieces: a value or a closed connection, and every request hears of it."""

from __future__ import annotations

import contextlib
import io
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.errors import RemoteProtocolError
from duoproxy.net.ldap_answers import Entry, read_answer
from duoproxy.net.ldap_faults import LdapConnectionLost
from tests.twisted.ldap_wire import Conversation, bind_response, done, element, entry, extended

quick = settings(max_examples=200, deadline=None)
octets = st.binary(max_size=12)
tags = st.sampled_from([0x02, 0x04, 0x0A, 0x30, 0x31, 0x61, 0x64, 0x65, 0x73, 0x78, 0x79, 0x87, 0x8A, 0xA0, 0xA3, 0x1F])
trees = st.recursive(
    st.builds(element, tags, octets),
    lambda inner: st.builds(lambda tag, parts: element(tag, *parts), tags, st.lists(inner, max_size=4)),
)
messages = st.builds(
    lambda operation, parts: element(0x30, element(0x02, b"\1"), element(operation, *parts)),
    tags,
    st.lists(trees, max_size=4),
)
good = st.sampled_from(
    [entry(1, "cn=a", mail=[b"a", b"b"]), done(1), bind_response(1), extended(0, 52, "bye"), done(2)]
)


@quick
@given(st.one_of(octets, messages, trees))
def test_any_octets_are_an_answer_or_end_the_connection(sent: bytes) -> None:
    """Nothing else is raised, and nothing is printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(RemoteProtocolError):
        read_answer(sent)
    assert printed.getvalue() == ""


@quick
@given(st.dictionaries(st.text("abcdefgh-;", min_size=1, max_size=8), st.lists(octets, max_size=4), max_size=5))
def test_entry_is_read_as_it_was_written(attributes: dict[str, list[bytes]]) -> None:
    """Every value of every attribute."""
    answer = read_answer(entry(1, "cn=x", **attributes)).answer
    assert answer == Entry(b"cn=x", {name: tuple(values) for name, values in attributes.items()})


@quick
@given(st.lists(st.one_of(good, messages, octets), max_size=4), st.lists(st.integers(1, 40), max_size=30))
def test_pieces_of_a_stream_make_no_difference(sent: list[bytes], cuts: list[int]) -> None:
    """The same outcome for each request, however the network cut the stream; after a fault nobody waits."""
    stream = b"".join(sent)
    assert _outcome(stream, []) == _outcome(stream, cuts)


def _outcome(stream: bytes, cuts: list[int]) -> tuple[str, ...]:
    talk = Conversation()
    waiting = [talk.ask(), talk.ask()]
    outcomes = ["waits", "waits"]
    for number, each in enumerate(waiting):
        each.addBoth(partial(_note, outcomes, number))
    for size in [*cuts, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        if piece:
            talk.answer(piece)
    if talk.wire.aborting:
        assert "waits" not in outcomes
        assert not talk.connection.is_usable
    return (*outcomes, str(talk.wire.aborting))


def _note(outcomes: list[str], number: int, result: object) -> None:
    outcomes[number] = str(getattr(result, "value", result))


def test_request_after_a_fault_is_told() -> None:
    """Nobody waits on a connection that is given up."""
    talk = Conversation()
    talk.answer(b"junk")
    waiting = talk.ask()
    failures: list[object] = []
    waiting.addErrback(lambda failure: failures.append(failure.value))
    assert isinstance(failures[0], LdapConnectionLost)
