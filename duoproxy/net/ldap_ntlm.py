"""The arithmetic of an NTLM login, as pyspnego does it, with the two things that an LDAP bind needs besides.

Owns the messages that go into SASL GSS-SPNEGO and the keys that come out. A message of NTLM stands there bare, without
the envelope of SPNEGO, as Windows sends it where NTLM is all that can be used. Everything here computes for
milliseconds and belongs into a thread; nothing here waits or knows a connection.

Source: MS-NLMP §2.2.1, §3.1.5; MS-ADTS §5.1.1.1.2; RFC 5929 §4 (channel bindings).
"""

from __future__ import annotations

import hmac
from typing import Final

import spnego
from spnego.channel_bindings import GssChannelBindings

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.nt_hash import nt_hash
from duoproxy.secret import Secret

MAX_CHALLENGE_BYTES: Final = 16 * 1024
MIN_SEALED_BYTES: Final = 16

_KEY_EXCHANGE: Final = 0x40000000
_VERSION: Final = 0x02000000
_NEGOTIATE_FLAGS: Final = slice(12, 16)
_AUTHENTICATE_FLAGS: Final = slice(60, 64)
_WORKSTATION_FIELDS: Final = slice(44, 52)
_VERSION_BYTES: Final = 8
_MIC_BYTES: Final = 16
_FIXED_BYTES: Final = 64

_SEAL: Final = (
    spnego.ContextReq.integrity
    | spnego.ContextReq.confidentiality
    | spnego.ContextReq.replay_detect
    | spnego.ContextReq.sequence_detect
)


class NtlmExchange:
    """One login: two messages to the server, one back, and the keys for what follows."""

    def __init__(
        self,
        username: str,
        domain: str,
        password: Secret,
        workstation: str,
        *,
        seal: bool,
        channel_bindings: bytes | None,
    ) -> None:
        """Prepare.

        Args:
            username: the account, without its domain; or a UPN, with an empty domain.
            domain: its NetBIOS domain, or empty.
            password: not empty.
            workstation: the name to give as ours; empty: none.
            seal: whether what follows the bind is to be signed and sealed.
            channel_bindings: what binds the login to the TLS connection that it goes through.

        Raises:
            UnicodeError: name or password are not Unicode text; NTLM knows no other.
        """
        for text in (username, domain, password.reveal_text(), workstation):
            text.encode("utf-16-le")
        self._workstation = workstation
        self._seal = seal
        self._negotiate_message = b""
        # The hash, not the password: pyspnego takes a password of 32 hexadecimal digits, a colon and 32 more for two
        # hashes, and whoever stole one would be let in. It also computes the LM hash, slowly, which nothing uses.
        self._context = spnego.client(
            spnego.NTLMHash(f"{domain}\\{username}", nt_hash=nt_hash(password).reveal().hex()),
            service="ldap",
            channel_bindings=GssChannelBindings(application_data=channel_bindings) if channel_bindings else None,
            context_req=_SEAL if seal else spnego.ContextReq.none,
            protocol="ntlm",
            options=spnego.NegotiateOptions.use_ntlm,
        )

    def negotiate(self) -> bytes:
        """Give the first message. Source: MS-NLMP §2.2.1.1."""
        message = bytearray(self._context.step() or b"")
        if not self._seal:
            # Without sealing there is no key to exchange, and domain controllers refuse the empty one that is sent.
            flags = int.from_bytes(message[_NEGOTIATE_FLAGS], "little") & ~_KEY_EXCHANGE
            message[_NEGOTIATE_FLAGS] = flags.to_bytes(4, "little")
        self._negotiate_message = bytes(message)
        return self._negotiate_message

    def authenticate(self, challenge: bytes) -> bytes:
        """Answer the server's challenge. Source: MS-NLMP §2.2.1.3.

        Raises:
            RemoteProtocolError: it is no challenge, or does not grant sign and seal where they are asked for.
        """
        if len(challenge) > MAX_CHALLENGE_BYTES:
            raise RemoteProtocolError("the NTLM challenge is too long", Disposition.CLOSE)
        try:
            message = self._context.step(challenge) or b""
        except Exception as fault:  # whatever the peer's octets do to the library: it is no challenge
            raise RemoteProtocolError("the NTLM challenge cannot be read", Disposition.CLOSE) from fault
        if self._seal and self._context.context_attr & _SEAL != _SEAL:
            raise RemoteProtocolError("the server does not grant NTLM sign and seal", Disposition.CLOSE)
        return self._finished(message, challenge)

    def _finished(self, message: bytes, challenge: bytes) -> bytes:
        """Put our workstation into the message, and the code over all three that makes them one.

        Source: MS-NLMP §2.2.1.3 (fields), §3.1.5.1.2 (MIC).
        """
        octets = bytearray(message)
        flags = int.from_bytes(octets[_AUTHENTICATE_FLAGS], "little")
        mic_at = _FIXED_BYTES + (_VERSION_BYTES if flags & _VERSION else 0)
        mic = slice(mic_at, mic_at + _MIC_BYTES)
        has_mic = any(octets[mic])
        name = self._workstation.encode("utf-16-le")
        length = len(name).to_bytes(2, "little")
        octets[_WORKSTATION_FIELDS] = length + length + len(octets).to_bytes(4, "little")
        octets += name
        if has_mic:
            octets[mic] = bytes(_MIC_BYTES)
            exchanged = self._negotiate_message + challenge + octets
            octets[mic] = hmac.digest(self._context.session_key, exchanged, "md5")
        return bytes(octets)

    def wrap(self, octets: bytes) -> bytes:
        """Sign and seal one message. Source: MS-NLMP §3.4.3."""
        return self._context.wrap(octets).data

    def unwrap(self, octets: bytes) -> bytes:
        """Open one sealed message and check its signature. Source: MS-NLMP §3.4.3.

        Raises:
            RemoteProtocolError: somebody altered, repeated or left out a message.
        """
        if len(octets) < MIN_SEALED_BYTES:
            raise RemoteProtocolError("a sealed message is too short", Disposition.CLOSE)
        try:
            return self._context.unwrap(octets).data
        except spnego.exceptions.SpnegoError as fault:
            raise RemoteProtocolError("the signature of a sealed message is wrong", Disposition.CLOSE) from fault
