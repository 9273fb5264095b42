"""Whether a datagram from an upstream server is its authentic reply: otherwise it is ignored and the wait goes on.

Source: RFC 2865 §3, RFC 3579 §3.2, RFC 5080 §2.2.2; CVE-2024-3596; reference §10.2.
"""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from duoproxy.errors import RemoteProtocolError
from duoproxy.net import radius_sentences as sentences
from duoproxy.net.log_limit import LimitedLog
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import MessageAuthenticator, check_message_authenticator, reply_is_authentic
from duoproxy.radius.packet import Code, Packet, decode_packet, frame_packet

_REPLIES: Final = frozenset({Code.ACCESS_ACCEPT, Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE})


@frozen
class AskedServer:
    """The server and the request that a reply is held against.

    Attributes:
        index: number of the server, from 0.
        name: as the configuration names it.
        secret: the shared secret.
        request_authenticator: 16 octets, of the request.
        secret_option: the option that has the secret.
        is_login: it was an Access-Request: what its reply proves about the server counts for later ones.
    """

    index: int
    name: str
    secret: bytes = field(repr=False)
    request_authenticator: bytes
    secret_option: str
    is_login: bool = True


class ReplyCheck:
    """Checks the replies of one upstream, and remembers which servers send Message-Authenticator."""

    def __init__(self, section_name: str, require_message_authenticator: str, limited_log: LimitedLog) -> None:
        """Begin with nothing known about any server.

        Args:
            section_name: for sentences.
            require_message_authenticator: `auto` (from a server that sent one before), `yes` or `no`.
            limited_log: where ignored replies are told of.

        Raises:
            ValueError: `require_message_authenticator` is none of these.
        """
        if require_message_authenticator not in ("auto", "yes", "no"):
            raise ValueError("require_message_authenticator is auto, yes or no")
        self._section_name = section_name
        self._require = require_message_authenticator
        self._limited = limited_log
        self._armed: set[int] = set()
        self.ignored = 0
        """Datagrams that came from the address of a server and were no authentic reply."""

    def accepts(self, datagram: bytes, asked: AskedServer) -> Packet | None:
        """Give the reply in `datagram`, or None when it is to be ignored; the log says why, with the remedy."""
        packet = self._checked(datagram, asked)
        if packet is None:
            self.ignored += 1
        return packet

    def _checked(self, datagram: bytes, asked: AskedServer) -> Packet | None:
        try:
            framed = frame_packet(datagram)
        except RemoteProtocolError as error:
            self._tell_strange("malformed", asked.name, f"it is no well-formed RADIUS packet ({error})")
            return None
        if framed[0] not in _REPLIES:
            self._tell_strange("code", asked.name, f"its code {framed[0]} answers no Access-Request")
            return None
        verdict = check_message_authenticator(framed, asked.secret, asked.request_authenticator)
        authentic = reply_is_authentic(framed, asked.request_authenticator, asked.secret)
        if not authentic or verdict is MessageAuthenticator.INVALID:
            self._tell_forged(asked)
            return None
        packet = decode_packet(framed)
        return packet if self._signed_as_required(packet, verdict, asked) else None

    def _signed_as_required(self, packet: Packet, verdict: MessageAuthenticator, asked: AskedServer) -> bool:
        if verdict is MessageAuthenticator.VALID:
            if asked.is_login:
                self._armed.add(asked.index)
            return True
        has_eap = any(number == Type.EAP_MESSAGE for number, _ in packet.attributes)
        armed = self._require == "auto" and asked.index in self._armed
        if not (has_eap or armed or self._require == "yes"):
            return True
        name, section = asked.name, self._section_name
        self._limited.warn("unsigned", name, lambda: sentences.upstream_reply_unsigned(name, section, armed))
        return False

    def _tell_strange(self, fact: str, name: str, what: str) -> None:
        self._limited.warn(fact, name, lambda: sentences.upstream_strange_reply(name, what))

    def _tell_forged(self, asked: AskedServer) -> None:
        name, section, option = asked.name, self._section_name, asked.secret_option
        self._limited.warn("forged", name, lambda: sentences.upstream_reply_forged(name, section, option))
