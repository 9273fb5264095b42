"""What sections let the connectivity tool try, and what is said of it; what needs a server is tried with real ones."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import evolve

from duoproxy.net.radius_probe import Probed
from duoproxy.secret import Secret
from duoproxy.sections.certificate_checks import certificate_check
from duoproxy.sections.checks import Check, CheckFinding
from duoproxy.sections.duo_only_client import DuoOnlyClient
from duoproxy.sections.shared_options import SectionSettings
from duoproxy.sections.upstream_checks import AskedHost, probe_findings
from duoproxy.testing import make_environment, run_now
from duoproxy.tools.make_cert import make_certificate

HOST = AskedHost("2001:db8::5", 1812, Secret("x"), "secret_2")
NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)


def only_finding(check: Check) -> CheckFinding:
    async def ask() -> Sequence[CheckFinding]:
        return await check.run()

    [finding] = run_now(ask())
    return finding


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Probed.WELL, []),
        (
            Probed.ACCEPTS,
            [
                "RADIUS server [2001:db8::5]:1812 accepts a name that cannot exist with a random password. It checks "
                "no passwords, so that Duo is the only factor: let it check them."
            ],
        ),
        (
            Probed.OTHER_SECRET,
            [
                "RADIUS server [2001:db8::5]:1812 has another shared secret. Make secret_2 of [radius_client] equal to "
                "the secret that the server has for this machine."
            ],
        ),
        (
            Probed.REFUSED,
            ["RADIUS server [2001:db8::5]:1812: nothing listens there. Start the server, or correct host and port."],
        ),
        (
            Probed.SILENT,
            [
                "RADIUS server [2001:db8::5]:1812 gives no answer. Make this machine (2001:db8::1) one of its clients "
                "with the same secret as secret_2, and let UDP port 1812 through; the log of that server says which of "
                "these it is."
            ],
        ),
    ],
)
def test_each_end_of_a_probe_has_its_sentence(found: Probed, said: list[str]) -> None:
    """With the host as the file has it, and the option to change."""
    assert [str(one) for one in probe_findings(HOST, found, "2001:db8::1", "radius_client")] == said


def test_a_section_that_lists_nothing_has_nothing_to_be_tested() -> None:
    """The default of the contract."""
    assert DuoOnlyClient(SectionSettings(), make_environment("duo_only_client")).connectivity() == ()


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (90, "info: The certificate in certs of [radius_server_eap] is valid for 89 more days."),
        (30, "warn: The certificate in certs of [radius_server_eap] ends in 29 days. Renew it, and restart the proxy."),
    ],
)
def test_the_days_that_a_certificate_has_left_are_told(tmp_path: Path, days: int, said: str) -> None:
    """A warning from thirty days on."""
    made = make_certificate("radius.example.test", tmp_path, NOW, days=days, use_rsa=False)
    environment = evolve(make_environment("radius_server_eap"), wall_clock=lambda: NOW.timestamp() + 3600)
    finding = only_finding(certificate_check(made.certificate, made.key, environment))
    assert f"{finding.level.value}: {finding}" == said


def test_a_certificate_that_cannot_be_used_names_the_option_of_its_section(tmp_path: Path) -> None:
    """Sections call their options differently."""
    made = make_certificate("ldap.example.test", tmp_path, NOW, days=90, use_rsa=False)
    environment, names = make_environment("ldap_server_auto"), ("ssl_cert_path", "ssl_key_path")
    finding = only_finding(certificate_check(made.certificate, tmp_path / "none.key", environment, names))
    assert str(finding) == (
        f"Ssl_key_path: {tmp_path / 'none.key'} cannot be read (No such file or directory). Check its path and rights."
    )
