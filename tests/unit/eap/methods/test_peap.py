"""PEAP from its start to its end, with a peer that was written from the specifications."""

from __future__ import annotations

import pytest
from OpenSSL import SSL

from duoproxy.eap.actions import Ask, Discard, Fail, JudgeAnswer, Judgement, Refuse, SendRequest, Succeed
from duoproxy.eap.authenticator import Phase
from duoproxy.eap.tls_engine import TlsServerContext
from duoproxy.tls_server import TLS_1_3, TlsServerSettings
from tests.unit.eap.certificates import certificate, key, tls_context
from tests.unit.eap.conversation import Conversation, authenticator
from tests.unit.eap.peap_peer import NAK, PEAP, TLS_1_2, PeapPeer, response
from tests.unit.eap.peap_peer import TLS_1_3 as PEER_1_3

EVERY_VERSION = pytest.mark.parametrize(
    ("version", "tls_version"), [(0, TLS_1_2), (0, PEER_1_3), (1, TLS_1_2), (1, PEER_1_3)]
)


def succeeded(conversation: Conversation) -> Succeed:
    end = conversation.run()
    assert isinstance(end, Succeed), end
    return end


def failed(conversation: Conversation) -> Fail:
    end = conversation.run()
    assert isinstance(end, Fail), end
    assert end.eap == bytes((4, conversation.received[-1][1], 0, 4))
    return end


@EVERY_VERSION
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_right_password_ends_with_equal_keys(version: int, tls_version: int, kind: str):
    """PEAPv0 and v1 with TLS 1.2 and 1.3: both sides have the same MSK and the same name for the session."""
    peer = PeapPeer(version=version, tls_version=tls_version)
    talk = Conversation(peer, authenticator(tls=tls_context(kind)))
    end = succeeded(talk)
    assert end.keys.msk.reveal() == peer.msk()
    assert (len(end.keys.msk), len(end.keys.emsk)) == (64, 64)
    assert end.keys.session_id == peer.session_id()
    assert end.identity == "alice"
    assert end.eap == bytes((3, talk.received[-1][1], 0, 4))
    assert talk.server.summary == f"PEAPv{version}, TLSv1.{2 if tls_version == TLS_1_2 else 3}"


@EVERY_VERSION
def test_wrong_password_ends_with_failure(version: int, tls_version: int):
    """Failure is said inside the tunnel, then EAP-Failure follows."""
    peer = PeapPeer(version=version, tls_version=tls_version, answers=[b"wrong"])
    end = failed(Conversation(peer))
    assert end.reason == "the login was refused"
    said = peer.inner_requests[-1]
    assert said[4:] == bytes.fromhex("21800300020002") if version == 0 else (said[0], said[2:]) == (4, b"\0\4")


def test_version_is_read_from_the_first_answer():
    """1 is offered; a peer that answers with 0 gets PEAPv0, and every later packet has its version."""
    talk = Conversation(PeapPeer(version=0))
    succeeded(talk)
    assert talk.sent[0][5] == 0x21
    assert {packet[5] & 7 for packet in talk.sent[1:]} == {0}


def test_higher_version_than_offered_is_refused():
    """A peer that answers with a higher version than was offered: reject."""
    talk = Conversation(PeapPeer(), change=lambda number, octets: changed_flags(octets, 2) if number == 1 else octets)
    assert "version" in failed(talk).reason


def test_version_of_the_first_fragment_counts():
    """A hello in pieces: what later pieces say of the version changes nothing."""
    talk = Conversation(
        PeapPeer(version=1, tls_version=PEER_1_3, fragment_bytes=300),
        change=lambda number, octets: changed_flags(octets, 0) if number > 1 else octets,
    )
    succeeded(talk)
    assert {packet[5] & 7 for packet in talk.sent} == {1}


def changed_flags(octets: bytes, version: int) -> bytes:
    return octets[:5] + bytes((octets[5] & ~7 | version,)) + octets[6:]


def test_acknowledgement_without_the_version_is_taken():
    """Some peers leave the version out of acknowledgements: the one that was agreed on stays."""
    talk = Conversation(
        PeapPeer(version=1, tls_version=TLS_1_2),
        change=lambda number, octets: changed_flags(octets, 0) if len(octets) == 6 else octets,
        mtu=300,
    )
    succeeded(talk)
    assert {packet[5] & 7 for packet in talk.sent} == {1}


@pytest.mark.parametrize("tls_version", [TLS_1_2, PEER_1_3])
@pytest.mark.parametrize("mtu", [200, 500, 1020, 1396])
@pytest.mark.parametrize("fragment_bytes", [100, 500, 1300])
def test_any_fragment_sizes(tls_version: int, mtu: int, fragment_bytes: int):
    """No packet is longer than the device can take, its header counted; the peer may cut as it likes."""
    talk = Conversation(
        PeapPeer(tls_version=tls_version, fragment_bytes=fragment_bytes), authenticator(tls=tls_context("rsa")), mtu=mtu
    )
    succeeded(talk)
    assert max(map(len, talk.sent)) <= mtu
    if mtu < 1000:
        assert max(map(len, talk.sent)) == mtu


def test_long_chain_fits_into_the_rounds():
    """A chain of 8 KiB in fragments of 200 octets needs less than the cap on rounds."""
    succeeded(Conversation(PeapPeer(), authenticator(tls=tls_context("ec", padding=8000)), mtu=200))


def test_identity_is_asked_in_the_message_that_ends_the_tls_1_3_handshake():
    """With TLS 1.3 the server has the last word of no handshake: phase 2 begins in the same request."""
    newer = Conversation(PeapPeer(tls_version=PEER_1_3, fragment_bytes=3000), mtu=3000)
    older = Conversation(PeapPeer(tls_version=TLS_1_2, fragment_bytes=3000), mtu=3000)
    succeeded(newer)
    succeeded(older)
    # start, hello, [finished,] identity, prompt, success
    assert (len(newer.sent), len(older.sent)) == (5, 6)


def test_prompt_gives_the_user_time():
    """Session-Timeout stands with the requests that ask the user, and with no other."""
    talk = Conversation(PeapPeer())
    succeeded(talk)
    assert [timeout for timeout in talk.timeouts if timeout is not None] == [60]


def test_time_for_the_user_begins_with_the_last_fragment_of_a_prompt():
    """A prompt that is longer than a packet: Session-Timeout stands with the packet after which it is shown."""
    prompt = "Passcode or option: ".rjust(600, "x")
    peer = PeapPeer()
    talk = Conversation(peer, authenticator(first_prompt=prompt), mtu=200)
    succeeded(talk)
    assert peer.prompts == [prompt.encode()]
    [shown] = [number for number, timeout in enumerate(talk.timeouts) if timeout is not None]
    has_more = [bool(packet[5] & 0x40) for packet in talk.sent]
    assert has_more[shown - 3 : shown + 1] == [True, True, True, False]


def test_peer_that_ends_the_handshake_with_an_alert():
    """A fatal alert of the peer (it does not trust the certificate): EAP-Failure at once. RFC 5216 §2.1.3."""
    peer = PeapPeer(tls_version=TLS_1_2)
    alert = bytes.fromhex("15030300020230")  # fatal, unknown_ca
    talk = Conversation(peer, change=lambda number, octets: own_tls(octets, alert) if number == 2 else octets)
    assert failed(talk).reason == "TLS: tlsv1 alert unknown ca"


def test_peer_that_ends_tls_where_it_should_acknowledge():
    """With TLS 1.2 the peer has the last Finished of ours to judge: what its alert says is the reason."""
    peer = PeapPeer(tls_version=TLS_1_2, fragment_bytes=3000)

    def change(number: int, octets: bytes) -> bytes:
        if number != 3:
            return octets
        assert len(octets) == 6
        peer.tls.shutdown()
        return own_tls(octets, peer.tls.bio_read(1000))

    assert failed(Conversation(peer, change=change, mtu=3000)).reason == "TLS: the peer closed the TLS tunnel"


def own_tls(octets: bytes, tls: bytes) -> bytes:
    return response(octets[1], PEAP, octets[5:6] + tls)


def test_our_alert_is_sent_before_the_failure():
    """An alert of ours goes out in a request; EAP-Failure comes after the peer's acknowledgement. RFC 5216 §2.1.3."""
    only_1_3 = TlsServerContext(TlsServerSettings([certificate("ec")], key("ec"), TLS_1_3))
    talk = Conversation(PeapPeer(tls_version=TLS_1_2), authenticator(tls=only_1_3))
    with pytest.raises(SSL.Error, match="protocol version"):
        talk.run()
    assert talk.sent[-1][6:8] == b"\x15\x03"
    # A client that does not acknowledge leaves the reason in the log all the same.
    assert talk.server.summary == "PEAPv1, TLS: unsupported protocol"
    end = talk.step(response(talk.sent[-1][1], PEAP, b"\1"))
    assert isinstance(end, Fail)
    assert "unsupported protocol" in end.reason


@pytest.mark.parametrize(
    "data", [b"", b"\x81\0\0", b"\x21", b"\x21abc"], ids=["no-flags", "short", "start", "start-data"]
)
def test_malformed_packet_is_discarded_and_changes_nothing(data: bytes):
    """No flags octet, no whole TLS Length, a start from the peer: discarded; the right answer still counts."""
    talk = Conversation(PeapPeer())
    for number in range(3):
        action = talk.step(response(7, 1, b"x")) if number == 0 else talk.step(talk.peer.respond(talk.sent[-1]))
        assert isinstance(action, SendRequest)
        assert isinstance(talk.step(response(action.eap[1], PEAP, data)), Discard)
        assert talk.server.last_request == action.eap


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1\0\1\0\1abc", "over 16384"),
        (b"\x81\0\0\0\4abc", "announced"),
        (b"\x81\0\0\0\2abc", "announced"),
        (b"\x41", "empty fragment"),
        (b"\1", "a packet without data"),
        (b"\1abc", "half a TLS message"),
        (b"\1" + b"GET / HTTP/1.1\r\n\r\n", "TLS: "),
    ],
)
def test_lying_first_answer_is_the_end(data: bytes, reason: str):
    """Lengths that lie, an endless fragment, nothing at all, or no TLS: failure, and no TLS object before a message."""
    talk = Conversation(PeapPeer())
    first = talk.step(response(7, 1, b"x"))
    assert isinstance(first, SendRequest)
    end = talk.step(response(first.eap[1], PEAP, data))
    while isinstance(end, SendRequest):
        end = talk.step(response(end.eap[1], PEAP, b"\1"))
    assert isinstance(end, Fail)
    assert reason in end.reason


def test_endless_fragments_stop_at_the_limit():
    """Fragments without an end: no more than the limit is kept."""
    talk = Conversation(PeapPeer(), authenticator(max_tls_message_bytes=5000))
    action = talk.step(response(7, 1, b"x"))
    taken = 0
    while isinstance(action, SendRequest):
        action = talk.step(response(action.eap[1], PEAP, b"\x41" + bytes(1000)))
        taken += 1
    assert isinstance(action, Fail)
    assert taken == 6
    assert action.reason == "a TLS message of over 5000 octets"


def test_data_where_an_acknowledgement_is_awaited_is_discarded():
    """Who was told that more comes must not send data. RFC 5216 §2.1.5."""
    talk = Conversation(PeapPeer(fragment_bytes=3000), mtu=300)
    talk.step(response(7, 1, b"x"))
    action = talk.step(talk.peer.respond(talk.sent[-1]))
    assert isinstance(action, SendRequest)
    assert action.eap[5] & 0x40
    assert isinstance(talk.step(response(action.eap[1], PEAP, b"\1abc")), Discard)
    assert isinstance(talk.step(response(action.eap[1], PEAP, b"\1")), SendRequest)


def test_nothing_is_resumed():
    """A session or ticket of an earlier login is not taken back: every login runs the inner method."""
    from tests.unit.eap.resumption import resumed

    assert [resumed(tls_context(), version) for version in ("TLSv1.2", "TLSv1.3")] == [False, False]


def test_second_prompt():
    """What is to be asked more is asked by one more GTC request."""

    def judge(asked: JudgeAnswer) -> Judgement:
        if talk.server.answers == 1:
            return Ask("Passcode or option (1-2): ")
        return Refuse("Login request denied.") if asked.answer.reveal() == b"2" else Refuse()

    peer = PeapPeer(answers=[b"pencil", b"2", b"whatever"])
    talk = Conversation(peer, judge=judge)
    failed(talk)
    assert peer.prompts == [b"Password: ", b"Passcode or option (1-2): ", b"Login request denied."]
    assert [asked.answer.reveal() for asked in talk.asked] == [b"pencil", b"2"]
    assert talk.server.phase is Phase.FAILED


@EVERY_VERSION
def test_peer_without_crypto_binding_gets_the_keys_of_the_tunnel(version: int, tls_version: int):
    """A peer may leave the crypto-binding TLV out: then the keys are those of the tunnel."""
    peer = PeapPeer(version=version, tls_version=tls_version, binding=False)
    assert succeeded(Conversation(peer)).keys.msk.reveal() == peer.msk()


def test_crypto_binding_can_be_turned_off():
    """`crypto_binding = false`: only the result is said."""
    peer = PeapPeer(version=0)
    assert succeeded(Conversation(peer, authenticator(crypto_binding=False))).keys.msk.reveal() == peer.msk()
    assert peer.inner_requests[-1][4:] == bytes.fromhex("21800300020001")
    assert not peer.bound


def test_peer_that_refuses_peap():
    """A Nak that wants what is not offered ends the conversation."""
    talk = Conversation(PeapPeer())
    first = talk.step(response(7, 1, b"x"))
    assert isinstance(first, SendRequest)
    end = talk.step(response(first.eap[1], NAK, b"\x15\x0d"))
    assert isinstance(end, Fail)
    assert end.reason == "the peer refuses EAP type 25; the types that it wants: 21, 13"
