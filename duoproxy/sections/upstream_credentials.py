"""How what a user proves a password with stands in a request to a RADIUS server: hidden, or as the device sent it.

It is no section itself.

Source: RFC 2865 §5.1, §5.2, §5.3; RFC 2759 §8.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from duoproxy.login.request import LoginRequest, PasswordProof
from duoproxy.radius.attributes import Type, first
from duoproxy.radius.credentials import RadiusProof
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Attribute
from duoproxy.radius.relay import DeviceRequest

MAX_PASSWORD_OCTETS: Final = 128

Hide = Callable[[bytes, bytes], list[Attribute]]
"""Makes the attributes of name and credential, from a Request Authenticator and a shared secret."""


def carried(request: LoginRequest, pw_codec: str, section_name: str) -> Hide | str:
    """Say how the credential of a request is carried; a text is the reason why it cannot be.

    Args:
        request: of the login, or the one that brings an answer.
        pw_codec: encoding of passwords towards the server.
        section_name: for the reason.
    """
    if isinstance(request.credential, PasswordProof):
        return _carried_proof(request, request.credential)
    try:
        password = request.password.reveal_text().encode(pw_codec)
    except UnicodeEncodeError:
        return f"the password cannot be written in pw_codec={pw_codec} of [{section_name}]"
    if len(password) > MAX_PASSWORD_OCTETS:
        return f"the password is longer than the {MAX_PASSWORD_OCTETS} octets of RADIUS"
    if password.endswith(b"\0"):
        return "the password ends in a NUL, which RADIUS cannot carry"
    name = (Type.USER_NAME, request.username.encode("utf-8", "surrogateescape"))
    return lambda authenticator, secret: [
        name,
        (Type.USER_PASSWORD, hide_password(password, secret, authenticator)),
    ]


def _carried_proof(request: LoginRequest, proof: PasswordProof) -> Hide | str:
    """A proof was computed over the name as the device has it, so that its octets stay as they are."""
    if not isinstance(proof.wire, RadiusProof) or not isinstance(request.wire, DeviceRequest):
        return f"{proof.kind} of another protocol than RADIUS cannot be sent to a RADIUS server"
    name = first(request.wire.packet.attributes, Type.USER_NAME) or b""
    attributes: list[Attribute] = [(Type.USER_NAME, name), *proof.wire.attributes]
    return lambda authenticator, secret: list(attributes)
