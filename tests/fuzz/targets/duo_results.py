"""What Duo answers to each call, both generations: a value or UnexpectedAnswer; yes only for the literal word.

What the service names (a device, a transaction) goes back to it, so it must be possible to spell and sign it.
"""

from __future__ import annotations

import json
from typing import Any

from duoproxy.duoapi.answers import UnexpectedAnswer
from duoproxy.duoapi.clock import MAX_UNIX_TIME_S
from duoproxy.duoapi.devices import automatic, usable
from duoproxy.duoapi.generations import DIALECTS, MAX_DEVICES, ApiDialect
from duoproxy.duoapi.messages import AuthAnswer, AuthQuery, Device, Factor, Preauth, PreauthResult
from duoproxy.duoapi.signing import ApiCall, signed_request
from duoproxy.secret import Secret

WORDS = (
    *(b'"result": ', b'"auth"', b'"allow"', b'"deny"', b'"enroll"', b'"waiting"', b'"status": ', b'"status_msg": '),
    *(b'"devices": [', b'"device": ', b'"capabilities": ["push", "phone", "sms", "mobile_otp", "auto"]', b'"phone"'),
    *(b'"factors": {"1": "push1", "default": "phone99"', b'"txid": ', b'"time": ', b'"pong"', b'"valid"', b"\\ud800"),
    *(b'"number": ', b'"display_name": ', b'"sms_nextcode": ', b'"enroll_portal_url": ', b'"prompt": ', b'"type": '),
)
SKEY = Secret(b"0123456789012345678901234567890123456789")


def target(data: bytes) -> None:
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError):
        content = data.decode("utf-8", "replace")
    for dialect in DIALECTS.values():
        for judge in (_ping, _check, _preauth, _auth, _transaction, _status):
            try:
                judge(dialect, content)
            except UnexpectedAnswer as error:
                assert str(error).isprintable()


def _ping(dialect: ApiDialect, content: Any) -> None:
    time_s = dialect.parse_ping(content)
    if time_s is not None:
        assert type(content["time"]) is int
        assert 0 < time_s < MAX_UNIX_TIME_S


def _check(dialect: ApiDialect, content: Any) -> None:
    dialect.parse_check(content)
    assert content == "valid" or isinstance(content, dict)


def _preauth(dialect: ApiDialect, content: Any) -> None:
    preauth: Preauth = dialect.parse_preauth(content)
    assert preauth.result.value == content["result"]
    assert preauth.result is PreauthResult.AUTH or not preauth.devices
    assert len(preauth.devices) <= MAX_DEVICES
    for text in (preauth.status_message, preauth.prompt, preauth.enroll_portal_url):
        _is_clean(text)
    automatic(preauth.devices, ("auto", "push", "phone"))
    for device in preauth.devices:
        _device(dialect, device)
    for number in (None, 1, 2, 99):
        usable(preauth.devices, Factor.PUSH, number)


def _device(dialect: ApiDialect, device: Device) -> None:
    _is_clean(device.label)
    _is_clean(device.sms_next_code)
    _sign(dialect, dialect.auth_call(AuthQuery("alice", Factor.PUSH, device.device_id, client_ip="192.0.2.7")))


def _auth(dialect: ApiDialect, content: Any) -> None:
    answer: AuthAnswer = dialect.parse_auth(content)
    assert answer.allowed == (content["result"] == "allow")
    _is_clean(answer.status)
    _is_clean(answer.status_message)


def _transaction(dialect: ApiDialect, content: Any) -> None:
    _sign(dialect, dialect.status_call(dialect.parse_transaction(content)))


def _status(dialect: ApiDialect, content: Any) -> None:
    answer = dialect.parse_status(content)
    assert (answer is not None and answer.allowed) == (content.get("result") == "allow")


def _is_clean(text: str) -> None:
    assert all(mark.isprintable() or mark in "\n\t" for mark in text)
    text.encode("utf-8")


def _sign(dialect: ApiDialect, call: ApiCall) -> None:
    request = signed_request(call, dialect.signature, "api.example.com", 1_790_000_000.0, "DI", SKEY)
    assert request.target.isascii()
    assert request.target.isprintable()
    assert " " not in request.target
