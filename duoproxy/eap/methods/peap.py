"""PEAP: a TLS tunnel in EAP, and another EAP conversation inside it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from duoproxy.eap.methods.registry import MethodRegistry
from duoproxy.eap.tls_engine import TlsServerContext

MAX_TLS_MESSAGE_BYTES = 64 * 1024
PROMPT_TIMEOUT_S = 60


@frozen(eq=False)
class PeapSettings:
    """What an administrator decides about PEAP, and what all conversations share.

    Attributes:
        tls: certificate, key and versions.
        first_prompt: the text with which the first answer, the password, is asked for.
        crypto_binding: whether PEAPv0 sends a crypto-binding TLV with its result.
        prompt_timeout_s: how long the device should wait for the user's answer to a prompt.
        max_tls_message_bytes: the longest message of the peer that is put together from fragments.
    """

    tls: TlsServerContext
    first_prompt: str = "Password: "
    crypto_binding: bool = True
    prompt_timeout_s: int = PROMPT_TIMEOUT_S
    max_tls_message_bytes: int = MAX_TLS_MESSAGE_BYTES


def peap_registry(settings: PeapSettings, random_bytes: Callable[[int], bytes]) -> MethodRegistry:
    """Offer PEAP and nothing else.

    Args:
        settings: of all conversations.
        random_bytes: as `os.urandom`; for the nonces of crypto-binding.
    """
    raise NotImplementedError
