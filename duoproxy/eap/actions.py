"""What the machines of EAP ask for, and what they are told when an answer was judged: all as values.

Whoever drives an `EapAuthenticator` does what its actions say, in their order. After `JudgeAnswer` the machine waits:
nothing happens until `answer_judged` is called. After `Succeed` or `Fail` it is over.
"""

from __future__ import annotations

from attrs import field, frozen

from duoproxy.secret import Secret

MSK_BYTES = 64
EMSK_BYTES = 64


@frozen
class SessionKeys:
    """What a method derived.

    Attributes:
        msk: 64 octets; the device gets them as MS-MPPE keys.
        emsk: 64 octets; they leave this process in no form.
        session_id: what names the session (EAP-Key-Name); not secret.

    Source: RFC 5247 §1.4.
    """

    msk: Secret
    emsk: Secret
    session_id: bytes


@frozen
class SendRequest:
    """Send an EAP-Request to the peer (in an Access-Challenge).

    Attributes:
        eap: the packet.
        session_timeout_s: how long the device should wait for the answer; None: as long as it likes.
    """

    eap: bytes = field(repr=False)
    session_timeout_s: int | None = None


@frozen
class JudgeAnswer:
    """Find out what an answer is worth, then call `answer_judged`: an action with a reply.

    Attributes:
        identity: the name inside the tunnel; octets that are no UTF-8 are held as surrogates (`surrogateescape`).
        answer: what the user typed or the supplicant has stored: password, factor, passcode.
    """

    identity: str
    answer: Secret


@frozen
class Succeed:
    """The end: send EAP-Success and the keys (in an Access-Accept).

    Attributes:
        eap: the packet.
        keys: of this session.
        identity: the name inside the tunnel.
    """

    eap: bytes = field(repr=False)
    keys: SessionKeys
    identity: str


@frozen
class Fail:
    """The end: send EAP-Failure (in an Access-Reject), if a request of the device waits for an answer.

    Attributes:
        eap: the packet.
        reason: for the log.
    """

    eap: bytes = field(repr=False)
    reason: str


@frozen
class Discard:
    """What came is no answer to what was asked; nothing changed.

    Be silent, or send the last request (`EapAuthenticator.last_request`) again with Error-Cause 202.

    Attributes:
        reason: for the log.

    Source: RFC 3579 §2.2.
    """

    reason: str


Action = SendRequest | JudgeAnswer | Succeed | Fail | Discard


@frozen
class Ask:
    """The answer was taken, and something more is to be asked.

    Attributes:
        prompt: the text that the user is shown.
    """

    prompt: str


@frozen
class Accept:
    """The user is in: every factor is proven."""


@frozen
class Refuse:
    """The user is not let in.

    Attributes:
        text: shown in one more request inside the tunnel, whose answer counts for nothing; None: nothing is shown.
    """

    text: str | None = None


Judgement = Ask | Accept | Refuse
