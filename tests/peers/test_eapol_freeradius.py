"""eapol_test with a real FreeRADIUS: before the proxy as a NAS that proxies, behind it as who checks passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from duoproxy.tools.make_cert import MadeFiles
from tests.peers import peer
from tests.peers.eap_lab import SERVER_NAME, explained, make_certificates, running_eap_lab
from tests.peers.eapol import TLS_1_2_ONLY, TLS_1_3_ONLY, EapolTest
from tests.peers.freeradius import SECRET, User, running_freeradius
from tests.peers.lab import Lab
from tests.peers.ports import free_port, free_ports
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET
from tests.peers.server import RunningServer, output_matches, start_server

pytestmark = pytest.mark.needs_peer("eapol_test", "freeradius")

GRANTED = (
    'Reply-Message = "Welcome"',
    "Class = 0x636c617373",
    "Session-Timeout = 3600",
    "User-Name = another",
    'Tunnel-Password:1 = "of the tunnel"',
    "MS-MPPE-Send-Key = 0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f",
    "MS-MPPE-Recv-Key = 0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f",
)
NAMED = "Class, Calling-Station-Id"
LISTENERS: Mapping[str, Mapping[str, object]] = {
    "nothing": {},
    "named": {"pass_through_attr_names": NAMED},
    "all": {"pass_through_all": "true"},
    "named by the client": {"client": "radius_client2"},
    "users": {"client": "sandbox_users"},
}
BEHAVIOURS = {"alice": "push approve-after 0", "ivan": "push approve-after 7", "dave": "push deny-after 0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eap-freeradius")


@pytest.fixture(scope="module")
def certificates(folder: Path) -> Mapping[str, MadeFiles]:
    return make_certificates(folder / "certificates")


@pytest.fixture(scope="module")
def upstream(folder: Path) -> Iterator[tuple[int, RunningServer]]:
    """A FreeRADIUS that checks passwords, and its port."""
    path, port = peer.peer("freeradius").path(), free_port()
    assert path is not None
    users = {"alice": User(PASSWORD, GRANTED), "dave": User(PASSWORD, GRANTED)}
    with running_freeradius(path, port, users, folder=folder / "upstream") as server:
        yield port, server


@pytest.fixture(scope="module")
def lab(folder: Path, certificates: Mapping[str, MadeFiles], upstream: tuple[int, RunningServer]) -> Iterator[Lab]:
    client = {"host": "127.0.0.1", "port": upstream[0], "secret": SECRET, "retries": 1, "retry_wait": 5}
    listeners = {label: {"client": "radius_client", **options} for label, options in LISTENERS.items()}
    more: dict[str, dict[str, object]] = {
        "radius_client": client,
        "radius_client2": {**client, "pass_through_attr_names": NAMED},
        "sandbox_users": {f"user_{number}": f"{name}:{PASSWORD}" for number, name in enumerate(BEHAVIOURS, start=1)},
    }
    with running_eap_lab(folder / "proxy", listeners, certificates, BEHAVIOURS, more) as running:
        yield running


PROXYING = """prefix = /usr
localstatedir = {folder}
confdir = {folder}
run_dir = {folder}
logdir = {folder}
libdir = {libraries}
cleanup_delay = 5
proxy_requests = yes
security {{
	reject_delay = 0
	status_server = no
}}
proxy server {{
}}
home_server ours {{
	type = auth
	ipaddr = 127.0.0.1
	port = {there}
	secret = {secret}
	response_window = 30
	status_check = none
}}
home_server_pool ours {{
	home_server = ours
}}
realm ours {{
	auth_pool = ours
	nostrip
}}
client loopback {{
	ipaddr = 127.0.0.1
	secret = {secret}
	require_message_authenticator = no
}}
modules {{
}}
server default {{
listen {{
	type = auth
	ipaddr = 127.0.0.1
	port = {port}
}}
authorize {{
	update control {{
		Proxy-To-Realm := "ours"
	}}
}}
}}
"""


@pytest.fixture(scope="module")
def nas(folder: Path, lab: Lab) -> Iterator[str]:
    """A FreeRADIUS that hands everything on to the proxy: its address."""
    path, [port] = peer.peer("freeradius").path(), free_ports(1)
    assert path is not None
    place = folder / "nas"
    place.mkdir()
    (place / "dictionary").write_text("", "ascii")
    there = lab.addresses["users"].rpartition(":")[2]
    patterns = ("usr/lib/freeradius", "usr/lib64/freeradius", "usr/lib/*/freeradius")
    libraries = ":".join(str(found) for pattern in patterns for found in Path("/").glob(pattern))
    text = PROXYING.format(folder=place, libraries=libraries, there=there, secret=RADIUS_SECRET, port=port)
    (place / "radiusd.conf").write_text(text, "ascii")
    command = [path, "-X", "-d", str(place), "-n", "radiusd"]
    server = start_server("nas", command, folder=place, ready=output_matches("^Ready to process requests"))
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture
def supplicant(folder: Path, lab: Lab) -> EapolTest:
    path = peer.peer("eapol_test").path()
    assert path is not None
    lab.controls.reset()
    return EapolTest(path, folder)


def network(certificates: Mapping[str, MadeFiles], user: str = "alice", **more: object) -> dict[str, object]:
    known = {"identity": user, "ca_cert": str(certificates["ECDSA"].certificate), "domain_match": SERVER_NAME}
    return {**known, "password": PASSWORD, **more}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("tls", [TLS_1_2_ONLY, TLS_1_3_ONLY], ids=["TLS 1.2", "TLS 1.3"])
def test_a_login_goes_through_a_proxy_on_the_way(
    lab: Lab, nas: str, supplicant: EapolTest, certificates: Mapping[str, MadeFiles], version: int, tls: str
) -> None:
    """Proxy-State comes back, keys are hidden for the hop, and are equal at the end."""
    outcome = supplicant.run(nas, network(certificates, phase1=f"peapver={version} {tls}", fragment_size=500))
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("alice") == {"push": 1}


def test_a_slow_push_through_a_proxy_is_one_push(
    lab: Lab, nas: str, supplicant: EapolTest, certificates: Mapping[str, MadeFiles]
) -> None:
    """The device repeats its request after 3 s, and again; the login is joined."""
    outcome = supplicant.run(nas, network(certificates, "ivan"))
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("ivan") == {"push": 1}


def test_a_slow_push_is_one_push(lab: Lab, supplicant: EapolTest, certificates: Mapping[str, MadeFiles]) -> None:
    """The same without a proxy on the way."""
    outcome = supplicant.run(lab.addresses["users"], network(certificates, "ivan"))
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("ivan") == {"push": 1}


def test_a_refusal_goes_through_a_proxy_on_the_way(
    lab: Lab, nas: str, supplicant: EapolTest, certificates: Mapping[str, MadeFiles]
) -> None:
    """Protected failure, then EAP-Failure."""
    outcome = supplicant.run(nas, network(certificates, "dave"))
    assert outcome.refused, explained(lab, outcome)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("label", "passed"), [("nothing", False), ("named", True), ("all", True), ("named by the client", True)]
)
def test_attributes_pass_through_in_both_directions(
    lab: Lab,
    upstream: tuple[int, RunningServer],
    supplicant: EapolTest,
    certificates: Mapping[str, MadeFiles],
    label: str,
    passed: bool,
    version: int,
) -> None:
    """What this section or the client section names goes upstream, and comes back; what EAP says itself never does."""
    begin = len(upstream[1].output())
    outcome = supplicant.run(lab.addresses[label], network(certificates, phase1=f"peapver={version}"))
    assert outcome.let_in, explained(lab, outcome)
    arrived = upstream[1].output()[begin:]
    assert 'User-Name = "alice"' in arrived
    assert ('Calling-Station-Id = "02-00-00-00-00-01"' in arrived) is passed
    for never in ("EAP-Message", "EAP-Key-Name", "State = 0x"):
        assert never not in arrived
    granted = outcome.last_reply()
    assert ("Attribute 25 (Class)" in granted) is passed
    assert re.findall(r"\(User-Name\) length=\d+\s+Value: '(.*)'", granted) == ["alice"]
    assert "(Reply-Message)" not in outcome.output
    assert granted.count("Value: 00000137") + granted.count("Microsoft") == 2


def test_a_password_that_the_upstream_refuses_is_an_eap_failure(
    lab: Lab, supplicant: EapolTest, certificates: Mapping[str, MadeFiles]
) -> None:
    """Nothing of its Reject stands beside the EAP-Failure."""
    outcome = supplicant.run(lab.addresses["all"], network(certificates, password="wrong"))
    assert outcome.refused, explained(lab, outcome)
    numbers = re.findall(r"Attribute (\d+) ", outcome.last_reply())
    assert set(numbers) == {"79", "80"}
