"""Which well-formed requests of a known device are taken: the rules about Message-Authenticator and Proxy-State.

Owns what is remembered about each source address (in memory only): that it has proved to send Message-Authenticator,
and what `limit_proxy_state = auto` decided by its first request. It knows no socket, no clock and no secret.

Source: RFC 3579 §3.1, §3.2; CVE-2024-3596; reference §10.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import field, frozen, validators
from twisted.logger import Logger

from duoproxy.net import radius_sentences as sentences
from duoproxy.net.log_limit import LimitedLog
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.packet import Packet

MAX_REMEMBERED_SOURCES: Final = 65_536
"""Source addresses that something is remembered about; a section may name whole networks."""

_THREE_WAYS = validators.in_(("auto", "yes", "no"))


@frozen
class RadiusPolicy:
    """What a section demands of its devices.

    Attributes:
        require_message_authenticator: `yes`: from all; `no`: only where the RFC does; `auto`: from an address that has
            sent one in an Access-Request without EAP.
        limit_proxy_state: whether Proxy-State needs a Message-Authenticator: `yes`, `no`, or `auto`: the first request
            of an address decides.
        join_retries: whether a retry with a new Identifier joins the login in progress.
    """

    require_message_authenticator: str = field(default="auto", validator=_THREE_WAYS)
    limit_proxy_state: str = field(default="auto", validator=_THREE_WAYS)
    join_retries: bool = True


class Admission:
    """Takes or drops requests, and says why it dropped one."""

    def __init__(
        self,
        section_name: str,
        policy: RadiusPolicy,
        log: Logger,
        limited_log: LimitedLog,
        max_sources: int = MAX_REMEMBERED_SOURCES,
    ) -> None:
        """Begin with nothing known about any source."""
        self._section_name = section_name
        self._policy = policy
        self._log = log
        self._limited = limited_log
        self._max_sources = max_sources
        self._armed: set[str] = set()
        self._proxy_state_limited: dict[str, bool] = {}

    def admits(self, source: str, packet: Packet, message_authenticator: MessageAuthenticator) -> bool:
        """Tell whether an Access-Request is taken; a drop is logged with its remedy.

        Args:
            source: the address it came from.
            packet: the request.
            message_authenticator: VALID or ABSENT; what is INVALID was dropped before anything was interpreted.
        """
        valid = message_authenticator is MessageAuthenticator.VALID
        has_eap, has_proxy_state = Type.EAP_MESSAGE in packet.firsts, Type.PROXY_STATE in packet.firsts
        if valid:
            self._learn(source, proves=not has_eap)
            return True
        if has_eap:
            return self._drop("eap", source, lambda: sentences.message_authenticator_always_needed(source, "EAP"))
        if self._requires(source):
            armed = self._policy.require_message_authenticator == "auto"
            return self._drop(
                "required",
                source,
                lambda: sentences.message_authenticator_required(source, self._section_name, armed),
            )
        if self._limits_proxy_state(source, has_proxy_state) and has_proxy_state:
            setting = self._policy.limit_proxy_state
            return self._drop(
                "proxy-state",
                source,
                lambda: sentences.proxy_state_refused(source, self._section_name, setting),
            )
        return True

    def _learn(self, source: str, proves: bool) -> None:
        """Note a valid Message-Authenticator. EAP always carries one, so that with EAP it proves nothing."""
        if proves and len(self._armed) < self._max_sources:
            self._armed.add(source)
        if source not in self._proxy_state_limited:
            self._decide_proxy_state(source, limited=True)

    def _requires(self, source: str) -> bool:
        setting = self._policy.require_message_authenticator
        return setting == "yes" or (setting == "auto" and source in self._armed)

    def _limits_proxy_state(self, source: str, has_proxy_state: bool) -> bool:
        if self._policy.limit_proxy_state != "auto":
            return self._policy.limit_proxy_state == "yes"
        decided = self._proxy_state_limited.get(source)
        if decided is None:
            decided = self._decide_proxy_state(source, limited=not has_proxy_state)
        return decided

    def _decide_proxy_state(self, source: str, limited: bool) -> bool:
        """Decide by the first request of `source`; when too much is remembered, on the safe side."""
        if len(self._proxy_state_limited) >= self._max_sources:
            return True
        self._proxy_state_limited[source] = limited
        if not limited:
            self._log.warn("{sentence}", sentence=sentences.proxy_state_tolerated(source, self._section_name))
        return limited

    def _drop(self, fact: str, source: str, sentence: Callable[[], str]) -> bool:
        self._limited.warn(fact, source, sentence)
        return False
