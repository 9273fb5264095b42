"""What the EAP listener says: cause first, then the remedy."""

from __future__ import annotations

import pytest

from duoproxy.net import eap_sentences as sentences


def test_each_sentence_literally() -> None:
    """As an administrator reads it."""
    assert sentences.no_eap("10.1.2.20", "radius_server_eap") == (
        "A request from 10.1.2.20 was rejected: it carries no EAP-Message, and [radius_server_eap] takes PEAP with GTC "
        "only. Set the device to EAP, or let it ask a section radius_server_auto."
    )
    assert sentences.two_credentials("10.1.2.20") == (
        "A request from 10.1.2.20 was rejected: it carries EAP-Message and another credential beside it, and could be "
        "read in two ways. Check what the device sends."
    )
    assert sentences.unknown_state("10.1.2.20") == (
        "A request from 10.1.2.20 was rejected: its State belongs to no open conversation. The user waited too long, "
        "the proxy was restarted, or the device sent one conversation to two proxies: let it keep to one."
    )
    assert sentences.begins_nothing("10.1.2.20", "a response of the method, while nothing was sent") == (
        "Dropped a request from 10.1.2.20: it has no State, and its EAP packet begins no conversation (a response of "
        "the method, while nothing was sent). A device has to send back the State of each Access-Challenge: update its "
        "software."
    )
    assert sentences.packet_ignored("10.1.2.20", "a response without a flags octet") == (
        "An EAP packet from 10.1.2.20 was ignored, and the last request was sent again: a response without a flags "
        "octet. If logins fail at this, update the client or the device."
    )
    assert sentences.step_in_progress("10.1.2.20") == (
        "A request from 10.1.2.20 got no answer: its State is that of a step in progress, but it is not the same "
        "request. A device that asks again while the user is asked has to send the same attributes; and join_retries "
        "must not be false."
    )
    assert sentences.no_room("10.1.2.20", 10) == (
        "Dropped a request from 10.1.2.20: 10 EAP conversations are open: a directory or a user is being asked in "
        "them, or a password was proved. Raise max_conversations if this machine has the memory."
    )
    assert sentences.given_up_for_others("10.1.2.20", 10) == (
        "Gave up the oldest unfinished EAP conversation of 10.1.2.20 for a newer one: 10 are open. If this is not an "
        "attack, look for a device or a supplicant that begins logins and leaves them, or raise max_conversations."
    )
    assert sentences.conversation_failed("5f2a91c07e", "10.1.2.20", "alice", "unknown ca") == (
        "Login 5f2a91c07e from 10.1.2.20: the EAP conversation of 'alice' failed before a password came: unknown ca. "
        "The client does not accept the certificate in certs: compare its authority, name and dates with what the "
        "client checks."
    )
    assert sentences.nothing_more_came("5f2a91c07e", "10.1.2.20", "alice", "PEAPv1, no TLS") == (
        "Login 5f2a91c07e from 10.1.2.20: nothing more came of 'alice' before a password was given (PEAPv1, no TLS). "
        "Look in the log of the client: it may not trust the certificate, or offer another method than PEAP with GTC."
    )
    assert sentences.failed_after_the_answer("5f2a91c07e", "10.1.2.20", "no Result TLV") == (
        "Login 5f2a91c07e from 10.1.2.20: password and second factor were right, but the tunnel failed at its end: "
        "no Result TLV. The user was not let in; look at the settings of the supplicant."
    )
    assert sentences.gave_up_before_the_answer("5f2a91c07e", "10.1.2.20", 31.2) == (
        "Login 5f2a91c07e: 10.1.2.20 had given up when the answer came after 31 s. Set the RADIUS time-out of the "
        "device so that time-out times tries is more than 60 seconds."
    )
    assert sentences.perhaps_gave_up_before_the_refusal("5f2a91c07e", "10.1.2.20", 60.2) == (
        "Login 5f2a91c07e: nothing more came from 10.1.2.20 after a refusal that took 60 s: the user left without "
        "confirming it, or the device had given up. Set the RADIUS time-out of the device so that time-out times tries "
        "is more than 60 seconds."
    )
    assert sentences.began_again_before_the_answer("5f2a91c07e", "10.1.2.20", 15.0) == (
        "Login 5f2a91c07e: the same station at 10.1.2.20 began a new login after 15 s, before the answer to this one: "
        "the device or the client had given up. Set the RADIUS time-out of the device so that time-out times tries is "
        "more than 60 seconds. Give the client as long."
    )


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("TLS: ssl/tls alert bad certificate", "The client does not accept the certificate in certs"),
        ("TLS: tlsv1 alert protocol version", "Compare minimum_tls_version"),
        ("TLS: unsupported protocol", "Compare minimum_tls_version"),
        ("TLS: no shared cipher", "Compare cipher_list, and the kind of the key in pkey"),
        ("TLS: ssl/tls alert handshake failure", "Compare cipher_list, and the kind of the key in pkey"),
        ("the peer refuses EAP type 25; the types that it wants: 21", "Set the client to PEAP, and inside it to GTC."),
        (
            "the peer refuses EAP-GTC; the inner types that it wants: 26",
            "Set the client to PEAP, and inside it to GTC.",
        ),
        ("more than 100 rounds", "Put fewer certificates into certs"),
        ("half a TLS message", "Look in the log of the client; it may need an update."),
    ],
)
def test_each_reason_why_a_conversation_failed_early_has_its_remedy(reason: str, remedy: str) -> None:
    """What to set, and where."""
    assert f"{reason}. {remedy}" in sentences.conversation_failed("5f2a91c07e", "10.1.2.20", "alice", reason)
