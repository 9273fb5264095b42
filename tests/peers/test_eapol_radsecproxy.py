"""eapol_test through two real radsecproxies (UDP, TLS, UDP): every hop makes a RADIUS packet of its own out of each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from duoproxy.tools.make_cert import MadeFiles
from tests.peers import peer
from tests.peers.eap_lab import SERVER_NAME, cause_of, explained, make_certificates, running_eap_lab
from tests.peers.eapol import TLS_1_2_ONLY, TLS_1_3_ONLY, EapolTest, Outcome
from tests.peers.lab import Lab
from tests.peers.radsecproxy import RETRY_INTERVAL_S, running_chain
from tests.peers.sandbox import PASSWORD, RADIUS_SECRET

pytestmark = pytest.mark.needs_peer("eapol_test", "radsecproxy")

SLOW_S = 7
SLOWER_S = 18
"""Longer than a radsecproxy has a request open to the next one."""
BEHAVIOURS = {
    "alice": "push approve-after 0",
    "carol": "push passcode 424242 approve-after 0",
    "dave": "push deny-after 0",
    "ivan": f"push approve-after {SLOW_S}",
    "judy": f"push approve-after {SLOWER_S}",
}
TLS = {"TLS 1.2": TLS_1_2_ONLY, "TLS 1.3": TLS_1_3_ONLY}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eap-radsecproxy")


@pytest.fixture(scope="module")
def certificates(folder: Path) -> Mapping[str, MadeFiles]:
    return make_certificates(folder / "certificates")


@pytest.fixture(scope="module")
def lab(folder: Path, certificates: Mapping[str, MadeFiles]) -> Iterator[Lab]:
    with running_eap_lab(folder / "proxy", {"ECDSA": {}}, certificates, BEHAVIOURS) as running:
        yield running


@pytest.fixture(scope="module")
def chain(folder: Path, lab: Lab) -> Iterator[str]:
    """The address of the first radsecproxy."""
    program = peer.peer("radsecproxy").path()
    assert program is not None
    place = folder / "chain"
    place.mkdir()
    with running_chain(program, place, lab.addresses["ECDSA"], RADIUS_SECRET) as address:
        yield address


class Supplicant:
    """Logs in through the chain."""

    def __init__(self, program: EapolTest, address: str, ca_file: Path) -> None:
        self._program = program
        self._address = address
        self._ca_file = ca_file

    def log_in(self, user: str, *options: str, answers: list[str] | None = None, **network: object) -> Outcome:
        """Log in; the stored password is right unless `network` or `answers` say otherwise."""
        known: dict[str, object] = {"identity": user, "ca_cert": str(self._ca_file), "domain_match": SERVER_NAME}
        if answers is None:
            known["password"] = PASSWORD
        return self._program.run(self._address, {**known, **network}, *options, answers=answers)


@pytest.fixture
def supplicant(folder: Path, lab: Lab, chain: str, certificates: Mapping[str, MadeFiles]) -> Supplicant:
    path = peer.peer("eapol_test").path()
    assert path is not None
    lab.controls.reset()
    return Supplicant(EapolTest(path, folder), chain, certificates["ECDSA"].certificate)


@pytest.mark.parametrize(("version", "tls", "fragment"), list(itertools.product((0, 1), TLS, (100, 1398))))
def test_a_login_goes_through_the_chain(
    lab: Lab, supplicant: Supplicant, version: int, tls: str, fragment: int
) -> None:
    """State, fragments and signatures survive; the keys are hidden anew by each hop, and equal at the end."""
    outcome = supplicant.log_in("alice", phase1=f"peapver={version} {TLS[tls]}", fragment_size=fragment)
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("alice") == {"push": 1}
    assert f"(PEAPv{version}, {tls.replace(' ', 'v')})" in lab.log()


def test_two_prompts_go_through_the_chain(lab: Lab, supplicant: Supplicant) -> None:
    """Password, then a passcode, each after a Session-Timeout."""
    outcome = supplicant.log_in("carol", answers=[PASSWORD, "424242"])
    assert outcome.let_in, explained(lab, outcome)
    assert len(outcome.prompts) == 2
    assert outcome.output.count("(Session-Timeout)") == 2
    assert lab.controls.asked("carol") == {"passcode": 1}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("user", "password", "cause"),
    [
        ("dave", PASSWORD, "factor-refused"),
        ("alice", "wrong", "password-refused"),
        ("nobody", PASSWORD, "password-refused"),
    ],
)
def test_a_refusal_goes_through_the_chain(
    lab: Lab, supplicant: Supplicant, version: int, user: str, password: str, cause: str
) -> None:
    """One Access-Reject with one EAP-Failure."""
    begin = len(lab.log())
    outcome = supplicant.log_in(user, password=password, phase1=f"peapver={version}")
    assert outcome.refused, explained(lab, outcome)
    # Its push was denied a moment ago: the station is not asked again.
    assert cause_of(lab, user, begin) in ((cause, "backed-off") if user == "dave" else (cause,))


def test_a_slow_push_through_the_chain_is_one_push(lab: Lab, supplicant: Supplicant) -> None:
    """The device repeats its request, and so does the chain, every 2 s: all of them join the one login."""
    assert SLOW_S > 3 * RETRY_INTERVAL_S
    outcome = supplicant.log_in("ivan")
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("ivan") == {"push": 1}
    assert lab.controls.call("/sandbox/state")["asked"] == {"ivan": {"push": 1}}


@pytest.mark.long
def test_a_push_that_takes_longer_than_the_chain_waits_is_one_push(lab: Lab, supplicant: Supplicant) -> None:
    """The chain has forgotten the request by then; when the device repeats it, the answer is given again."""
    outcome = supplicant.log_in("judy")
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.call("/sandbox/state")["asked"] == {"judy": {"push": 1}}


def test_a_key_name_goes_through_the_chain(lab: Lab, supplicant: Supplicant) -> None:
    """EAP-Key-Name in the request is answered in the Accept, and every message that arrives is signed."""
    outcome = supplicant.log_in("alice", "-N102:x:00")
    assert outcome.let_in, explained(lab, outcome)
    assert "(EAP-Key-Name)" in outcome.last_reply()
    replies = outcome.output.split("Received RADIUS message")[1:]
    assert all("(Message-Authenticator)" in reply for reply in replies)
