"""The tools of an administrator on a running proxy: status, explain, primary-only, and who may use them."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import socket
import stat
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.challenge_lab import CHALLENGE, CONCAT, DUO_ONLY
from tests.peers.control_lab import (
    AUTO,
    CERTIFICATE_DAYS,
    EAP,
    NOBODY,
    SLOW,
    Installation,
    can_run_as,
    running_installation,
)
from tests.peers.radclient import Answer, Radclient, login
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET, SKEY
from tests.peers.server import wait_until

pytestmark = pytest.mark.needs_peer("radclient")
ACCEPTED, REJECTED = "Access-Accept", "Access-Reject"
CODE = "424242"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(scope="module")
def running() -> Iterator[Installation]:
    with running_installation() as installation:
        yield installation


@pytest.fixture
def installation(running: Installation) -> Iterator[Installation]:
    """With the proxy running, and both factors needed."""
    if running.server is None:
        running.start()
    yield running
    if running.server is not None:
        running.tool("authproxy_primary_only", "stop")


class Device:
    """Logs in at one section."""

    def __init__(self, installation: Installation, radclient: Radclient) -> None:
        self.installation, self.radclient = installation, radclient

    def ask(self, user: str, password: str = PASSWORD, section: str = AUTO) -> Answer:
        return self.radclient.send(self.installation.address(section), login(user, password))

    def code(self, user: str, password: str = PASSWORD, section: str = AUTO) -> str:
        return self.ask(user, password, section).code


@pytest.fixture
def device(installation: Installation, radclient: Radclient) -> Device:
    return Device(installation, radclient)


def test_status_of_a_running_proxy(installation: Installation, device: Device) -> None:
    """Exit code 0; a person reads listeners and Duo, a program gets the same as JSON."""
    assert device.code("alice") == ACCEPTED
    assert device.radclient.send(installation.address(AUTO), login("alice", "x"), secret="other", wait_s=1.0).code == ""
    told = installation.tool("authproxyctl", "status")
    assert told.code == 0, told.output
    assert "is running: process" in told.output
    assert f"UDP 127.0.0.1:{installation.ports[AUTO]}" in told.output
    assert "reachable, last answer" in told.output
    status = installation.tool("authproxyctl", "status", "--json").json()
    assert installation.server is not None
    assert (status["running"], status["pid"], status["state"]) == (True, installation.server.pid, "ready")
    assert abs(time.time() - status["started_at"] - status["uptime_s"]) < 3
    assert re.search(r", for (\d+ minutes? )?\d+ seconds? \(since 20\d\d-", told.output)
    section = status["sections"][AUTO]
    assert (section["pending"], section["duo"]["reachable"]) == (0, True)
    assert section["dropped"] == {"wrong shared secret": 1}


def test_status_tells_what_somebody_should_look_at(installation: Installation, device: Device) -> None:
    """A device that gave up before its user approved, and the days left on a certificate; both are to do."""
    gave_up = device.radclient.send(installation.address(AUTO), login(SLOW, PASSWORD), tries=2, wait_s=1.0)
    assert gave_up.code == ""
    found: list[dict[str, Any]] = []

    def told() -> bool:
        found.extend(installation.tool("authproxyctl", "status", "--json").json()["sections"][AUTO]["early_devices"])
        return bool(found)

    wait_until(told, "a device that gave up early")
    early = found[0]
    assert early["device"] == "127.0.0.1"
    assert 1.0 < early["silent_s"] < 20.0
    said = installation.tool("authproxyctl", "status").output
    to_do = said.partition("To do:\n")[2].partition("\n\n")[0].splitlines()
    left = f"{CERTIFICATE_DAYS - 1} days"
    assert f"  ! [{EAP}]: its certificate ends in {left}: renew it, and restart the proxy." in to_do
    [line] = [line for line in to_do if line.startswith(f"  ! [{AUTO}]: device 127.0.0.1 asks every ")]
    assert line.endswith("before the answer: set its time-out to 60 s or more.")
    assert f"  certificate               {left} left\n" in said


def test_explain_of_an_allowed_a_denied_and_a_failed_login(installation: Installation, device: Device) -> None:
    """By user, by id, and the last ones: each step, its words, and what to do."""
    assert device.code("alice", f"{PASSWORD},push") == ACCEPTED
    assert device.code("dave") == REJECTED
    assert device.code("carol", "not the password") == REJECTED

    allowed = installation.tool("duoproxy-explain", "--user", "alice")
    assert allowed.code == 0, allowed.output
    for words in (
        "alice was let in (approved)",
        "[sandbox_users] took the password",
        "Duo says auth of the user",
        "Duo is asked for push.",
        "Duo says allow",
        "Access-Accept is sent to 127.0.0.1.",
    ):
        assert words in allowed.output
    denied = installation.tool("duoproxy-explain", "--user", "DAVE").output
    assert "dave was rejected (factor-refused)" in denied
    assert "What to do:    Ask the user." in denied
    [failed] = installation.tool("duoproxy-explain", "--user", "carol", "--json").json()["logins"]
    assert (failed["cause"], failed["result"]) == ("password-refused", "reject")
    assert installation.tool("duoproxy-explain", failed["login_id"], "--json").json()["logins"] == [failed]
    last = installation.tool("duoproxy-explain", "--last", "3", "--json").json()["logins"]
    assert [login["user"] for login in last] == ["carol", "dave", "alice"]
    assert installation.tool("duoproxy-explain", "ffffffffff").code == 1


def test_a_prompt_and_its_answer_are_steps_of_one_login(installation: Installation, device: Device) -> None:
    """Over two requests of the device."""
    challenge = device.ask("carol", PASSWORD, CHALLENGE)
    [state] = challenge.values("State")
    pairs = login("carol", CODE, ("State", bytes.fromhex(state.removeprefix("0x"))))
    assert device.radclient.send(installation.address(CHALLENGE), pairs).code == ACCEPTED
    told = installation.tool("duoproxy-explain", "--user", "carol").output
    for words in ("is shown a prompt", "Access-Challenge is sent", "The user answers with a passcode", "was let in"):
        assert words in told


def test_primary_only_in_each_mode(installation: Installation, device: Device) -> None:
    """A password is enough where one is checked; where none is, nobody gets in; each login is a logged bypass."""
    assert device.code("dave") == REJECTED
    started = installation.tool("authproxy_primary_only", "start", "--minutes", "5")
    assert started.code == 0, started.output
    assert "PRIMARY-ONLY" in installation.tool("authproxyctl", "status").output
    assert device.code("dave") == ACCEPTED
    assert device.code("dave", PASSWORD, CHALLENGE) == ACCEPTED
    assert device.code("dave", PASSWORD, CONCAT) == ACCEPTED
    assert device.code("dave", "wrong") == REJECTED
    assert device.code("dave", "push", DUO_ONLY) == REJECTED
    assert device.code("alice", "push", DUO_ONLY) == REJECTED
    told = installation.tool("duoproxy-explain", "--user", "alice").output
    assert "primary-only-refused" in told
    assert installation.tool("authproxy_primary_only", "stop").output == "Logins need both factors again.\n"
    assert device.code("dave") == REJECTED
    log = installation.log
    assert log.count("#warn] Login ") >= 3
    assert log.count("result=accept cause=primary-only ") == 3
    uid = os.geteuid()
    assert f"Logins are primary-only for 5 minutes, as user id {uid} asks" in log
    assert f"Logins need both factors again, as user id {uid} asks." in log
    events = (installation.base / "log" / "authevents.log").read_text().splitlines()
    reasons = [event["bypass_reason"] for event in map(json.loads, events) if event["bypass_reason"]]
    assert reasons == ["primary-only"] * 3


def test_primary_only_survives_a_restart_and_a_spoilt_file_does_not(installation: Installation, device: Device) -> None:
    """Its end stays where it was; what cannot be believed is off."""
    installation.tool("authproxy_primary_only", "start", "--minutes", "5")
    until = installation.tool("authproxy_primary_only", "status", "--json").json()["until"]
    installation.stop()
    assert installation.tool("authproxy_primary_only", "status").code == 3
    installation.start()
    told = installation.tool("authproxy_primary_only", "status", "--json").json()
    assert told["active"] is True
    assert abs(told["until"] - until) < 1
    assert device.code("dave") == ACCEPTED

    installation.stop()
    file = installation.places.primary_only_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o666)
    installation.start()
    assert device.code("dave") == REJECTED
    assert "Logins need both factors: " in installation.log


def test_what_the_service_has_forgotten_stands_in_its_log(installation: Installation, device: Device) -> None:
    """After a restart, and when it does not run."""
    assert device.code("dave") == REJECTED
    [before] = installation.tool("duoproxy-explain", "--user", "dave", "--json").json()["logins"]
    installation.stop()
    stopped = installation.tool("authproxyctl", "status")
    assert (stopped.code, stopped.output.startswith("The service is not running")) == (3, True)
    assert not installation.places.control_socket.exists()
    [after] = installation.tool("duoproxy-explain", before["login_id"], "--json").json()["logins"]
    same = ("login_id", "user", "device", "section", "cause", "result", "factor", "detail", "duration_s", "primary_s")
    assert [after[key] for key in same] == [before[key] for key in same]
    installation.start()
    assert installation.tool("duoproxy-explain", before["login_id"]).code == 0


def test_crash_would_write_no_memory(installation: Installation) -> None:
    """Secrets are in the memory of the process: its limit of core dumps is 0, until somebody raises it."""
    assert installation.server is not None
    assert resource.prlimit(installation.server.pid, resource.RLIMIT_CORE)[0] == 0


@needs_root
def test_nobody_else_may_ask(installation: Installation) -> None:
    """By the mode of the socket; and when that is opened, by what the kernel says of who asks."""
    path = installation.places.control_socket
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if not can_run_as(NOBODY):
        pytest.skip("user nobody cannot read this Python")
    for tool, arguments in (
        ("authproxyctl", ("status",)),
        ("authproxy_primary_only", ("start",)),
    ):
        refused = installation.tool(tool, *arguments, uid=NOBODY)
        assert refused.code == 4, refused.output
        assert "try again with sudo" in refused.output
    path.chmod(0o777)
    try:
        refused = installation.tool("authproxy_primary_only", "start", uid=NOBODY)
    finally:
        path.chmod(0o600)
    assert refused.code == 4, refused.output
    wait_until(lambda: f"user id {NOBODY} was refused" in installation.log, "the line about a stranger")
    assert installation.tool("authproxy_primary_only", "status", "--json").json()["active"] is False


def test_a_process_that_was_killed_leaves_nothing_in_the_way(installation: Installation) -> None:
    """Its socket is replaced by the next start."""
    assert installation.server is not None
    os.kill(installation.server.pid, 9)
    installation.stop()
    assert installation.places.control_socket.exists()
    assert installation.tool("authproxyctl", "status").code == 3
    installation.start()
    assert installation.tool("authproxyctl", "status").code == 0


def test_no_secret_can_be_read_through_the_channel(installation: Installation, device: Device) -> None:
    """Neither the keys of the configuration nor what users typed, in no usual spelling."""
    for user, typed in (("alice", f"{PASSWORD},push"), ("carol", f"{PASSWORD},{CODE}"), ("dave", "hunter2-wrong")):
        device.code(user, typed)
    device.code("carol", CODE, DUO_ONLY)
    told = installation.tool("authproxyctl", "status", "--json").output
    told += installation.tool("duoproxy-explain", "--last", "100", "--json").output
    told += installation.tool("duoproxy-explain", "--last", "100").output
    found = [
        (secret, spelling)
        for secret in (SKEY, RADIUS_SECRET, PASSWORD, CODE, "hunter2-wrong")
        for spelling in (
            secret,
            base64.b64encode(secret.encode()).decode().rstrip("="),
            secret.encode().hex(),
            urllib.parse.quote(secret),
        )
        if spelling in told
    ]
    assert found == []
    assert "dave" in told


def test_a_tool_that_sends_nothing_and_one_that_sends_nonsense(installation: Installation) -> None:
    """Others are served meanwhile."""
    path = str(installation.places.control_socket)
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as loud:
        silent.connect(path)
        loud.connect(path)
        loud.settimeout(20)
        loud.sendall(b"\x00" * 100_000)
        answer = loud.recv(65_536)
        assert b"A request has at most" in answer
        assert installation.tool("authproxyctl", "status").code == 0
