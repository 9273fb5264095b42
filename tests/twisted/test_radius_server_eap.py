"""[radius_server_eap] as the service makes it: what it reads when, and that a stop leaves nothing behind."""

from __future__ import annotations

import datetime
import json
import socket
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from duoproxy.config.validate import load_configuration
from duoproxy.errors import ListenError
from duoproxy.sections.duo_only_client import DuoOnlyClient
from duoproxy.sections.radius_server_eap import FACTOR_PROMPT, PASSWORD_PROMPT, RadiusServerEap
from duoproxy.sections.registry import load_registry
from duoproxy.service.log_text import format_line
from duoproxy.testing import make_environment
from duoproxy.tools.make_cert import make_certificate

TEXT = """[duo_only_client]
[radius_server_eap]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-1.example
radius_ip_1=192.0.2.1
radius_secret_1=a long shared secret
certs=radius.example.com.pem
pkey=radius.example.com.key
interface=127.0.0.1
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RadiusServerEapTests(SynchronousTestCase):
    """The section by itself."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        make_certificate("radius.example.com", self.folder, datetime.datetime.now(datetime.UTC), days=90, use_rsa=False)
        self.port = free_port()
        self.reactor = MemoryReactorClock()

    def section(self, *, checks_passwords: bool = False) -> RadiusServerEap:
        path = self.folder / "authproxy.cfg"
        path.write_text(f"{TEXT}port={self.port}\n", "utf-8")
        path.chmod(0o600)
        loaded = load_configuration(path, load_registry([]).catalogue)
        environment = make_environment("radius_server_eap", reactor=self.reactor)
        client = DuoOnlyClient(loaded.clients[0].settings, make_environment("duo_only_client"))
        if checks_passwords:
            client.checks_passwords = True  # type: ignore[misc]
        return RadiusServerEap(loaded.servers[0].settings, environment, client)

    def test_a_key_that_vanished_since_the_check_is_told_before_the_port_is_taken(self) -> None:
        """Key and port are taken together, while the process has its rights."""
        section = self.section()
        (self.folder / "radius.example.com.key").unlink()
        with self.assertRaisesRegex(ListenError, r"^pkey: .*radius\.example\.com\.key cannot be read \(No such file"):
            section.bind()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", self.port))

    def test_status_before_and_after_the_start(self) -> None:
        """Listener, open conversations, days left on the certificate, the way to Duo."""
        section = self.section()
        self.assertNotIn("duo", section.status())
        section.bind()
        self.successResultOf(Deferred.fromCoroutine(section.start()))
        told = section.status()
        self.assertEqual(told["listeners"], [{"protocol": "udp", "address": "127.0.0.1", "port": self.port}])
        self.assertEqual((told["pending"], told["waiting"], told["certificate_days"]), (0, 0, 89))
        self.assertEqual(told["weakened"], ["failmode=safe: while Duo cannot be reached, a password is enough"])
        json.dumps(told)
        self.successResultOf(Deferred.fromCoroutine(section.stop()))

    def test_status_names_each_device_that_gives_up_once(self) -> None:
        """With its tries where it repeats them; others are known by what became of their conversations."""
        section = self.section()
        section.bind()
        self.assertEqual(section.status()["early_devices"], [])
        self.successResultOf(Deferred.fromCoroutine(section.start()))
        assert section._eap is not None
        conversations = section._eap._log.waiting._early
        conversations.note("10.0.0.1", 31.0, 0.0, 0.0)
        conversations.note("10.0.0.2", 12.0, 0.0, 0.0)
        section._server._early.note("10.0.0.1", 9.4, 2.0, 0.0)
        self.assertEqual(
            section.status()["early_devices"],
            [
                {"device": "10.0.0.1", "silent_s": 9.4, "interval_s": 2.0},
                {"device": "10.0.0.2", "silent_s": 12.0, "interval_s": 0.0},
            ],
        )
        self.successResultOf(Deferred.fromCoroutine(section.stop()))

    def test_a_start_tells_how_long_the_certificate_lasts_and_a_stop_leaves_nothing(self) -> None:
        """No timer, no reader, and the port is free again."""
        section = self.section()
        section.bind()
        with capturedLogs() as events:
            self.successResultOf(Deferred.fromCoroutine(section.start()))
        lines = [format_line(event) for event in events]
        self.assertTrue(any("is valid for 89 more days." in line for line in lines), lines)
        self.successResultOf(Deferred.fromCoroutine(section.stop()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.getReaders(), [])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", self.port))

    def test_the_first_question_is_for_what_is_checked(self) -> None:
        """A password, or the factor where the client section checks none."""
        for checks, prompt in ((True, PASSWORD_PROMPT), (False, FACTOR_PROMPT)):
            section = self.section(checks_passwords=checks)
            section.bind()
            assert section._peap is not None
            self.assertEqual(section._peap.first_prompt, prompt)
            self.successResultOf(Deferred.fromCoroutine(section.stop()))
