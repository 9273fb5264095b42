"""What users read: the whole output of each tool, letter by letter, with its columns and empty lines.

What is not here stands in files of its own: the connectivity report (test_connectivity_report.py), problems of a file
(test_authproxyctl.py and the tests of config/), start and stop (test_service_control.py), encrypting (test_passwd.py).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from duoproxy.radius.attributes import Type
from duoproxy.radius.packet import Code
from duoproxy.tools import primary_only, update_sso_enrollment_code
from duoproxy.tools.explain import login_text
from duoproxy.tools.status import status_text
from tests.unit.tools import test_login
from tests.unit.tools.test_explain import LOGIN
from tests.unit.tools.test_primary_only import OFF, ON
from tests.unit.tools.test_status import TOLD


@pytest.fixture(autouse=True)
def in_london(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Moments are told in local time."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_status() -> None:
    """The head, what is to do, then a block for each section."""
    assert (
        status_text(TOLD)
        == """\
duoproxy 0.1.0 is running: process 4711, for 3 days 4 hours (since 1970-01-01 00:00:00).
Configuration: /opt/duoauthproxy/conf/authproxy.cfg
Pending logins: 2

To do:
  ! [ad_client]: no answer from dc2.corp.example:636.
  ! [radius_server_eap]: Duo does not answer: no connection in 10 s.
  ! [radius_server_eap]: its certificate ends in 12 days: renew it, and restart the proxy.
  ! [radius_server_eap]: device 10.1.2.20 asks every 2 s, and gave up 9.4 s before the answer: \
set its time-out to 60 s or more.

[ad_client]
  server                    dc1.corp.example:636: well
  server                    dc2.corp.example:636: no answer, rests 42 s more

[radius_server_eap]
  listens on                UDP port 1812, all addresses
  pending logins            2; 1 conversation open
  Duo                       api-1.example (API v2): DOES NOT ANSWER, last answer 2 minutes 5 seconds ago
  certificate               12 days left
  dropped since the start   7 wrong shared secret
  note                      failmode=safe: while Duo cannot be reached, a password is enough

[sandbox_duo]
  state                     nothing to tell
"""
    )


@pytest.mark.parametrize(
    ("days", "to_do", "row"),
    [
        (31, None, "31 days left"),
        (30, "its certificate ends in 30 days: renew it, and restart the proxy.", "30 days left"),
        (1, "its certificate ends in 1 day: renew it, and restart the proxy.", "1 day left"),
        (0, "its certificate ends within a day: renew it, and restart the proxy.", "0 days left"),
        (-1, "its certificate has expired: renew it, and restart the proxy.", "EXPIRED"),
    ],
)
def test_days_left_on_a_certificate(days: int, to_do: str | None, row: str) -> None:
    """Something to do from 30 days on."""
    section = {"kind": "radius_server_eap", "role": "server", "certificate_days": days}
    said = status_text({**TOLD, "sections": {"radius_server_eap": section}})
    assert f"  certificate               {row}\n" in said
    assert (f"  ! [radius_server_eap]: {to_do}\n" in said) == (to_do is not None)
    assert ("To do:" in said) == (to_do is not None)


def test_explain() -> None:
    """The end, who and where, the steps with their time, what it means and what to do."""
    assert (
        login_text(LOGIN)
        == """\
Login 91c5100739: bob was rejected (factor-refused) after 12.300 s
  1970-01-01 00:00:00, device 10.1.2.20, section [radius_server_auto], factor push, password 0.004 s, \
second factor 12.200 s

        0.000 s  'bob' asks from 10.1.2.20.
  !    12.300 s  The device had given up.

  What happened: The second factor was not proven: the push was denied or not answered, or the passcode was wrong.
  In detail:     Duo says deny
  What to do:    Ask the user. A push that the user did not cause means that somebody else knows the password: \
change it.
"""
    )


PRIMARY_ONLY = {
    "start": (
        ON,
        "Logins are PRIMARY-ONLY for 1 hour 30 minutes more, until 1970-01-01 01:30:00, as user id 0 asked: a password "
        "is enough, and Duo is not asked. Each such login is logged with cause=primary-only.\n",
    ),
    "stop": ({**OFF, "was_active": True}, "Logins need both factors again.\n"),
    "status": (OFF, "Logins need both factors.\n"),
}


@pytest.mark.parametrize("command", PRIMARY_ONLY)
def test_primary_only(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """What it means for logins, for how long, and who asked for it."""
    answer, said = PRIMARY_ONLY[command]
    monkeypatch.setattr(primary_only, "ask", lambda *_: answer)
    assert CliRunner().invoke(primary_only.main, [command]).output == said


REQUEST = """\
Access-Request for alice to 127.0.0.1:PORT (identifier 7)
            User-Name = "alice"
            User-Password = *****
            NAS-Identifier = "duoproxy-login"
            NAS-Port-Type = Virtual (5)
            Message-Authenticator = (made with the shared secret)
   0.000 s  sent (85 octets)
            waiting up to 5 s: a push or call may have to be answered …
"""
ACCEPTED = """\
   0.000 s  Access-Accept
            Message-Authenticator = 0xPROOF
            Reply-Message = "Success. Logging you in..."
            the user reads: Success. Logging you in...
The login was accepted.
Response Authenticator and Message-Authenticator fit: the reply comes from who knows the secret.
"""
REJECTED = """\
   0.000 s  Access-Reject
            Message-Authenticator = 0xPROOF
            Reply-Message = "Login request denied."
            the user reads: Login request denied.
The login was rejected. The reason stands in the log of the server.
Response Authenticator and Message-Authenticator fit: the reply comes from who knows the secret.
"""


@pytest.mark.parametrize(
    ("code", "text", "shown"),
    [
        (Code.ACCESS_ACCEPT, b"Success. Logging you in...", ACCEPTED),
        (Code.ACCESS_REJECT, b"Login request denied.", REJECTED),
    ],
)
def test_a_login_from_request_to_reply(code: Code, text: bytes, shown: str) -> None:
    """What was sent, what came back and when, and what that means."""
    varying = {
        r"(?m)^ +\d+\.\d{3} s ": "   0.000 s ",
        r"0x[0-9a-f]{32}": "0xPROOF",
        r"127\.0\.0\.1:\d+": "127.0.0.1:PORT",
        r"\(identifier \d+\)": "(identifier 7)",
    }
    said = test_login.run(lambda request: [test_login.reply(code, request, (Type.REPLY_MESSAGE, text))]).output
    for pattern, same in varying.items():
        said = re.sub(pattern, same, said)
    assert said == REQUEST + shown


def test_the_command_that_joins_nothing() -> None:
    """What it was, that nothing was changed, and where the code can be used."""
    said = CliRunner().invoke(update_sso_enrollment_code.main, ["CODE-1234"])
    assert said.exit_code == 3
    assert (
        said.output
        == """\
authproxy_update_sso_enrollment_code joined an authentication proxy to Duo Single Sign-On, whose section is [sso].
duoproxy has no [sso]: nothing was changed, and the code was neither used nor kept. A code that you got from the Duo
Admin Panel can be used once; use it with Duo's own Authentication Proxy, which may run beside duoproxy on another
machine. RADIUS and LDAP logins do not need it.
"""
    )
