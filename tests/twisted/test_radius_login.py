"""The shell round one RADIUS login: what is read from a request, and what the reply and the log say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.duoapi.messages import AuthAnswer
from duoproxy.errors import PrimaryUnreachable
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.policy import LoginPolicy
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_messages import ReceivedRequest, Reply
from duoproxy.radius.attributes import AttributeId, Type, all_values, first
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.hiding import decrypt_salted, encrypt_salted, hide_password
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.radius.relay import PassThrough
from duoproxy.secret import Secret
from duoproxy.sections.login_shell import LoginShellSettings
from duoproxy.sections.radius_login import RadiusLogins
from duoproxy.service.log_text import format_line
from duoproxy.testing import FakePrimary, FakeSecondFactor, make_environment, run_now

SECRET = b"device secret"
UPSTREAM_SECRET = b"upstream secret"
AUTHENTICATOR = bytes(range(16))
MS_MPPE_SEND_KEY = AttributeId(311, 16)
PASSWORD = "correct horse"


def _received(*attributes: Attribute, authenticator: bytes = AUTHENTICATOR) -> ReceivedRequest:
    packet = Packet(Code.ACCESS_REQUEST, 7, authenticator, attributes)
    return ReceivedRequest(packet, "192.0.2.1", 1645, Secret(SECRET), MessageAuthenticator.ABSENT, 0.0, "192.0.2.9")


def _user(name: str | bytes = "alice") -> Attribute:
    return (Type.USER_NAME, name.encode() if isinstance(name, str) else name)


def _password(password: str | bytes = PASSWORD) -> Attribute:
    octets = password.encode() if isinstance(password, str) else password
    return (Type.USER_PASSWORD, hide_password(octets, SECRET, AUTHENTICATOR))


class RadiusLoginTests(SynchronousTestCase):
    """One request in, one reply out."""

    def setUp(self) -> None:
        """Begin with both factors good."""
        self.clock = Clock()
        self.events: list[Mapping[str, object]] = []
        self.primary: Any = FakePrimary(PASSWORD)
        self.duo = FakeSecondFactor()

    def _logins(self, **changed: Any) -> RadiusLogins:
        settings: dict[str, Any] = {
            "policy": LoginPolicy(),
            "pass_through": PassThrough(),
            "client_ip_attr": AttributeId(0, Type.CALLING_STATION_ID),
            "pw_codec": "utf-8",
            "ikey": "DIXXXXXXXXXXXXXXXXXX",
            "client_section": "radius_client",
        }
        environment = make_environment("radius_server_auto", reactor=self.clock, auth_event=self.events.append)
        return RadiusLogins(LoginShellSettings(**{**settings, **changed}), environment, self.primary, self.duo)

    def _answer(self, *attributes: Attribute, **changed: Any) -> tuple[Reply | None, str]:
        with capturedLogs() as events:
            reply = run_now(self._logins(**changed).handle(_received(*attributes)))
        return reply, "".join(format_line(event) for event in events)

    def _code(self, *attributes: Attribute, **changed: Any) -> int | None:
        reply, _ = self._answer(*attributes, **changed)
        return None if reply is None else int(reply.code)

    def test_a_login_is_one_line_with_everything_that_is_asked_about_it(self) -> None:
        """User, device, section, factor, result, duration, login id."""
        reply, log = self._answer(_user(), _password())
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_ACCEPT)
        self.assertEqual(reply.attributes_for(_received()), [(Type.REPLY_MESSAGE, b"Success. Logging you in...")])
        [line] = [line for line in log.splitlines() if "result=" in line]
        for part in (
            "user='alice'",
            "device=192.0.2.1",
            "section=radius_server_auto",
            "factor=push",
            "result=accept",
            "duration=0.000s",
        ):
            self.assertIn(part, line)
        login_ids = {event["login_id"] for event in self.events}
        self.assertEqual(len(login_ids), 1)
        self.assertIn(f"Login {login_ids.pop()}: ", line)

    def test_events_have_the_documented_fields_for_both_stages(self) -> None:
        """Two events for a successful login."""
        self._answer(_user(), _password(), (Type.CALLING_STATION_ID, b"198.51.100.7"))
        stages = [(event["auth_stage"], event["status"]) for event in self.events]
        self.assertEqual(stages, [("Primary authentication", "Allow"), ("Secondary authentication", "Allow")])
        for event in self.events:
            self.assertEqual(event["client_ip"], "198.51.100.7")
            self.assertEqual(event["client_section"], "radius_client")
            self.assertEqual(event["server_section_ikey"], "DIXXXXXXXXXXXXXXXXXX")

    def test_a_name_with_hidden_characters_is_rejected_before_anybody_is_asked(self) -> None:
        """What the password check passes over makes a stranger of the user for Duo, whom a policy may let in."""
        hidden = ("alice\0", "al\u00adice", "alice\u200b", "alice\n", "\ufeffalice")
        marks_and_letters = ("alice\ufe0f", "al\u034fice", "alice\u3164", "\U000e0100alice", "alice\uffa0")
        for name in (*hidden, *marks_and_letters):
            _, log = self._answer(_user(name), _password())
            self.assertIn(
                f"the User-Name {name!a} has characters that cannot be seen. Check what the device sends.", log
            )
            self.assertEqual(self._code(_user(name), _password()), Code.ACCESS_REJECT)
        self.assertEqual((self.primary.tried, self.duo.preauths), ([], []))

    def test_a_fault_of_ours_is_a_reject_and_a_line_with_the_login_id(self) -> None:
        """Anything unexpected ends in a reject, logged with its login id; the user is told that it is our fault."""
        self.primary = FakePrimary(PASSWORD, fault=ZeroDivisionError("never shown to users"))
        reply, log = self._answer(_user(), _password())
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        [(number, text)] = reply.attributes_for(_received())
        self.assertEqual(number, Type.REPLY_MESSAGE)
        self.assertEqual(text, b"The login failed by an internal error. Please tell your administrator.")
        [end] = [line for line in log.splitlines() if "result=" in line]
        login_id = end.partition("Login ")[2].partition(":")[0]
        self.assertIn("result=reject cause=fault", end)
        self.assertIn(f"Login {login_id}: a fault in duoproxy itself.", log)
        self.assertIn("ZeroDivisionError", log)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_login_that_is_cancelled_is_no_fault(self) -> None:
        """When the service stops, a login in progress gets no answer."""
        self.primary = FakePrimary(PASSWORD, fault=CancelledError())
        with self.assertRaises(CancelledError):
            self._answer(_user(), _password())

    def test_a_user_name_cannot_forge_a_line_or_a_field(self) -> None:
        """The name stands in quotes, and what is not printable is escaped."""
        _, log = self._answer(_user("x' result=accept user='root"), _password("wrong"))
        self.assertEqual(log.count("\n"), 2)
        self.assertIn("""user="x' result=accept user='root" """, log)
        _, log = self._answer(_user("x' result=accept\nLogin 0: user='root"), _password("wrong"))
        self.assertEqual(log.count("\n"), 1)
        self.assertIn(r"""rejected, the User-Name "x' result=accept\nLogin 0: user='root" has""", log)

    def test_the_password_is_nowhere_in_the_log(self) -> None:
        """Neither a right one nor a wrong one."""
        for password in (PASSWORD, "wrong but secret"):
            _, log = self._answer(_user(), _password(password))
            self.assertNotIn(password, log)

    def test_chap_and_ms_chap_are_rejected_with_a_sentence(self) -> None:
        """Only PAP is supported: the log says what came and what to set."""
        for attribute, name in (
            ((Type.CHAP_PASSWORD, bytes(17)), "a CHAP-Password"),
            ((Type.VENDOR_SPECIFIC, bytes.fromhex("00000137") + b"\x19\x34" + bytes(50)), "an MS-CHAP2-Response"),
        ):
            reply, log = self._answer(_user(), attribute)
            assert reply is not None
            self.assertEqual(reply.code, Code.ACCESS_REJECT)
            self.assertIn(
                f"rejected, it carries {name}. Only the PAP with a shared secret format is supported: set the device "
                f"to "
                "PAP.",
                log,
            )
        self.assertEqual(self.primary.tried, [])

    def test_two_kinds_of_credentials_are_rejected(self) -> None:
        """A request that could be read in two ways is read in none."""
        self.assertEqual(self._code(_user(), _password(), (Type.CHAP_PASSWORD, bytes(17))), Code.ACCESS_REJECT)
        self.assertEqual(self._code(_user(), _password(), _password()), Code.ACCESS_REJECT)
        self.assertEqual(self._code(_user(), _user("bob"), _password()), Code.ACCESS_REJECT)
        self.assertEqual(self.primary.tried, [])

    def test_a_request_without_a_name_is_rejected(self) -> None:
        """No User-Name."""
        self.assertEqual(self._code(_password()), Code.ACCESS_REJECT)

    def test_pw_codec_decodes_the_password(self) -> None:
        """Latin-1 devices, with pw_codec=latin-1."""
        self.primary = FakePrimary("pässword")
        self.assertEqual(self._code(_user(), _password("pässword".encode("latin-1")), pw_codec="latin-1"), 2)

    def test_octets_that_are_not_in_the_codec_reject_with_a_remedy(self) -> None:
        """Undecodable bytes reject with a log line, and nothing is dropped from them."""
        reply, log = self._answer(_user(), _password(b"p\xe4ss"))
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertIn("Set pw_codec of [radius_server_auto] to the encoding that the device sends", log)
        self.assertEqual(self.primary.tried, [])

    def test_the_end_users_address_reaches_duo_only_if_it_is_one(self) -> None:
        """A MAC address is left out, and that is said once for each device."""
        logins = self._logins()
        with capturedLogs() as events:
            for station in (b"198.51.100.7[4500]", b"00-11-22-33-44-55", b"00-11-22-33-44-55"):
                run_now(logins.handle(_received(_user(), _password(), (Type.CALLING_STATION_ID, station))))
        self.assertEqual([client_ip for _, client_ip in self.duo.preauths], ["198.51.100.7", None, None])
        log = "".join(format_line(event) for event in events)
        self.assertEqual(log.count("sends no address in Calling-Station-Id, so Duo is told none."), 1)

    def test_an_unreachable_primary_is_silence(self) -> None:
        """The device fails over."""
        self.primary.fault = PrimaryUnreachable("RADIUS server 10.0.0.5", "no answer")
        self.assertIsNone(self._code(_user(), _password()))

    def test_a_bypass_is_a_warning_with_its_reason(self) -> None:
        """Every login without a second factor can be found."""
        policy = LoginPolicy(exempt_usernames=frozenset({"alice"}))
        _, log = self._answer(_user(), _password(), policy=policy)
        self.assertIn("#warn] Login", log)
        self.assertIn("cause=exempt-user", log)
        self.assertEqual(self.events[-1]["bypass_reason"], "exempt-user")

    def _upstream(self, code: Code, *attributes: Attribute) -> UpstreamReply:
        return UpstreamReply(Packet(code, 1, bytes(16), attributes), bytes(16), Secret(UPSTREAM_SECRET), "10.0.0.5")

    def test_hidden_values_fit_the_request_that_is_answered(self) -> None:
        """A retry that joined has another Request Authenticator: keys are hidden for that one."""
        hidden = encrypt_salted(b"k" * 32, UPSTREAM_SECRET, bytes(16), b"\x80\x01")
        inner = bytes([16, 2 + len(hidden)]) + hidden
        upstream = self._upstream(Code.ACCESS_ACCEPT, (Type.VENDOR_SPECIFIC, bytes.fromhex("00000137") + inner))
        self.primary = FakePrimary("another", refused=PrimaryOutcome(True, wire=upstream))
        reply, _ = self._answer(_user(), _password(), pass_through=PassThrough(everything=True))
        assert reply is not None
        newest = _received(authenticator=b"N" * 16)
        value = first(reply.attributes_for(newest), MS_MPPE_SEND_KEY)
        assert value is not None
        self.assertEqual(decrypt_salted(value, SECRET, b"N" * 16), b"k" * 32)

    def test_what_the_primary_sent_stays_behind_when_duo_refuses(self) -> None:
        """A login that Duo refuses carries no key, no Class, nothing of the upstream's Accept."""
        upstream = self._upstream(
            Code.ACCESS_ACCEPT, (Type.CLASS, b"admins"), (Type.REPLY_MESSAGE, b"Welcome"), (Type.FRAMED_MTU, bytes(4))
        )
        self.primary = FakePrimary("another", refused=PrimaryOutcome(True, wire=upstream))
        self.duo.auth_answer = AuthAnswer(False, "deny", "Login request denied.")
        reply, _ = self._answer(_user(), _password(), pass_through=PassThrough(everything=True))
        assert reply is not None
        self.assertEqual(reply.code, Code.ACCESS_REJECT)
        self.assertEqual(reply.attributes_for(_received()), [(Type.REPLY_MESSAGE, b"Login request denied.")])

    def test_a_refusal_of_the_primary_passes_its_words_through(self) -> None:
        """The upstream's Reply-Message reaches the user when pass-through names it."""
        upstream = self._upstream(Code.ACCESS_REJECT, (Type.REPLY_MESSAGE, b"Password expired"), (Type.CLASS, b"x"))
        self.primary = FakePrimary("another", refused=PrimaryOutcome(False, "refused", wire=upstream))
        for everything, texts in ((True, [b"Password expired"]), (False, [])):
            reply, _ = self._answer(_user(), _password(), pass_through=PassThrough(everything=everything))
            assert reply is not None
            attributes = reply.attributes_for(_received())
            self.assertEqual(all_values(attributes, Type.REPLY_MESSAGE), texts)
            self.assertEqual(all_values(attributes, Type.CLASS), [])
