"""From an Access-Request with EAP to its reply: finds the conversation, drives its machine, has answers judged.

Owns the steps of a conversation in RADIUS: Access-Challenge with a State while it goes on, exactly one EAP-Success or
EAP-Failure at its end. What EAP says is the machine's (`duoproxy.eap`); what an answer is worth is the login's.

Source: RFC 3579 §2; reference §10.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import CancelledError

from duoproxy.eap.actions import Action, Discard, Fail, JudgeAnswer, Judgement, SendRequest, Succeed
from duoproxy.eap.authenticator import EapAuthenticator
from duoproxy.eap_over_radius import (
    accept_attributes,
    challenge_attributes,
    eap_of,
    is_eap_start,
    mtu_bytes,
    reject_attributes,
    repetition_attributes,
)
from duoproxy.net.eap_conversation import Conversation, EapLogin
from duoproxy.net.eap_log import EapLog
from duoproxy.net.eap_sessions import EapSessions, Session, Standing
from duoproxy.net.heap import HeapWatch
from duoproxy.net.radius_messages import REJECT, ReceivedRequest, Reply
from duoproxy.net.radius_replies import refusal
from duoproxy.radius.attributes import AttributeId, Type, first
from duoproxy.radius.packet import Attribute, Code, Packet

STOP_WAITS_FOR_RESPONSE_S: Final = 30.0
"""A stop of the proxy waits only for peers that were told something since: the others may have gone."""
SWEEP_S: Final = 5.0
"""Between two looks for conversations that are too old."""

_MICROSOFT = 311
# RFC 3579 §3.3, note 1: EAP-Message stands beside no other credential.
_OTHER_CREDENTIALS = frozenset({int(Type.USER_PASSWORD), int(Type.CHAP_PASSWORD), int(Type.ARAP_PASSWORD)})
_OTHER_MICROSOFT_CREDENTIALS = (AttributeId(_MICROSOFT, 1), AttributeId(_MICROSOFT, 25))
_NOBODY_CAME = "The user did not come back with an answer."
_GIVEN_UP = "The conversation was given up for newer ones: see max_conversations."
_SURPRISED = Fail(b"", "the conversation cannot go on")


_Session = Session[Conversation]


class EapServer:
    """Answers the requests of one section."""

    def __init__(
        self,
        *,
        section_name: str,
        reactor: Any,
        make_machine: Callable[[float], EapAuthenticator],
        make_login: Callable[[], EapLogin],
        random_bytes: Callable[[int], bytes],
        max_open: int,
        max_fragment_bytes: int,
    ) -> None:
        """Prepare.

        Args:
            section_name: in whose name is logged.
            reactor: `IReactorTime`.
            make_machine: begins an EAP conversation at this moment.
            make_login: begins a login.
            random_bytes: as `os.urandom`.
            max_open: how many conversations may be open.
            max_fragment_bytes: how long an EAP packet of ours may be.
        """
        self._reactor = reactor
        self._make_machine = make_machine
        self._make_login = make_login
        self._random_bytes = random_bytes
        self._max_fragment_bytes = max_fragment_bytes
        self._sessions: EapSessions[Conversation] = EapSessions(random_bytes, max_open)
        self._log = EapLog(section_name, reactor.seconds, max_open)
        self._heap = HeapWatch()
        self._sweeping: Any = None

    @property
    def open_conversations(self) -> int:
        """How many conversations are not over."""
        return len(self._sessions)

    @property
    def waiting(self) -> int:
        """How many conversations were told something a short time ago, and go on with the peer's next response."""
        return self._sessions.open_since(self._reactor.seconds() - STOP_WAITS_FOR_RESPONSE_S)

    @property
    def early_devices(self) -> list[dict[str, object]]:
        """Devices of which only their conversations show that they give up before the answer comes."""
        return self._log.waiting.early_devices()

    def start(self) -> None:
        """Begin to look for conversations that are too old."""
        self._sweeping = self._reactor.callLater(SWEEP_S, self._sweep)

    def stop(self) -> None:
        """Look no more."""
        if self._sweeping is not None and self._sweeping.active():
            self._sweeping.cancel()

    async def handle(self, received: ReceivedRequest) -> Reply | None:
        """Answer one Access-Request; None is silence."""
        attributes, host = received.packet.attributes, received.device_address
        eap = eap_of(attributes)
        if eap is None:
            self._log.no_eap(host)
            return REJECT
        if _has_other_credential(received.packet):
            self._log.two_credentials(host)
            return refusal(received)
        state = received.packet.firsts.get(Type.STATE)
        if state is None:
            return await self._first_step(eap, received)
        found = self._sessions.find(state, host, received.fingerprint, self._reactor.seconds())
        if found.standing is Standing.NEXT and found.session is not None:
            return await self._next_step(found.session, eap, received)
        if found.standing is Standing.STRANGE:
            self._log.unknown_state(host)
            return refusal(received)
        if found.standing is Standing.IN_PROGRESS:
            self._log.step_in_progress(host)
        return found.reply

    # ── the steps of a conversation ────────────────────────────────────────────────────────────────────────────

    async def _first_step(self, eap: bytes, received: ReceivedRequest) -> Reply | None:
        """Begin a conversation, if what came begins one."""
        now = self._reactor.seconds()
        machine = self._make_machine(now)
        actions = machine.start(now) if is_eap_start(eap) else self._fed(machine, eap, received)
        if not any(isinstance(action, SendRequest) for action in actions):
            return self._begun_nothing(actions, received)
        session = self._opened(received.device_address, Conversation(machine, self._make_login()))
        return await self._guarded(session, actions, received) if session is not None else None

    def _begun_nothing(self, actions: Sequence[Action], received: ReceivedRequest) -> Reply | None:
        device = received.device_address
        for action in actions:
            if isinstance(action, Fail):
                return refusal(received)
            if isinstance(action, Discard):
                self._log.begins_nothing(device, action.reason)
        return None

    def _opened(self, device: str, conversation: Conversation) -> _Session | None:
        session, given_up = self._sessions.begin(device, conversation)
        for one in given_up:
            if one.conversation is not None:
                one.conversation.login.abandoned(_GIVEN_UP)
            self._log.given_up_for_others(one.device)
        if session is None:
            self._log.no_room(device)
        return session

    async def _next_step(self, session: _Session, eap: bytes, received: ReceivedRequest) -> Reply | None:
        conversation = session.conversation
        if conversation is None:
            return refusal(received)
        return await self._guarded(session, self._fed(conversation.machine, eap, received), received)

    def _fed(self, machine: EapAuthenticator, eap: bytes, received: ReceivedRequest) -> list[Action]:
        mtu = mtu_bytes(received.packet.firsts, self._max_fragment_bytes)
        return machine.receive(eap, self._reactor.seconds(), mtu)

    async def _guarded(self, session: _Session, actions: Sequence[Action], received: ReceivedRequest) -> Reply | None:
        """Carry out what the machine wants; whatever goes wrong, the conversation ends, and in a failure."""
        try:
            return await self._carried_out(session, actions, received)
        except CancelledError:
            self._sessions.end(session, None, self._reactor.seconds())
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it lets nobody in, and the device gets an EAP-Failure
            self._log.fault(received.device_address)
            if session.conversation is not None:
                session.conversation.login.abandoned("A fault in duoproxy itself ended the conversation.")
            return self._ended(session, refusal(received))

    async def _carried_out(
        self, session: _Session, actions: Sequence[Action], received: ReceivedRequest
    ) -> Reply | None:
        conversation = session.conversation
        if conversation is None:
            return refusal(received)
        action = actions[0] if actions else _SURPRISED
        while isinstance(action, JudgeAnswer):
            judgement = await self._judged(conversation, action, received)
            if conversation.login.proven_user:
                self._sessions.spare(session, conversation.login.proven_user)
            answered = conversation.machine.answer_judged(judgement, self._reactor.seconds())
            action = answered[0] if answered else _SURPRISED
        return self._replied(session, conversation, action, received)

    async def _judged(self, conversation: Conversation, asked: JudgeAnswer, received: ReceivedRequest) -> Judgement:
        login, tunnel = conversation.login, conversation.described(asked.identity)
        with self._log.waiting.answering(login.login_id, asked.identity, received):
            judgement = await login.judge(asked.identity, asked.answer, received, tunnel)
        conversation.judgement = judgement
        conversation.judged_in_s = self._reactor.seconds() - received.received_at
        return judgement

    def _replied(
        self, session: _Session, conversation: Conversation, action: Action, received: ReceivedRequest
    ) -> Reply | None:
        if isinstance(action, SendRequest):
            return self._challenged(session, conversation, partial(challenge_attributes, action))
        if isinstance(action, Discard):
            machine = conversation.machine
            self._log.ignored(session.device, action.reason)
            last = SendRequest(machine.last_request, machine.last_timeout_s)
            return self._challenged(session, conversation, partial(repetition_attributes, last))
        if isinstance(action, Succeed) and conversation.login.accepted:
            return self._ended(session, self._accept(action, conversation.login))
        reason = action.reason if isinstance(action, Fail) else "a success that nobody decided"
        conversation.login.abandoned(f"The EAP conversation ended before an answer: {reason}.")
        self._log.failed(session.device, conversation, reason)
        failure = (
            Reply(Code.ACCESS_REJECT, reject_attributes(action), conversation.login.login_id)
            if isinstance(action, Fail) and action.eap
            else None
        )
        return self._ended(session, failure or refusal(received))

    def _challenged(
        self, session: _Session, conversation: Conversation, attributes: Callable[[bytes], list[Attribute]]
    ) -> Reply:
        now = self._reactor.seconds()
        until = conversation.machine.next_timeout()
        return self._sessions.go_on(
            session,
            # Made when it is sent: as long as the reply is kept, it shares the octets that the machine keeps anyway.
            lambda state: Reply(Code.ACCESS_CHALLENGE, partial(_made, attributes, state)),
            now if until is None else until,
            now,
        )

    def _accept(self, success: Succeed, login: EapLogin) -> Reply:
        username = success.identity.encode("utf-8", "surrogateescape")

        def attributes(answered: ReceivedRequest) -> list[Attribute]:
            packet, secret = answered.packet, answered.secret.reveal()
            made = accept_attributes(
                success, packet.attributes, secret, packet.authenticator, self._random_bytes, username
            )
            return [*made, *login.granted(answered)]

        return Reply(Code.ACCESS_ACCEPT, attributes, login.login_id)

    def _ended(self, session: _Session, reply: Reply) -> Reply:
        self._sessions.end(session, reply, self._reactor.seconds())
        return reply

    # ── conversations that end by themselves ───────────────────────────────────────────────────────────────────

    def _sweep(self) -> None:
        self._sweeping = self._reactor.callLater(SWEEP_S, self._sweep)
        now = self._reactor.seconds()
        self._heap.seen(len(self._sessions))
        for session in self._sessions.expire(now):
            if session.conversation is not None:
                session.conversation.login.abandoned(_NOBODY_CAME)
                self._log.nobody_came(session.device, session.conversation, now)


def _has_other_credential(packet: Packet) -> bool:
    if not _OTHER_CREDENTIALS.isdisjoint(packet.firsts):
        return True
    if Type.VENDOR_SPECIFIC not in packet.firsts:
        return False
    return any(first(packet.attributes, other) is not None for other in _OTHER_MICROSOFT_CREDENTIALS)


def _made(
    attributes: Callable[[bytes], list[Attribute]], state: bytes, answered: ReceivedRequest
) -> Sequence[Attribute]:
    """Make the attributes of a challenge; they are the same whichever retry is answered."""
    return attributes(state)
