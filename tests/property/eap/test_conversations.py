"""Whole PEAP conversations over a bad network and with a bad peer: any fragmentation works, and nothing that was cut
short or changed, at any step, ends in success or escapes as an exception.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from duoproxy.eap.actions import Discard, Fail, SendRequest, Succeed
from tests.unit.eap.conversation import Conversation, authenticator
from tests.unit.eap.peap_peer import PEAP, TLS_1_2, TLS_1_3, PeapPeer, response

VERSIONS = st.sampled_from([0, 1])
TLS_VERSIONS = st.sampled_from([TLS_1_2, TLS_1_3])
FEW = settings(max_examples=60)
SOME = settings(max_examples=100)
EAP_HEADER, FLAGS = 5, 1


class TalkingToTheEnd(Conversation):
    """A conversation whose peer may break down: then it goes on with acknowledgements, as a hostile one would."""

    def run(self) -> Succeed | Fail | Discard:
        reply = response(7, 1, b"anonymous")
        for _ in range(200):
            action = self.step(reply)
            if not isinstance(action, SendRequest):
                return action
            try:
                reply = self.peer.respond(action.eap)
            except (SSL.Error, AssertionError, IndexError):
                reply = response(action.eap[1], PEAP, bytes((action.eap[5] & 7,)))
        raise AssertionError("a conversation without an end")


@given(VERSIONS, TLS_VERSIONS, st.integers(200, 1500), st.integers(20, 1500))
@FEW
def test_any_fragmentation_ends_in_equal_keys(version, tls_version, mtu, fragment_bytes):
    """However both sides cut their messages, they come to the same keys."""
    peer = PeapPeer(version=version, tls_version=tls_version, fragment_bytes=fragment_bytes)
    end = Conversation(peer, mtu=mtu).run()
    if isinstance(end, Fail):
        assert "rounds" in end.reason  # a hello in pieces of 20 octets
        assert fragment_bytes < 40
        return
    assert isinstance(end, Succeed)
    assert end.keys.msk.reveal() == peer.msk()


IN_FRAGMENTS, WHOLE = 700, 5000
"""Octets of TLS in one packet: a hello of TLS 1.3 in three packets, or in one."""


def lengths_of(version: int, tls_version: int, fragment_bytes: int) -> list[int]:
    """The lengths of the responses of a conversation that ends well."""
    talk = Conversation(PeapPeer(version=version, tls_version=tls_version, fragment_bytes=fragment_bytes))
    assert isinstance(talk.run(), Succeed)
    return [len(octets) for octets in talk.received]


LENGTHS = {each: lengths_of(*each) for each in itertools.product((0, 1), (TLS_1_2, TLS_1_3), (IN_FRAGMENTS, WHOLE))}
KINDS = pytest.mark.parametrize(("version", "tls_version", "fragment_bytes"), LENGTHS)


def with_length(octets: bytes) -> bytes:
    return octets[:2] + len(octets).to_bytes(2, "big") + octets[4:]


@pytest.mark.parametrize("length_is_corrected", [False, True])
@KINDS
@given(st.data())
@SOME
def test_no_message_cut_short_leads_to_success(version, tls_version, fragment_bytes, length_is_corrected, data):
    """Any response, cut anywhere, with the Length it had or the one that fits."""
    lengths = LENGTHS[version, tls_version, fragment_bytes]
    step = data.draw(st.integers(1, len(lengths) - 1))
    assume(lengths[step] > EAP_HEADER + FLAGS)
    kept = data.draw(st.integers(0, lengths[step] - 1))
    # Inside PEAPv1 an empty packet confirms our success: it says as much as the EAP-Success that was cut off.
    last_of_v1 = version == 1 and step == len(lengths) - 1
    assume(not (last_of_v1 and kept <= EAP_HEADER + FLAGS))

    def change(number: int, octets: bytes) -> bytes:
        if number != step:
            return octets
        short = octets[:kept]
        return with_length(short) if length_is_corrected and kept >= 4 else short

    peer = PeapPeer(version=version, tls_version=tls_version, fragment_bytes=fragment_bytes)
    assert isinstance(TalkingToTheEnd(peer, change=change).run(), Fail | Discard)


def immaterial(octets: bytes, at: int, flipped: int) -> bool:
    """Whether nobody can tell what an octet was: it has no meaning in its protocol, or none there.

    The version (after the first response) and the reserved bits of PEAP's flags, and whether an empty fragment follows;
    the version in the header of a TLS record, and what is in a record of change_cipher_spec.
    """
    if at == EAP_HEADER:
        return not flipped & 0xA0
    begin = EAP_HEADER + FLAGS + (4 if octets[EAP_HEADER] & 0x80 else 0)
    records = octets[begin:]
    at -= begin
    start = 0
    while start + 5 <= len(records):
        size = int.from_bytes(records[start + 3 : start + 5], "big")
        if start <= at < start + 5 + size:
            return at - start in (1, 2) or records[start] == 20
        start += 5 + size
    return False


@KINDS
@given(st.data())
@SOME
def test_no_changed_message_leads_to_success(version, tls_version, fragment_bytes, data):
    """Any octet of any response changed: discarded, or the end; only where it means nothing it may go on."""
    lengths = LENGTHS[version, tls_version, fragment_bytes]
    step = data.draw(st.integers(1, len(lengths) - 1))
    at = data.draw(st.integers(0, lengths[step] - 1))
    flipped = data.draw(st.integers(1, 255))
    harmless = []

    def change(number: int, octets: bytes) -> bytes:
        if number != step or at >= len(octets):
            harmless.extend([True] if number == step else [])
            return octets
        harmless.append(immaterial(octets, at, flipped))
        return octets[:at] + bytes((octets[at] ^ flipped,)) + octets[at + 1 :]

    peer = PeapPeer(version=version, tls_version=tls_version, fragment_bytes=fragment_bytes)
    talk = TalkingToTheEnd(peer, change=change)
    end = talk.run()
    if isinstance(end, Succeed):
        assert harmless == [True]
        assert end.keys.msk.reveal() == peer.msk()
        assert [asked.answer.reveal() for asked in talk.asked] == [b"pencil"]
    else:
        assert isinstance(end, Fail | Discard)


@given(VERSIONS, TLS_VERSIONS, st.data())
@SOME
def test_no_octets_in_place_of_a_message_lead_to_success(version, tls_version, data):
    """Any octets at any step, also as the Type-Data of a well-formed response."""
    steps = len(LENGTHS[version, tls_version, WHOLE])
    step = data.draw(st.integers(1, steps - 1))
    octets = data.draw(st.binary(max_size=60))
    framed = data.draw(st.booleans())
    assume(not (version == 1 and step == steps - 1 and framed and len(octets) == 1))

    def change(number: int, right: bytes) -> bytes:
        if number != step:
            return right
        return response(right[1], PEAP, octets) if framed else octets

    peer = PeapPeer(version=version, tls_version=tls_version, fragment_bytes=WHOLE)
    end = TalkingToTheEnd(peer, change=change).run()
    if isinstance(end, Succeed):
        # Only an acknowledgement can be told in many ways.
        assert framed
        assert LENGTHS[version, tls_version, WHOLE][step] == EAP_HEADER + FLAGS
        assert len(octets) in (1, 5)
    else:
        assert isinstance(end, Fail | Discard)


@given(VERSIONS, TLS_VERSIONS, st.data())
@SOME
def test_no_lie_inside_the_tunnel_leads_to_success(version, tls_version, data):
    """A peer that changes or cuts an inner packet before it goes into the tunnel gets in only with the right words."""
    target = data.draw(st.integers(0, 2))
    kept = data.draw(st.none() | st.integers(0, 70))
    at, flipped = data.draw(st.integers(0, 80)), data.draw(st.integers(1, 255))
    seen: list[bytes] = []

    def change_inner(octets: bytes) -> bytes:
        seen.append(octets)
        if len(seen) - 1 != target:
            return octets
        changed = octets[:kept] if kept is not None else octets
        if at < len(changed):
            changed = changed[:at] + bytes((changed[at] ^ flipped,)) + changed[at + 1 :]
        seen[-1] = changed
        return changed or b"\0"

    peer = PeapPeer(version=version, tls_version=tls_version, change_inner=change_inner)
    talk = TalkingToTheEnd(peer)
    end = talk.run()
    assert isinstance(end, Succeed | Fail)
    if isinstance(end, Succeed):
        assert end.identity == "alice"
        assert talk.asked[-1].answer.reveal() == b"pencil"
        if version == 0:
            assert seen[2][4] == 33
            assert seen[2][6:11] == bytes.fromhex("0300020001")


@given(st.lists(st.binary(max_size=40), max_size=12))
@SOME
def test_any_responses_end_without_success(messages):
    """A peer that says anything at all as the Type-Data of PEAP: an action each time, and never success."""
    server = authenticator()
    server.receive(response(7, 1, b"x"), 0.0, 1000)
    for data in messages:
        [action] = server.receive(response(server.last_request[1], PEAP, data), 0.0, 1000)
        assert isinstance(action, SendRequest | Fail | Discard)
