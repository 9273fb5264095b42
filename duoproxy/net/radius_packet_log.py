"""RADIUS packets in the debug log, with secrets masked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from twisted.logger import Logger

from duoproxy.radius.packet import Attribute

if TYPE_CHECKING:
    from duoproxy.radius.dictionary import Dictionary


class PacketLog:
    """Writes one line for each packet, or nothing."""

    def __init__(self, log: Logger, dictionary: Dictionary | None) -> None:
        """Prepare.

        Args:
            log: the section's.
            dictionary: names and masks attributes; None: nothing is written.
        """
        self._log = log
        self._dictionary = dictionary

    @property
    def is_on(self) -> bool:
        """Whether packets are written at all."""
        return self._dictionary is not None

    def note(
        self, direction: Literal["from", "to"], peer: str, code: int, identifier: int, attributes: Iterable[Attribute]
    ) -> None:
        """Write a packet that came `from` a peer or goes `to` it."""
        if self._dictionary is None:
            return
        self._log.debug(
            "Packet {direction} {peer}: code {code}, identifier {identifier}; {attributes}",
            direction=direction,
            peer=peer,
            code=code,
            identifier=identifier,
            attributes="; ".join(self._dictionary.format_attributes(attributes)),
        )
