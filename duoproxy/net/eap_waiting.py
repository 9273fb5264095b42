"""Who waits for an answer in EAP, and whether they still did when it came.

Owns what can be known of a device that gave up. One that got the answer goes on: in PEAP it is confirmed inside the
tunnel before the last packet. Nobody can tell whether the last packet itself was read. One that repeated its request,
and stopped long before the answer, is named where repetitions are seen: `duoproxy.net.radius_server`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import frozen
from twisted.logger import Logger

from duoproxy.eap.actions import Accept, Ask, Judgement, Refuse
from duoproxy.net import eap_sentences as sentences
from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.radius_messages import ReceivedRequest
from duoproxy.net.radius_watch import EarlyDevices
from duoproxy.radius.attributes import Type, first

LONG_ANSWER_S: Final = 3.0
"""No time-out of a device is shorter: who did not go on after a quicker answer had other reasons."""


@frozen
class _Station:
    """Of one station only one login can be going on."""

    device: str
    calling_station_id: bytes
    identity: str


@frozen
class _Answering:
    """Whose answer is on its way, and since when."""

    login_id: str
    since: float


class WhoWaits:
    """Watches the answers of one listener; every entry belongs to a step in progress, and those are bounded."""

    def __init__(self, log: Logger, limited: LimitedLog, seconds: Callable[[], float]) -> None:
        """Write to `log`, and what others can provoke to `limited`; `seconds` is the clock."""
        self._log = log
        self._limited = limited
        self._seconds = seconds
        self._answering: dict[_Station, _Answering] = {}
        self._early = EarlyDevices()

    def __len__(self) -> int:
        """How many stations are being answered."""
        return len(self._answering)

    def early_devices(self) -> list[dict[str, object]]:
        """List the devices that certainly gave up, in the words of `Section.status`."""
        return self._early.told(self._seconds())

    @contextmanager
    def answering(self, login_id: str, identity: str, received: ReceivedRequest) -> Iterator[None]:
        """Note that a station waits; a device that lets it begin anew meanwhile is named."""
        station_id = first(received.packet.attributes, Type.CALLING_STATION_ID)
        if not station_id:
            yield
            return
        station = _Station(received.device_address, station_id, identity)
        mine, older = _Answering(login_id, self._seconds()), self._answering.get(station)
        if older is not None:
            self._began_again(station.device, older)
        self._answering[station] = mine
        try:
            yield
        finally:
            if self._answering.get(station) is mine:
                del self._answering[station]

    def _began_again(self, device: str, older: _Answering) -> None:
        waited_s = self._seconds() - older.since
        if waited_s >= LONG_ANSWER_S:
            self._early.note(device, waited_s, 0.0, self._seconds())
            self._gave_up(device, lambda: sentences.began_again_before_the_answer(older.login_id, device, waited_s))

    def nobody_came(self, login_id: str, device: str, judgement: Judgement, answer_s: float) -> None:
        """Say what is known of a peer that did not go on after an answer.

        Args:
            login_id: of the login.
            device: its address.
            judgement: what the answer said; after a question to the user nobody need go on.
            answer_s: seconds that it took.
        """
        if isinstance(judgement, Ask):
            return
        if answer_s >= LONG_ANSWER_S:
            shown = isinstance(judgement, Refuse) and judgement.text
            say = sentences.perhaps_gave_up_before_the_refusal if shown else sentences.gave_up_before_the_answer
            if not shown:
                self._early.note(device, answer_s, 0.0, self._seconds())
            self._gave_up(device, lambda: say(login_id, device, answer_s))
        elif isinstance(judgement, Accept):
            sentence = sentences.failed_after_the_answer(login_id, device, "nothing more came")
            self._log.warn("{sentence}", sentence=sentence, login_id=login_id)

    def _gave_up(self, device: str, sentence: Callable[[], str]) -> None:
        self._limited.warn("gave up", device, sentence)
