"""One login in all its parts, with fakes for both factors."""

from __future__ import annotations

from attrs import define, field

from duoproxy.duoapi.messages import Device, Preauth, PreauthResult
from duoproxy.login.events import StageEvent
from duoproxy.login.flow import LoginTools, run_login
from duoproxy.login.outcome import Outcome
from duoproxy.login.policy import LoginPolicy, SecondTryLedger
from duoproxy.testing import PHONE, FakePrimary, FakeSecondFactor, make_request, run_now

PASSWORD = "correct horse"
LANDLINE = Device("DP2", True, frozenset({"phone"}), "XXX-XXX-9999")
TOKEN = Device("DH1", False, frozenset({"mobile_otp"}))
AUTH = Preauth(PreauthResult.AUTH, devices=(PHONE, LANDLINE))


@define
class Scene:
    """Change what the test is about, then `run`."""

    primary: FakePrimary = field(factory=lambda: FakePrimary(PASSWORD))
    duo: FakeSecondFactor = field(factory=lambda: FakeSecondFactor(AUTH))
    policy: LoginPolicy = field(factory=LoginPolicy)
    now: float = 0.0
    events: list[StageEvent] = field(factory=list)
    second_tries: SecondTryLedger = field(factory=SecondTryLedger)

    def run(self, field_text: str = PASSWORD, username: str = "alice", client_ip: str | None = None) -> Outcome:
        """Run one login with what stands in the password field."""
        request = make_request(username, field_text, client_ip=client_ip)
        tools = LoginTools(lambda: self.now, self.events.append, self.second_tries)
        return run_now(run_login(request, self.policy, self.primary, self.duo, tools))
