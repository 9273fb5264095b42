"""A login over LDAP whose ends go while it is judged: the directory, the client, the proxy itself."""

from __future__ import annotations

from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from duoproxy.duoapi.messages import AuthAnswer, AuthQuery
from duoproxy.ldap.messages import BindRequest
from duoproxy.login.parties import SecondFactorLogin
from duoproxy.net.ldap_bind_attempt import BindAttempt
from duoproxy.secret import Secret
from duoproxy.testing import FakeSecondFactor
from tests.unit.net.fake_directory import ALICE
from tests.unit.sections.test_ldap_login import Door, FakeAttempt


@pytest.mark.parametrize(("exempt_dns", "cause", "factor"), [((), "approved", "push"), ((ALICE,), "exempt-ou", "none")])
def test_accept_without_a_session_is_none_in_log_and_events(exempt_dns: Any, cause: str, factor: str) -> None:
    """The directory closed the connection while the user was asked: unavailable, and nobody is said to have got in."""
    door = Door(exempt_dns=exempt_dns)
    with capturedLogs() as lines:
        verdict = door.bind(holds_yes=False)
    assert (verdict.accepted, verdict.code) == (False, 52)
    assert verdict.text == "The connection to the directory was lost: bind again."
    [end] = [line for line in lines if "cause" in line]
    assert (end["result"], end["cause"], end["factor"]) == ("reject", "primary-unreachable", factor)
    assert f"ended with {cause}, but the directory had closed the connection" in end["detail"]
    assert [(event["status"], event["factor"] or "none") for event in door.events] == [
        ("Allow", "none"),
        ("Reject", factor),
    ]
    assert door.reasons == []


def test_approval_of_a_session_that_was_lost_is_joined_by_nobody() -> None:
    """join_binds_s: the user is asked again; that nobody got in was told."""
    door = Door(join_binds_s=10)
    assert [door.bind(holds_yes=holds).accepted for holds in (False, True)] == [False, True]
    assert (door.reasons, len(door.duo.asked)) == ([], 2)


class SlowDuo(FakeSecondFactor):
    """A user who does not answer."""

    def begin_login(self) -> Any:
        return cast(SecondFactorLogin, self)

    async def authenticate(self, query: AuthQuery) -> AuthAnswer:
        return await Deferred()


@pytest.mark.parametrize("stopping", [False, True])
def test_login_that_is_given_up_is_told(stopping: bool) -> None:
    """The client goes: event and log say so, and whom Duo was asking. The proxy stops: busy, with words."""
    door = Door()
    door.logins._second_factor = SlowDuo()
    attempt = FakeAttempt(BindRequest(3, ALICE.encode(), Secret("right")), door.passwords)
    judging = Deferred.fromCoroutine(door.logins.judge(cast(BindAttempt, attempt)))
    ends: list[Any] = []
    judging.addBoth(ends.append)
    if stopping:
        door.logins.shut_down()
    with capturedLogs() as lines:
        judging.cancel()
    assert [(line["user"], line["cause"]) for line in lines if "cause" in line] == [
        ("alice", "shutdown" if stopping else "client-gone")
    ]
    if stopping:
        assert (ends[0].accepted, ends[0].code) == (False, 51)
    else:
        assert ends[0].check(CancelledError)
    assert [event["status"] for event in door.events] == ["Allow", "Reject"]


def test_login_that_the_directory_ends_is_no_fault_of_the_client() -> None:
    """A Notice of Disconnection under a bind: log and event name the directory, not a time-out of the client."""
    door = Door()
    door.logins._second_factor = SlowDuo()
    fault = "it closes the connection"
    attempt = FakeAttempt(BindRequest(3, ALICE.encode(), Secret("right")), door.passwords, directory_fault=fault)
    judging = Deferred.fromCoroutine(door.logins.judge(cast(BindAttempt, attempt)))
    with capturedLogs() as lines:
        judging.cancel()
    judging.addErrback(lambda failure: failure.trap(CancelledError))
    [end] = [line for line in lines if "cause" in line]
    assert (end["cause"], end["log_level"].name) == ("primary-unreachable", "warn")
    assert end["detail"].endswith("while the login was under way: it closes the connection")
    assert (door.events[-1]["status"], "directory was lost" in str(door.events[-1]["msg"])) == ("Reject", True)
