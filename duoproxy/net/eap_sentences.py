"""What the EAP listener says to an administrator: one function for each fact, cause first, then the remedy.

Pure. Each sentence is tested literally.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def no_eap(device: str, section: str) -> str:
    """A request without EAP-Message at a listener that speaks nothing else."""
    return (
        f"A request from {device} was rejected: it carries no EAP-Message, and [{section}] takes PEAP with GTC only. "
        "Set the device to EAP, or let it ask a section radius_server_auto."
    )


def two_credentials(device: str) -> str:
    """A request with EAP-Message and another credential."""
    return (
        f"A request from {device} was rejected: it carries EAP-Message and another credential beside it, and could be "
        "read in two ways. Check what the device sends."
    )


def unknown_state(device: str) -> str:
    """A State that no conversation has."""
    return (
        f"A request from {device} was rejected: its State belongs to no open conversation. The user waited too long, "
        "the proxy was restarted, or the device sent one conversation to two proxies: let it keep to one."
    )


def begins_nothing(device: str, reason: str) -> str:
    """A request without State that begins no conversation; it gets no answer."""
    return (
        f"Dropped a request from {device}: it has no State, and its EAP packet begins no conversation ({reason}). A "
        "device has to send back the State of each Access-Challenge: update its software."
    )


def packet_ignored(device: str, reason: str) -> str:
    """A packet that answers nothing; the last request is sent again."""
    return (
        f"An EAP packet from {device} was ignored, and the last request was sent again: {reason}. If logins fail at "
        "this, update the client or the device."
    )


def step_in_progress(device: str) -> str:
    """A request for a step that is in progress for another request; it gets no answer."""
    return (
        f"A request from {device} got no answer: its State is that of a step in progress, but it is not the same "
        "request. A device that asks again while the user is asked has to send the same attributes; and join_retries "
        "must not be false."
    )


def no_room(device: str, max_open: int) -> str:
    """A conversation that could not begin."""
    return (
        f"Dropped a request from {device}: {max_open} EAP conversations are open: a directory or a user is being asked "
        "in them, or a password was proved. Raise max_conversations if this machine has the memory."
    )


def given_up_for_others(device: str, max_open: int) -> str:
    """The oldest unfinished conversation of a device made room for a new one."""
    return (
        f"Gave up the oldest unfinished EAP conversation of {device} for a newer one: {max_open} are open. If this is "
        "not an attack, look for a device or a supplicant that begins logins and leaves them, or raise "
        "max_conversations."
    )


def conversation_failed(login_id: str, device: str, outer_identity: str, reason: str) -> str:
    """A conversation that failed before anybody was asked for a password."""
    return (
        f"Login {login_id} from {device}: the EAP conversation of {outer_identity!r} failed before a password came: "
        f"{reason}. {_remedy(reason)}"
    )


def nothing_more_came(login_id: str, device: str, outer_identity: str, after: str) -> str:
    """A conversation that nobody went on with, before anybody was asked for a password."""
    return (
        f"Login {login_id} from {device}: nothing more came of {outer_identity!r} before a password was given "
        f"({after}). Look in the log of the client: it may not trust the certificate, or offer another method than "
        "PEAP with GTC."
    )


def failed_after_the_answer(login_id: str, device: str, reason: str) -> str:
    """The factors were right, and yet the tunnel did not end in success."""
    return (
        f"Login {login_id} from {device}: password and second factor were right, but the tunnel failed at its end: "
        f"{reason}. The user was not let in; look at the settings of the supplicant."
    )


def gave_up_before_the_answer(login_id: str, device: str, answer_s: float) -> str:
    """The answer took long, and nobody went on after it, as a peer must."""
    return f"Login {login_id}: {device} had given up when the answer came after {answer_s:.0f} s. {_TIME_OUT}"


def perhaps_gave_up_before_the_refusal(login_id: str, device: str, answer_s: float) -> str:
    """The same, but what nobody went on after was a text for the user, who may have closed the window."""
    return (
        f"Login {login_id}: nothing more came from {device} after a refusal that took {answer_s:.0f} s: the user left "
        f"without confirming it, or the device had given up. {_TIME_OUT}"
    )


def began_again_before_the_answer(login_id: str, device: str, waited_s: float) -> str:
    """A station began a new login while the user was asked about its last one."""
    return (
        f"Login {login_id}: the same station at {device} began a new login after {waited_s:.0f} s, before the answer "
        f"to this one: the device or the client had given up. {_TIME_OUT} Give the client as long."
    )


def _remedy(reason: str) -> str:
    """Say what to look at when a conversation failed early; reasons of TLS are in the words of OpenSSL."""
    for words, remedy in _REMEDIES.items():
        if any(word in reason for word in words):
            return remedy
    return "Look in the log of the client; it may need an update."


_REMEDIES: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("unknown ca", "certificate unknown", "bad certificate", "certificate expired", "unsupported certificate"): (
            "The client does not accept the certificate in certs: compare its authority, name and dates with what the "
            "client checks."
        ),
        ("protocol version", "unsupported protocol"): "Compare minimum_tls_version with what the client speaks.",
        ("no shared cipher", "handshake failure", "insufficient security", "signature algorithm"): (
            "Compare cipher_list, and the kind of the key in pkey, with what the client speaks."
        ),
        ("the peer refuses EAP",): "Set the client to PEAP, and inside it to GTC.",
        (" rounds",): "Put fewer certificates into certs, or let the device and the client take longer packets.",
    }
)

_TIME_OUT = "Set the RADIUS time-out of the device so that time-out times tries is more than 60 seconds."
