"""The values of this room in a log or a traceback."""

from __future__ import annotations

import pytest

from duoproxy.eap.actions import Fail, JudgeAnswer, SendRequest, SessionKeys, Succeed
from duoproxy.eap.methods.inner import Say
from duoproxy.eap.methods.method import MethodRequest
from duoproxy.eap.packet import Code, EapPacket
from duoproxy.eap.peap_tlv import Tlv
from duoproxy.eap.tls_fragments import Fragment
from duoproxy.secret import Secret

TYPED = b"correct horse"
KEYS = SessionKeys(Secret(TYPED), Secret(TYPED), b"name")


@pytest.mark.parametrize(
    "value",
    [
        EapPacket(Code.RESPONSE, 1, 6, TYPED),
        Fragment(1, data=TYPED),
        Tlv(12, TYPED),
        Say(TYPED),
        MethodRequest(TYPED),
        SendRequest(TYPED),
        JudgeAnswer("alice", Secret(TYPED)),
        Succeed(TYPED, KEYS, "alice"),
        Fail(TYPED, "why"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_shows_what_may_be_a_password_or_a_key(value: object):
    """Whatever formats it."""
    shown = f"{value!r} {value!s} {value}"
    assert TYPED.decode() not in shown
    assert TYPED.hex() not in shown
