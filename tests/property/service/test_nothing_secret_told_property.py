"""Whatever users type and Duo answers: what `explain` may read of a login has no secret in it."""

from __future__ import annotations

import base64
import json
import urllib.parse

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from duoproxy.duoapi.messages import AuthAnswer, Device, Preauth, PreauthResult
from duoproxy.login.dialogue import DialogueOptions
from duoproxy.login.factors import AppendMode
from duoproxy.login.policy import LoginPolicy
from duoproxy.net.radius_messages import ReceivedRequest, Reply
from duoproxy.radius.attributes import AttributeId, Type
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.hiding import hide_password
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.radius.relay import PassThrough
from duoproxy.secret import Secret
from duoproxy.sections.challenge_login import ChallengeLogins
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.service.journal import MAX_LOGINS, Journal
from duoproxy.testing import FakePrimary, FakeSecondFactor, make_environment, run_now

SHARED, AUTHENTICATOR = b"the secret of a device", bytes(range(16))
PHONE_NUMBER, ENROLL_LINK = "+49-30-901820", "https://enroll.example/?code=9f8e7d6c"
CLIENT_IP = AttributeId(0, Type.CALLING_STATION_ID)

secrets = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20).map(lambda text: f"Zq7#{text}")
preauths = st.sampled_from(list(PreauthResult)).map(
    lambda result: Preauth(
        result,
        status_message=f"See {ENROLL_LINK}" if result is PreauthResult.ENROLL else "As Duo says.",
        devices=(Device("DP1", True, frozenset({"push", "sms", "phone"}), PHONE_NUMBER, "7"),),
    )
)
answers = st.sampled_from([AuthAnswer(True, "allow", "Success."), AuthAnswer(False, "deny", "Incorrect passcode.")])


def spellings(secret: str) -> set[str]:
    octets = secret.encode()
    return {
        secret,
        json.dumps(secret)[1:-1],
        base64.b64encode(octets).decode(),
        octets.hex(),
        urllib.parse.quote(secret),
    }


def request(password: str, *more: Attribute) -> ReceivedRequest:
    hidden = hide_password(password.encode()[:128], SHARED, AUTHENTICATOR)
    attributes = ((Type.USER_NAME, b"alice"), (Type.USER_PASSWORD, hidden), *more)
    packet = Packet(Code.ACCESS_REQUEST, 7, AUTHENTICATOR, attributes)
    return ReceivedRequest(packet, "192.0.2.1", 1645, Secret(SHARED), MessageAuthenticator.VALID, 0.0, "192.0.2.9")


def state_of(reply: Reply | None) -> tuple[Attribute, ...]:
    if reply is None or reply.code != Code.ACCESS_CHALLENGE or callable(reply.attributes):
        return ()
    return tuple((number, value) for number, value in reply.attributes if number == Type.STATE)


@settings(max_examples=100)
@given(secrets, secrets, secrets, preauths, answers, st.booleans(), st.booleans())
def test_what_is_told_of_a_login_has_no_secret(
    password: str, typed: str, passcode: str, preauth: Preauth, answer: AuthAnswer, prompted: bool, right: bool
) -> None:
    """Passwords, passcodes, telephone numbers, links to enroll, in no usual spelling."""
    journal = Journal(lambda: 0.0)
    environment = make_environment("radius_server_auto", reactor=Clock(), login_step=journal.step)
    policy = LoginPolicy(append=AppendMode(allow_concat=not prompted), checks_passwords=True)
    shell = LoginShellSettings(policy, PassThrough(), CLIENT_IP, "utf-8", "DIXXXXXXXXXXXXXXXXXX", "radius_client")
    primary, duo = FakePrimary(password if right else "another one"), FakeSecondFactor(preauth, answer)
    logins: RadiusLogins = RadiusLogins(shell, environment, primary, duo)
    if prompted:
        logins = ChallengeLogins(shell, DialogueOptions(enroll_as_prompt=True), environment, primary, duo)
    globalLogPublisher.addObserver(journal)
    try:
        reply = run_now(logins.handle(request(password if prompted else f"{password},{passcode}")))
        for text in (typed, passcode, password):
            if state := state_of(reply):
                reply = run_now(logins.handle(request(text, *state)))
    finally:
        globalLogPublisher.removeObserver(journal)
        logins.stop()
    told = json.dumps([record.as_mapping() for record in journal.latest(MAX_LOGINS)], ensure_ascii=False)
    assert "alice" in told
    hidden = [password, typed, passcode, PHONE_NUMBER, ENROLL_LINK, SHARED.decode()]
    assert [secret for secret in hidden for spelling in spellings(secret) if spelling in told] == []
