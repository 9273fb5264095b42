"""A real client of MS-CHAPv2, which hangs up unless the server proves that it knows the password: PEAP ends at a
FreeRADIUS, which sends the MS-CHAPv2 inside on to the proxy, as VPN and Wi-Fi gateways do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import peer
from tests.peers.authority import Authority, KeyPair
from tests.peers.eapol import EapolTest, Outcome
from tests.peers.freeradius import SECRET, Rooms, running_freeradius
from tests.peers.ports import free_port
from tests.peers.relay_lab import PASSWORD, RelayLab, running_relay_lab
from tests.peers.sandbox import RADIUS_SECRET
from tests.peers.server import RunningServer

pytestmark = pytest.mark.needs_peer("eapol_test", "freeradius")

GATEWAY = """proxy server {{
}}
home_server duoproxy {{
	type = auth
	ipaddr = {host}
	port = {port}
	secret = {secret}
	response_window = 30
	status_check = none
}}
home_server_pool duoproxy {{
	type = fail-over
	home_server = duoproxy
}}
realm duoproxy {{
	auth_pool = duoproxy
	nostrip
}}
server inside {{
authorize {{
	update control {{
		&Proxy-To-Realm := "duoproxy"
	}}
	eap
}}
authenticate {{
{ms_chap}	eap
}}
post-proxy {{
	eap
}}
}}
"""
MS_CHAP = """	Auth-Type MS-CHAP {
		mschap
	}
"""
PEAP = """eap {{
	default_eap_type = peap
	tls-config ours {{
		private_key_file = {pair.key}
		certificate_file = {pair.certificate}
		tls_max_version = "1.2"
		tls_min_version = "1.2"
		cache {{
			enable = no
		}}
	}}
	peap {{
		tls = ours
		default_eap_type = mschapv2
		proxy_tunneled_request_as_eap = no
		virtual_server = inside
	}}
	mschapv2 {{
	}}
}}
mschap {{
}}
"""


@dataclass(frozen=True)
class Gateway:
    """What runs.

    Attributes:
        relay: the proxy and the FreeRADIUS behind it.
        server: the FreeRADIUS before it.
        address: its `host:port`.
        client: who logs in there.
        ca_file: whom that one trusts.
    """

    relay: RelayLab
    server: RunningServer
    address: str
    client: EapolTest
    ca_file: Path

    def login(self, user: str, password: str = PASSWORD) -> Outcome:
        network = {
            "identity": user,
            "password": password,
            "ca_cert": str(self.ca_file),
            "phase1": "peapver=0",
            "phase2": "auth=MSCHAPV2",
        }
        return self.client.run(self.address, network, secret=SECRET)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder, port = tmp_path_factory.mktemp("gateway"), free_port()
    program, client = peer.peer("freeradius").path(), peer.peer("eapol_test").path()
    assert program is not None
    assert client is not None
    authority = Authority(folder / "certificates", "Gateway CA")
    (folder / "relay").mkdir()
    with running_relay_lab(folder / "relay") as relay:
        rooms = _rooms(relay, authority.issue("gateway", ["gateway.example.test"]))
        with running_freeradius(program, port, {}, folder=folder / "front", rooms=rooms) as server:
            yield Gateway(relay, server, f"127.0.0.1:{port}", EapolTest(client, folder), authority.ca_file)


def _rooms(relay: RelayLab, pair: KeyPair) -> Rooms:
    host, _, port = relay.lab.addresses["all"].rpartition(":")
    return Rooms(
        modules=PEAP.format(pair=pair),
        authorize="eap",
        authenticate=f"{MS_CHAP}	eap",
        post_proxy="eap",
        proxying=GATEWAY.format(host=host, port=port, secret=RADIUS_SECRET, ms_chap=MS_CHAP),
    )


def test_the_client_is_convinced_once_duo_has_agreed(gateway: Gateway) -> None:
    """MS-CHAP2-Success comes through two hops, and the client has checked it."""
    outcome = gateway.login("User")
    assert outcome.let_in, outcome.output[-3000:]
    assert "EAP-MSCHAPV2: Authentication succeeded" in outcome.output
    assert gateway.relay.lab.controls.asked("user") == {"push": 1}


@pytest.mark.parametrize(("user", "password", "asked"), [("dave", PASSWORD, {"push": 1}), ("User", "wrong", {})])
def test_the_client_is_refused_by_duo_and_by_the_server(
    gateway: Gateway, user: str, password: str, asked: dict[str, int]
) -> None:
    """An end at once, no second try and no second push; the gateway was told in MS-CHAP-Error, by either."""
    gateway.relay.lab.controls.reset()
    before = len(gateway.server.output())
    outcome = gateway.login(user, password)
    assert outcome.refused, outcome.output[-3000:]
    retry = 0 if asked else 1  # FreeRADIUS allows one
    said = rf'MS-CHAP-Error = ".{{1,4}}E=691 R={retry} C=[0-9a-f]{{32}} V=3 M='
    gateway.server.wait(lambda: re.search(said, gateway.server.output()[before:]), "the MS-CHAP-Error")
    assert gateway.relay.lab.controls.asked(user.lower()) == asked
