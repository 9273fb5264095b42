"""The machine of PEAP itself: every phase with every input, in both versions, with TLS 1.2 and 1.3."""

from __future__ import annotations

import enum
import itertools
import os
import struct

import pytest

from duoproxy.eap.actions import Accept, Ask, Discard, JudgeAnswer, Refuse
from duoproxy.eap.methods.method import MethodDone, MethodFailed, MethodRequest, MethodStep, Turn
from duoproxy.eap.methods.peap import MAX_TLS_MESSAGE_BYTES, Peap, PeapPhase
from tests.unit.eap.conversation import CountedBytes, settings
from tests.unit.eap.peap_peer import TLS_1_2, TLS_1_3, PeapPeer

TURN, NARROW = Turn(7, 1400), Turn(7, 100)
JUDGEMENTS = [Accept(), Ask("Code: "), Refuse(), Refuse("Denied.")]
LENGTH_INCLUDED, MORE, START = 0x80, 0x40, 0x20
ALERT_RECORD = bytes.fromhex("1503030002") + b"\x02\x30"
"""Fatal, unknown_ca; in the clear, as a peer that did not finish the handshake sends it."""


class Place(enum.Enum):
    """Where a conversation stands: the phases, two of them seen closer."""

    START = PeapPhase.START
    HANDSHAKE = PeapPhase.HANDSHAKE
    FRAGMENTS = "more of our flight is to be sent"
    FINISHED = PeapPhase.FINISHED
    TUNNEL = PeapPhase.TUNNEL
    JUDGING = "an answer is being judged"
    SAID = "success was said inside the tunnel"
    ALERT = PeapPhase.ALERT
    ENDED = PeapPhase.ENDED


class Input(enum.Enum):
    """What a peer may send as Type-Data."""

    GOOD = "what a good peer answers here"
    GOOD_IN_PART = "the first half of it, with more to come"
    GOOD_TWICE = "it, and the same again behind it"
    EARLIER = "what it answered first, once more"
    ACKNOWLEDGEMENT = "a packet without data"
    NOTHING = "not even flags"
    HALF_A_LENGTH = "flags that promise a TLS Length that is not there"
    PEAP_START = "the start that only a server sends"
    TOO_LONG = "a TLS Length beyond the limit"
    LYING = "a TLS Length that is not that of the data"
    ENDLESS = "an empty fragment with more to come"
    HIGHER = "a version that nobody offered"
    RUBBISH = "no TLS"
    ALERT = "a TLS alert"
    FORGED = "a record of application data that nobody encrypted"


class Talk:
    """A run of PEAP, and the peer that brought it to where it stands."""

    def __init__(self, version: int, tls_version: int) -> None:
        self.peap = Peap(settings(), CountedBytes())
        self.peer = PeapPeer(version=version, tls_version=tls_version)
        self.sent: list[bytes] = []
        self.good = self._answer(self.peap.begin(TURN))

    def _answer(self, step: MethodStep) -> bytes:
        """Let the peer answer a request; anything else leaves it with what it said."""
        if not isinstance(step, MethodRequest):
            return self.good
        packet = struct.pack("!BBHB", 1, 7, 5 + len(step.data), 25) + step.data
        answer = self.peer.respond(packet)[5:]
        self.sent.append(answer)
        return answer

    def go_on(self, turn: Turn = TURN, judgement: Accept | None = None) -> MethodStep:
        step = self.peap.receive(self.good, turn)
        if isinstance(step, JudgeAnswer) and judgement is not None:
            step = self.peap.judged(judgement, turn)
        self.good = self._answer(step)
        return step


def brought_to(place: Place, version: int, tls_version: int) -> Talk:
    """Come there by the way of a good peer, but for the alert."""
    talk = Talk(version, tls_version)
    if place is Place.START:
        return talk
    if place is Place.FRAGMENTS:
        talk.go_on(NARROW)
        return talk
    if place is Place.ALERT:
        talk.peap.receive(bytes((version,)) + b"\x16\x03\x01\x00\x05hello", TURN)
        return talk
    step: MethodStep | None = None
    judged = False
    while not _is_there(place, talk, step, judged):
        step = talk.go_on(judgement=None if place is Place.JUDGING else Accept())
        judged = judged or (bool(talk.peer.prompts) and talk.peer.inner_requests[-1][-2:] != b": ")
    return talk


def _is_there(place: Place, talk: Talk, step: MethodStep | None, judged: bool) -> bool:
    if place is Place.JUDGING:
        return isinstance(step, JudgeAnswer)
    if place is Place.SAID:
        return judged
    return isinstance(step, MethodDone) if place is Place.ENDED else talk.peap.phase is place.value


def octets_of(what: Input, talk: Talk, version: int) -> bytes:
    flags, good = bytes((version,)), talk.good
    data = good[1 + 4 * bool(good[0] & LENGTH_INCLUDED) :]
    half = max(1, len(data) // 2)
    return {
        Input.GOOD: good,
        Input.GOOD_IN_PART: bytes((version | MORE,)) + data[:half],
        Input.GOOD_TWICE: flags + data + data,
        Input.EARLIER: talk.sent[0],
        Input.ACKNOWLEDGEMENT: flags,
        Input.NOTHING: b"",
        Input.HALF_A_LENGTH: bytes((version | LENGTH_INCLUDED,)) + b"\0\0",
        Input.PEAP_START: bytes((version | START,)),
        Input.TOO_LONG: bytes((version | LENGTH_INCLUDED | MORE,))
        + (MAX_TLS_MESSAGE_BYTES + 1).to_bytes(4, "big")
        + b"x",
        Input.LYING: bytes((version | LENGTH_INCLUDED,)) + (len(data) + 9).to_bytes(4, "big") + data,
        Input.ENDLESS: bytes((version | MORE,)),
        Input.HIGHER: bytes((version | 2,)) + data,
        Input.RUBBISH: flags + b"GET / HTTP/1.1\r\n\r\n",
        Input.ALERT: flags + ALERT_RECORD,
        Input.FORGED: flags + bytes.fromhex("1703030020") + os.urandom(32),
    }[what]


PLACES = [
    (place, version, tls_version)
    for place, version, tls_version in itertools.product(Place, (0, 1), (TLS_1_2, TLS_1_3))
    # with TLS 1.3 the last message of the handshake is the peer's
    if not (place is Place.FINISHED and tls_version == TLS_1_3)
]
# Where success comes from: it was said inside the tunnel, and the peer confirms it there.
CONFIRMED = {
    (Place.SAID, 0, Input.GOOD),
    (Place.SAID, 1, Input.GOOD),
    (Place.SAID, 1, Input.ACKNOWLEDGEMENT),  # an empty packet is how PEAPv1 confirms
    (Place.SAID, 1, Input.GOOD_TWICE),  # which is empty, too
    # The version counts in the first answer only: some peers leave it out later. What stands in the tunnel is proven.
    (Place.SAID, 0, Input.HIGHER),
    (Place.SAID, 1, Input.HIGHER),
}
# What is malformed, or cannot come from a peer, is discarded: it changes nothing, and the right answer still counts.
HARMLESS = {Input.NOTHING, Input.HALF_A_LENGTH, Input.PEAP_START}


def name(one: object) -> str:
    return {TLS_1_2: "TLS 1.2", TLS_1_3: "TLS 1.3"}.get(one, getattr(one, "name", str(one)))  # type: ignore[call-overload]


@pytest.mark.parametrize(("place", "version", "tls_version"), PLACES, ids=name)
def test_every_input_in_every_phase_of_peap(place: Place, version: int, tls_version: int):
    """A step comes out, never an exception; success only where it was said and is confirmed; no end is talked away."""
    for what in Input:
        talk = brought_to(place, version, tls_version)
        phase = talk.peap.phase
        assert phase is place.value or isinstance(place.value, str)
        step = talk.peap.receive(octets_of(what, talk, version), TURN)
        assert isinstance(step, MethodRequest | JudgeAnswer | MethodFailed | MethodDone | Discard), what
        assert isinstance(step, MethodDone) == ((place, version, what) in CONFIRMED), what
        if what in HARMLESS:
            assert isinstance(step, Discard), what
        if isinstance(step, Discard):
            assert talk.peap.phase is phase, what
        if isinstance(step, MethodFailed | MethodDone):
            assert talk.peap.phase is PeapPhase.ENDED, what
        if what is Input.HIGHER and place is Place.START:
            assert isinstance(step, MethodFailed)
        if place in (Place.ALERT, Place.ENDED):
            assert not isinstance(step, JudgeAnswer), what


@pytest.mark.parametrize(("place", "version", "tls_version"), PLACES, ids=name)
def test_what_is_discarded_changes_nothing(place: Place, version: int, tls_version: int):
    """After every malformed packet the good answer has the step that it would have had."""
    undisturbed, talk = (brought_to(place, version, tls_version) for _ in range(2))
    for what in HARMLESS:
        talk.peap.receive(octets_of(what, talk, version), TURN)
    after = talk.peap.receive(talk.good, TURN)
    assert type(after) is type(undisturbed.peap.receive(undisturbed.good, TURN))
    assert talk.peap.phase is undisturbed.peap.phase


@pytest.mark.parametrize(("place", "version", "tls_version"), PLACES, ids=name)
@pytest.mark.parametrize("judgement", JUDGEMENTS, ids=str)
def test_every_judgement_in_every_phase_of_peap(place: Place, version: int, tls_version: int, judgement):
    """A judgement counts where one is awaited; nowhere does it let anybody in by itself."""
    step = brought_to(place, version, tls_version).peap.judged(judgement, TURN)
    assert isinstance(step, MethodRequest if place is Place.JUDGING else MethodFailed)
