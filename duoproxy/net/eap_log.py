"""What an EAP listener writes to its log: which fact is told, and how often.

Whatever others can provoke is told once a minute for each device. The sentences themselves stand in `eap_sentences`;
who gave up before the answer came is known by `eap_waiting`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from duoproxy.eap.actions import Fail
from duoproxy.net import eap_sentences as sentences
from duoproxy.net.eap_conversation import Conversation
from duoproxy.net.eap_waiting import WhoWaits
from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.radius_sentences import handler_fault


class EapLog:
    """The log of one listener.

    Attributes:
        waiting: who waits for an answer.
    """

    def __init__(self, section_name: str, seconds: Callable[[], float], max_open: int) -> None:
        """Write in the name of `section_name`; `seconds` is the clock, `max_open` the room for conversations."""
        self._section_name = section_name
        self._max_open = max_open
        self._log = Logger(namespace=section_name)
        self._limited = LimitedLog(self._log, seconds)
        self.waiting = WhoWaits(self._log, self._limited, seconds)

    # ── requests ───────────────────────────────────────────────────────────────────────────────────────────────

    def no_eap(self, device: str) -> None:
        """A request without EAP-Message."""
        self._limited.warn("no eap", device, lambda: sentences.no_eap(device, self._section_name))

    def two_credentials(self, device: str) -> None:
        """A request with EAP-Message and another credential."""
        self._limited.warn("two", device, lambda: sentences.two_credentials(device))

    def unknown_state(self, device: str) -> None:
        """A request whose State no conversation has."""
        self._limited.warn("state", device, lambda: sentences.unknown_state(device))

    def step_in_progress(self, device: str) -> None:
        """A request for a step that is in progress for another one."""
        self._limited.warn("step", device, lambda: sentences.step_in_progress(device))

    def begins_nothing(self, device: str, reason: str) -> None:
        """A request without State whose packet begins no conversation."""
        self._limited.warn("nothing", device, lambda: sentences.begins_nothing(device, reason))

    def ignored(self, device: str, reason: str) -> None:
        """A packet that answers nothing."""
        self._limited.warn("ignored", device, lambda: sentences.packet_ignored(device, reason))

    # ── room ───────────────────────────────────────────────────────────────────────────────────────────────────

    def no_room(self, device: str) -> None:
        """A conversation that could not begin."""
        self._limited.warn("no room", device, lambda: sentences.no_room(device, self._max_open))

    def given_up_for_others(self, device: str) -> None:
        """A conversation that made room for a newer one."""
        self._limited.warn("evicted", device, lambda: sentences.given_up_for_others(device, self._max_open))

    # ── conversations that end without success ─────────────────────────────────────────────────────────────────

    def fault(self, device: str) -> None:
        """A fault of ours; to be called where the exception is handled."""
        self._log.failure("{sentence}", sentence=handler_fault(device))

    def failed(self, device: str, conversation: Conversation, reason: str) -> None:
        """A conversation that failed; of one in which an answer was judged the login's own line tells, if nobody was
        accepted.
        """
        login, machine = conversation.login, conversation.machine
        if login.accepted:
            sentence = sentences.failed_after_the_answer(login.login_id, device, reason)
            self._log.warn("{sentence}", sentence=sentence, login_id=login.login_id)
        elif not machine.answers:
            outer = machine.outer_identity
            self._limited.warn(
                ("failed", reason),
                device,
                lambda: sentences.conversation_failed(login.login_id, device, outer, reason),
            )

    def nobody_came(self, device: str, conversation: Conversation, now: float) -> None:
        """A conversation that nobody goes on with: its machine is told that it is over."""
        login, machine = conversation.login, conversation.machine
        reasons = [action.reason for action in machine.timeout(now) if isinstance(action, Fail)]
        if conversation.judgement is not None:
            self.waiting.nobody_came(login.login_id, device, conversation.judgement, conversation.judged_in_s)
            return
        # Whoever begins logins and leaves them can do so by the thousand: one line a minute for each device.
        after = "; ".join(filter(None, [machine.summary, *reasons]))
        self._limited.warn(
            "left",
            device,
            lambda: sentences.nothing_more_came(login.login_id, device, machine.outer_identity, after),
        )
