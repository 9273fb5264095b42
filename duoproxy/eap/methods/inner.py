"""The EAP conversation inside PEAP's tunnel: who is it, what do they answer, and how do both sides say the end.

A machine without TLS: plaintext comes in and goes out. Success is said only after `Accept`, and only what comes after
that can confirm it: neither a result nor an EAP-Success of the peer proves anything by itself.

PEAPv0 takes the header off inner packets, except those of the Extensions method; PEAPv1 leaves them whole.

Source: draft-kamath-pppext-peapv0-00 §2, draft-josefsson-pppext-eap-tls-eap-05 §2, MS-PEAP §3.1.5, §3.3.5.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import field, frozen

from duoproxy.eap.actions import Accept, Ask, JudgeAnswer, Judgement, SessionKeys
from duoproxy.eap.methods.gtc import encode_prompt, read_answer
from duoproxy.eap.methods.identity import IDENTITY_REQUEST, read_identity
from duoproxy.eap.packet import HEADER_BYTES, Code, EapPacket, EapType, decode_eap, encode_eap, read_nak, spell_types
from duoproxy.eap.peap_keys import TunnelKeys, binding_is_valid, signed_binding
from duoproxy.eap.peap_tlv import (
    NONCE_BYTES,
    BindingSubType,
    Result,
    Tlv,
    binding_tlv,
    decode_tlvs,
    encode_tlvs,
    nak_tlv,
    read_binding,
    read_result,
    result_tlv,
    unknown_mandatory,
)
from duoproxy.errors import Disposition, RemoteProtocolError

MAX_INNER_BYTES = 4096


@frozen
class InnerSettings:
    """What is decided about the inner conversation.

    Attributes:
        first_prompt: the text with which the first answer is asked for.
        crypto_binding: whether PEAPv0 sends a crypto-binding TLV with its result.
        prompt_timeout_s: how long the device should wait for the user's answer to a prompt.
    """

    first_prompt: str
    crypto_binding: bool
    prompt_timeout_s: int


@frozen
class Say:
    """Send this in the tunnel.

    Attributes:
        plaintext: an inner packet, or what PEAPv0 leaves of one.
        session_timeout_s: how long the device should wait for the answer; None: as long as it likes.
    """

    plaintext: bytes = field(repr=False)
    session_timeout_s: int | None = None


@frozen
class InnerDone:
    """Both sides said success.

    Attributes:
        keys: of the session.
        identity: who was let in.
    """

    keys: SessionKeys
    identity: str


@frozen
class InnerFailed:
    """The end without success.

    Attributes:
        reason: for the log.
    """

    reason: str


InnerStep = Say | JudgeAnswer | InnerDone | InnerFailed


class InnerPhase(enum.Enum):
    """Where the inner conversation stands."""

    NEW = "nothing was said inside the tunnel"
    IDENTITY = "the inner identity was asked for"
    PROPOSED = "the first prompt was sent"
    PROMPT = "a further prompt was sent"
    JUDGING = "an answer is judged"
    REFUSAL = "the user is shown why not"
    RESULT = "PEAPv0 said success"
    SUCCESS = "PEAPv1 said success"
    FAILURE = "failure was said"
    ENDED = "the inner conversation is over"


class InnerInput(enum.Enum):
    """What can come in."""

    EMPTY = "a packet without data"
    IDENTITY = "an Identity response"
    NAK = "a Nak"
    GTC = "a GTC answer"
    EXTENSIONS = "an Extensions response"
    EAP_SUCCESS = "an EAP-Success"
    OTHER = "something else"


_BY_TYPE: Mapping[int, InnerInput] = {
    EapType.IDENTITY: InnerInput.IDENTITY,
    EapType.GTC: InnerInput.GTC,
    EapType.EXTENSIONS: InnerInput.EXTENSIONS,
}


class InnerConversation:
    """One conversation in one tunnel.

    Attributes:
        phase: where it stands.
    """

    __slots__ = (
        "_accepted",
        "_binding_sent",
        "_identity",
        "_keys",
        "_random_bytes",
        "_reason",
        "_said_identifier",
        "_settings",
        "_version",
        "phase",
    )

    def __init__(
        self, version: int, settings: InnerSettings, keys: TunnelKeys, random_bytes: Callable[[int], bytes]
    ) -> None:
        """Begin; nothing is said yet.

        Args:
            version: of PEAP, 0 or 1.
            settings: what was decided.
            keys: of the tunnel.
            random_bytes: as `os.urandom`; for the nonce of crypto-binding.
        """
        self.phase = InnerPhase.NEW
        self._version = version
        self._settings = settings
        self._keys = keys
        self._random_bytes = random_bytes
        self._identity = ""
        self._accepted = False
        self._reason = ""
        self._said_identifier = 0
        self._binding_sent = False

    def begin(self, identifier: int) -> Say:
        """Ask for the identity; `identifier` is that of the request which carries it."""
        self.phase = InnerPhase.IDENTITY
        return self._say(EapType.IDENTITY, IDENTITY_REQUEST, identifier)

    def receive(self, plaintext: bytes, identifier: int) -> InnerStep:
        """Take what came through the tunnel; whatever it is, nothing is raised.

        Args:
            plaintext: empty: the peer sent a packet without data.
            identifier: of the request that may come next.
        """
        if self.phase is InnerPhase.FAILURE:
            return self._end(self._reason)  # the peer's word does not count any more
        try:
            what, packet = self._read(plaintext)
            transition = _TRANSITIONS.get((self.phase, what))
            if transition is None:
                return self._end(f"{what.value}, while {self.phase.value}")
            return transition(self, packet, identifier)
        except RemoteProtocolError as error:
            return self._end(str(error))

    def judged(self, judgement: Judgement, identifier: int) -> InnerStep:
        """Take the reply to `JudgeAnswer`."""
        if self.phase is not InnerPhase.JUDGING:
            return self._end(f"a judgement, while {self.phase.value}")
        if isinstance(judgement, Ask):
            self.phase = InnerPhase.PROMPT
            return self._prompt(judgement.prompt, identifier)
        if isinstance(judgement, Accept):
            self._accepted = True
            return self._say_success(identifier)
        if judgement.text:
            self.phase = InnerPhase.REFUSAL
            return self._prompt(judgement.text, identifier)
        return self._say_failure("the login was refused", identifier)

    # ── what came ──────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, plaintext: bytes) -> tuple[InnerInput, EapPacket]:
        if not plaintext:
            return InnerInput.EMPTY, EapPacket(Code.RESPONSE, self._said_identifier, 0)
        if len(plaintext) > MAX_INNER_BYTES:
            raise RemoteProtocolError(f"an inner packet of over {MAX_INNER_BYTES} octets", Disposition.REJECT)
        packet = decode_inner(plaintext, self._version, self._said_identifier)
        if packet.code is Code.SUCCESS:
            return InnerInput.EAP_SUCCESS, packet
        if packet.code is not Code.RESPONSE or packet.type is None:
            return InnerInput.OTHER, packet
        if self._version and packet.identifier != self._said_identifier:
            raise RemoteProtocolError("an inner response to another request", Disposition.REJECT)
        if read_nak(packet) is not None:
            return InnerInput.NAK, packet
        return _BY_TYPE.get(packet.type, InnerInput.OTHER), packet

    def _identity_came(self, packet: EapPacket, identifier: int) -> InnerStep:
        try:
            self._identity = read_identity(packet.data)
        except RemoteProtocolError as error:
            return self._say_failure(str(error), identifier)
        self.phase = InnerPhase.PROPOSED
        return self._prompt(self._settings.first_prompt, identifier)

    def _nak_came(self, packet: EapPacket, identifier: int) -> InnerStep:
        """Nothing else is offered. Source: RFC 3748 §5.3.1."""
        wanted = spell_types(read_nak(packet) or ())
        return self._say_failure(f"the peer refuses EAP-GTC; the inner types that it wants: {wanted}", identifier)

    def _answer_came(self, packet: EapPacket, identifier: int) -> InnerStep:
        try:
            answer = read_answer(packet.data)
        except RemoteProtocolError as error:
            return self._say_failure(str(error), identifier)
        self.phase = InnerPhase.JUDGING
        return JudgeAnswer(self._identity, answer)

    def _refusal_was_read(self, packet: EapPacket, identifier: int) -> InnerStep:
        return self._say_failure("the login was refused", identifier)

    def _result_came(self, packet: EapPacket, identifier: int) -> InnerStep:
        """Judge the peer's view of the end. Source: MS-PEAP §3.3.5.2."""
        tlvs = decode_tlvs(packet.data)
        refused = unknown_mandatory(tlvs)
        if refused is not None:
            return self._say_failure(f"the peer insists on TLV {refused}", identifier, nak_tlv(refused))
        if read_result(tlvs) is not Result.SUCCESS:
            return self._end("the peer does not confirm the success")
        binding = read_binding(tlvs)
        if binding is None:
            return self._done(self._keys.session_keys())
        if not self._binding_sent or not binding_is_valid(self._keys.compound_keys().cmk, binding):
            return self._end("the crypto-binding of the peer does not fit")
        return self._done(self._keys.bound_session_keys())

    def _success_was_read(self, packet: EapPacket, identifier: int) -> InnerStep:
        return self._done(self._keys.session_keys())

    # ── what is said ───────────────────────────────────────────────────────────────────────────────────────────

    def _prompt(self, text: str, identifier: int) -> Say:
        said = self._say(EapType.GTC, encode_prompt(text), identifier)
        return Say(said.plaintext, self._settings.prompt_timeout_s)

    def _say_success(self, identifier: int) -> Say:
        if self._version:
            self.phase = InnerPhase.SUCCESS
            return Say(encode_eap(EapPacket(Code.SUCCESS, identifier)))
        self.phase = InnerPhase.RESULT
        tlvs = [result_tlv(Result.SUCCESS)]
        if self._settings.crypto_binding:
            cmk, nonce = self._keys.compound_keys().cmk, self._random_bytes(NONCE_BYTES)
            tlvs.append(binding_tlv(signed_binding(cmk, BindingSubType.REQUEST, nonce)))
            self._binding_sent = True
        return self._say(EapType.EXTENSIONS, encode_tlvs(tlvs), identifier)

    def _say_failure(self, reason: str, identifier: int, *first: Tlv) -> Say:
        """Say failure where nobody can forge it; whatever is answered, it is the end."""
        self.phase, self._reason = InnerPhase.FAILURE, reason
        if self._version:
            return Say(encode_eap(EapPacket(Code.FAILURE, identifier)))
        return self._say(EapType.EXTENSIONS, encode_tlvs([*first, result_tlv(Result.FAILURE)]), identifier)

    def _say(self, its_type: EapType, data: bytes, identifier: int) -> Say:
        self._said_identifier = identifier
        return Say(encode_inner(EapPacket(Code.REQUEST, identifier, its_type, data), self._version))

    def _done(self, keys: SessionKeys) -> InnerStep:
        if not self._accepted:  # the phases before cannot be reached without it; and if they could, nobody gets in
            return self._end("a success that nobody decided on")
        self.phase = InnerPhase.ENDED
        return InnerDone(keys, self._identity)

    def _end(self, reason: str) -> InnerFailed:
        self.phase, self._accepted = InnerPhase.ENDED, False
        return InnerFailed(reason)


def decode_inner(plaintext: bytes, version: int, identifier: int) -> EapPacket:
    """Read what came through the tunnel.

    Args:
        plaintext: at least one octet.
        version: of PEAP. Version 0 takes the header off; one that was left on is recognised by code and Length.
        identifier: what a packet without a header has.

    Raises:
        RemoteProtocolError: DISCARD: no EAP packet, or octets behind it.

    Source: draft-kamath-pppext-peapv0-00 §1.1.
    """
    whole = len(plaintext) > HEADER_BYTES and int.from_bytes(plaintext[2:HEADER_BYTES], "big") == len(plaintext)
    if version == 0 and not (whole and plaintext[0] == Code.RESPONSE):
        return EapPacket(Code.RESPONSE, identifier, plaintext[0], plaintext[1:])
    packet = decode_eap(plaintext)
    if len(encode_eap(packet)) != len(plaintext):
        raise RemoteProtocolError("octets behind an inner packet")
    return packet


def encode_inner(packet: EapPacket, version: int) -> bytes:
    """Write a request for the tunnel. Source: draft-kamath-pppext-peapv0-00 §1.1, §2."""
    octets = encode_eap(packet)
    return octets if version or packet.type == EapType.EXTENSIONS else octets[HEADER_BYTES:]


_Transition = Callable[[InnerConversation, EapPacket, int], InnerStep]

# What is not here breaks the rules of the tunnel, where nobody but the peer can speak: it ends the conversation.
_TRANSITIONS: Mapping[tuple[InnerPhase, InnerInput], _Transition] = MappingProxyType(
    {
        (InnerPhase.IDENTITY, InnerInput.IDENTITY): InnerConversation._identity_came,
        (InnerPhase.PROPOSED, InnerInput.NAK): InnerConversation._nak_came,
        (InnerPhase.PROPOSED, InnerInput.GTC): InnerConversation._answer_came,
        (InnerPhase.PROMPT, InnerInput.GTC): InnerConversation._answer_came,
        (InnerPhase.REFUSAL, InnerInput.GTC): InnerConversation._refusal_was_read,
        (InnerPhase.REFUSAL, InnerInput.NAK): InnerConversation._refusal_was_read,
        (InnerPhase.REFUSAL, InnerInput.EMPTY): InnerConversation._refusal_was_read,
        (InnerPhase.RESULT, InnerInput.EXTENSIONS): InnerConversation._result_came,
        (InnerPhase.SUCCESS, InnerInput.EMPTY): InnerConversation._success_was_read,
        (InnerPhase.SUCCESS, InnerInput.EAP_SUCCESS): InnerConversation._success_was_read,
    }
)
