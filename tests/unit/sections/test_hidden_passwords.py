"""A device that hides the password (CHAP, MS-CHAP, MS-CHAPv2), before each mode and each way to check a password."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from duoproxy.config.validate import Reach, load_configuration
from duoproxy.radius.attributes import Type, vendor_attribute
from duoproxy.radius.packet import Attribute, Code, Packet
from duoproxy.sections.radius_login_server import RadiusLoginServer
from duoproxy.sections.registry import load_registry
from duoproxy.service.log_text import format_line
from duoproxy.testing import FakeSecondFactor, make_environment, run_now
from tests.unit.sections.pap_section import AUTHENTICATOR, KEYS, received, text_of

CLIENTS = {
    "ad_client": "host=dc1.corp.example\nservice_account_username=svc\nservice_account_password=secret\n"
    "search_dn=DC=corp,DC=example\n",
    "duo_only_client": "",
    "sandbox_users": "",
    "radius_client": "host=192.0.2.9\nsecret=another long secret\n",
}
MODES = ("radius_server_auto", "radius_server_challenge", "radius_server_concat", "radius_server_duo_only")
CHALLENGE: Attribute = vendor_attribute(311, 11, b"c" * 16)
PROOFS: dict[str, list[Attribute]] = {
    "CHAP-Password": [(int(Type.CHAP_PASSWORD), b"\1" + b"p" * 16)],
    "MS-CHAP-Response": [vendor_attribute(311, 1, b"\1\1" + b"r" * 48), vendor_attribute(311, 11, b"c" * 8)],
    "MS-CHAP2-Response": [vendor_attribute(311, 25, b"\1\0" + b"r" * 48), CHALLENGE],
}
SAY_PAP = "The device hides the password (CHAP or MS-CHAP), which nobody here can check: it must be set to PAP."


def section(folder: Path, mode: str, client: str) -> tuple[Any, FakeSecondFactor]:
    """The logins of a section, with the real client section behind it; neither is started."""
    path = folder / "authproxy.cfg"
    loopback = "interface=127.0.0.1\n"
    path.write_text(f"[{client}]\n{CLIENTS[client]}[{mode}]\n{KEYS}{loopback}client={client}\n", "utf-8")
    path.chmod(0o600)
    registry = load_registry([])
    loaded = load_configuration(path, registry.catalogue, reach=Reach.NOTHING)
    [behind], [before] = loaded.clients, loaded.servers
    clock = Clock()
    checks = registry.classes[client](behind.settings, make_environment(client, reactor=clock))
    made = registry.classes[mode](before.settings, make_environment(mode, reactor=clock), checks)  # type: ignore[call-arg]
    assert isinstance(made, RadiusLoginServer)
    duo = FakeSecondFactor()
    return made._make_logins(duo), duo  # type: ignore[arg-type]


def ask(logins: Any, proof: str) -> tuple[Any, str]:
    packet = Packet(Code.ACCESS_REQUEST, 7, AUTHENTICATOR, ((int(Type.USER_NAME), b"alice"), *PROOFS[proof]))
    with capturedLogs() as events:
        reply = run_now(logins.handle(received(packet)))
    return reply, "".join(format_line(event) for event in events)


def can_be_checked(mode: str, client: str) -> bool:
    return (mode, client) == ("radius_server_auto", "radius_client")


@pytest.mark.parametrize(
    ("mode", "client"), [pair for pair in itertools.product(MODES, CLIENTS) if not can_be_checked(*pair)]
)
@pytest.mark.parametrize("proof", PROOFS)
def test_where_nobody_can_check_it_the_refusal_says_to_set_the_device_to_pap(
    tmp_path: Path, mode: str, client: str, proof: str
) -> None:
    """To the user and in the log, with what the device sent; with a directory, too. Duo is not asked."""
    logins, duo = section(tmp_path, mode, client)
    reply, log = ask(logins, proof)
    assert (reply.code, text_of(reply)) == (Code.ACCESS_REJECT, SAY_PAP)
    assert f"it carries an {proof}." in log or f"it carries a {proof}." in log
    assert "set the device to PAP" in log
    assert duo.preauths == []


def test_a_radius_server_behind_auto_can_check_it(tmp_path: Path) -> None:
    """The only pair: what becomes of it is told by the tests of relayed logins."""
    logins, _ = section(tmp_path, "radius_server_auto", "radius_client")
    assert logins._settings.takes_proofs
