"""A real FreeRADIUS checks proofs of passwords and asks questions; a real radclient is the device.

MS-CHAPv2 is that of RFC 2759 §9.2, as octets: radclient cannot compute it. What FreeRADIUS grants is held against RFC
3079, and against what it says to radclient directly.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from duoproxy.ldap.nt_hash import nt_hash
from duoproxy.radius.attributes import AttributeId, first
from duoproxy.secret import Secret
from duoproxy.tools.login_proofs import challenge_response, des
from duoproxy.tools.login_proofs import ms_chap_v2 as ms_chap_v2_of
from tests.peers import peer
from tests.peers.freeradius import SECRET, Rooms, running_freeradius
from tests.peers.ports import free_ports
from tests.peers.proxy import proxy_environment
from tests.peers.radclient import SIGNED, Answer, Pair, Radclient, login
from tests.peers.relay_lab import (
    FIRST_CODE,
    NEW_PASSWORD,
    PASSWORD,
    SECOND_CODE,
    RelayLab,
    running_relay_lab,
)
from tests.peers.sandbox import RADIUS_SECRET

pytestmark = pytest.mark.needs_peer("radclient", "freeradius")
CHALLENGED, ACCEPTED, REJECTED = "Access-Challenge", "Access-Accept", "Access-Reject"

# RFC 2759 §9.2
CHALLENGE = bytes.fromhex("5b5d7c7d7b3f2f3e3c2c602132262628")
RESPONSE = bytes.fromhex(
    "010021402324255e262a28295f2b3a337c7e000000000000000082309ecd8d708b5ea08faa3981cd83544233114a3d85d6df"
)
SUCCESS = "0x01" + b"S=407A5589115FD0D6209F510FE9C04566932CDA56".hex()
# RFC 3079 §3.5.3: of the server's side
SEND_KEY, RECV_KEY = "0x8b7cdc149b993a1ba118cb153f56dccb", "0xd5f0e9521e3ea9589645e86051c82226"
KEYS = ("MS-MPPE-Send-Key", "MS-MPPE-Recv-Key", "MS-CHAP-MPPE-Keys")
OF_A_GRANT = (*KEYS, "MS-CHAP2-Success", "Class", "Filter-Id", "MS-MPPE-Encryption-Policy", "MS-MPPE-Encryption-Types")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayLab]:
    with running_relay_lab(tmp_path_factory.mktemp("relay")) as lab:
        yield lab


class Device:
    """A device of the proxy, and of FreeRADIUS itself for comparison."""

    def __init__(self, running: RelayLab, radclient: Radclient) -> None:
        self.running, self.radclient = running, radclient
        self._seen = len(running.lab.log())
        self._upstream_seen = len(running.freeradius.output())
        running.lab.controls.reset()

    def send(self, pairs: list[Pair], where: str = "auto", wait_s: float = 20.0) -> Answer:
        return self.radclient.send(self.running.lab.addresses[where], pairs, wait_s=wait_s)

    def directly(self, pairs: list[Pair]) -> Answer:
        """Ask FreeRADIUS without the proxy."""
        return self.radclient.send(self.running.upstream, pairs, secret=SECRET)

    def answer(
        self, user: str, text: str, before: Answer, where: str = "auto", *more: Pair, wait_s: float = 20.0
    ) -> Answer:
        """Answer a challenge."""
        assert before.code == CHALLENGED, before.output
        [state] = before.values("State")
        return self.send(login(user, text, ("State", bytes.fromhex(state[2:])), *more), where, wait_s)

    def wait_for_line(self, pattern: str) -> None:
        lab = self.running.lab
        lab.server.wait(lambda: re.search(pattern, lab.log()[self._seen :]), f"the log matches {pattern!r}")

    def asked(self, user: str) -> dict[str, int]:
        return self.running.lab.controls.asked(user.lower())  # the stand-in folds names, as Duo does

    def requests_upstream(self) -> int:
        return self.running.freeradius.output()[self._upstream_seen :].count("Received Access-Request")


@pytest.fixture
def device(running: RelayLab, radclient: Radclient) -> Device:
    return Device(running, radclient)


def ms_chap_v2(user: str = "User") -> list[Pair]:
    return [("User-Name", user), ("MS-CHAP-Challenge", CHALLENGE), ("MS-CHAP2-Response", RESPONSE), SIGNED]


def computed(user: str) -> list[Pair]:
    """MS-CHAPv2 of another user than that of the RFC."""
    made = ms_chap_v2_of(user, Secret(PASSWORD), 1, CHALLENGE, bytes(range(16)))
    response = first(made.attributes, AttributeId(311, 25))
    return [("User-Name", user), ("MS-CHAP-Challenge", CHALLENGE), ("MS-CHAP2-Response", response), SIGNED]


def ms_chap(user: str) -> list[Pair]:
    return [("User-Name", user), ("MS-CHAP-Password", PASSWORD), SIGNED]


def chap(user: str, *more: Pair) -> list[Pair]:
    return [("User-Name", user), ("CHAP-Password", PASSWORD), *more, SIGNED]


def granted(answer: Answer) -> dict[str, list[str]]:
    return {name: answer.values(name) for name in OF_A_GRANT if answer.values(name)}


# ── proofs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_vector_of_rfc_2759_comes_back_with_its_success_and_the_keys_of_rfc_3079(device: Device) -> None:
    """The same keys after re-encryption as FreeRADIUS gives directly; one automatic push; no Class unless named."""
    direct, through = device.directly(ms_chap_v2()), device.send(ms_chap_v2())
    assert through.code == ACCEPTED, through.output
    assert through.values("MS-CHAP2-Success") == [SUCCESS] == direct.values("MS-CHAP2-Success")
    assert (through.values(KEYS[0]), through.values(KEYS[1])) == ([SEND_KEY], [RECV_KEY])
    expected = {name: values for name, values in granted(direct).items() if name not in ("Class", "Filter-Id")}
    assert granted(through) == expected
    assert device.asked("User") == {"push": 1}


def test_what_is_named_passes_beside_it_and_nothing_twice(device: Device) -> None:
    """pass_through_all: all that FreeRADIUS granted, each once."""
    assert granted(device.send(ms_chap_v2(), "all")) == granted(device.directly(ms_chap_v2()))


def test_ms_chap_version_1_comes_back_with_its_keys(device: Device) -> None:
    """MS-CHAP-MPPE-Keys, hidden as User-Password is, and 24 octets on both sides."""
    through = device.send(ms_chap("User"))
    assert through.code == ACCEPTED, through.output
    assert through.values("MS-CHAP-MPPE-Keys") == [f"0x{bytes(8).hex()}41c00c584bd2d91c4017a2a12fa59f3f"]
    assert "MS-CHAP2-Success" not in granted(through)


def test_chap_is_checked_with_its_own_challenge_and_with_the_request_authenticator(device: Device) -> None:
    """FreeRADIUS gets a CHAP-Challenge in either case, and refuses a wrong password."""
    assert device.send(chap("User")).code == ACCEPTED
    assert device.send(chap("User", ("CHAP-Challenge", b"a challenge of ours"))).code == ACCEPTED
    wrong: list[Pair] = [("User-Name", "User"), ("CHAP-Password", "wrong"), SIGNED]
    assert device.send(wrong).code == REJECTED
    assert device.asked("User") == {"push": 2}


@pytest.mark.parametrize("pairs", [ms_chap("dave"), chap("dave"), login("dave", PASSWORD)], ids=["ms", "chap", "pap"])
def test_a_login_that_duo_refuses_carries_nothing_of_the_grant(device: Device, pairs: list[Pair]) -> None:
    """No key, no success message, no Class, with everything passed through; MS-CHAP is told that this is the end."""
    answer = device.send(pairs, "all")
    assert answer.code == REJECTED
    expected = ["MS-CHAP-Error"] if pairs == ms_chap("dave") else []
    assert sorted(name for name, _ in answer.pairs) == [*expected, "Message-Authenticator", "Reply-Message"]
    assert device.asked("dave") == {"push": 1}


def test_ms_chap_v2_with_duo_refusing_carries_no_key_and_no_success(device: Device) -> None:
    """Denied on the phone, after FreeRADIUS granted everything."""
    assert "MS-CHAP2-Success" in granted(device.directly(computed("dave")))
    answer = device.send(computed("dave"), "all")
    assert answer.code == REJECTED
    assert sorted(name for name, _ in answer.pairs) == ["MS-CHAP-Error", "Message-Authenticator", "Reply-Message"]
    assert device.asked("dave") == {"push": 1}


def test_a_refusal_of_duo_reads_as_one_of_freeradius_but_for_the_retry(device: Device) -> None:
    """The same Identifier, code, version and text in MS-CHAP-Error; no retry, since the password is not what failed."""
    wrong = [("User-Name", "User"), *computed("dave")[1:]]
    wrong_of_version_1 = [("User-Name", "User"), ("MS-CHAP-Password", "wrong"), SIGNED]
    for by_freeradius, by_duo, expected in (
        (device.directly(wrong), device.send(computed("dave")), r"\001E=691 R=0 C= V=3 M=Authentication rejected"),
        (device.directly(wrong_of_version_1), device.send(ms_chap("dave")), r"\000E=691 R=0 C= V=2"),
    ):
        alike = [re.sub("(?<= C=)[0-9a-f]+", "", one.values("MS-CHAP-Error")[0]) for one in (by_freeradius, by_duo)]
        assert alike[0].replace("R=1", "R=0") == alike[1] == expected


def test_a_wrong_proof_brings_the_error_of_freeradius(device: Device) -> None:
    """MS-CHAP-Error E=691, and nobody gets a push."""
    answer = device.send([("User-Name", "User"), ("MS-CHAP-Password", "wrong"), SIGNED])
    assert answer.code == REJECTED
    assert "E=691" in answer.values("MS-CHAP-Error")[0]
    device.wait_for_line("refused name or password: wrong name or password")
    assert device.asked("User") == {}


def test_an_expired_password_is_changed_through_the_proxy(device: Device) -> None:
    """E=648 in the Reject; then MS-CHAP2-CPW with the new password in pieces, and Duo after it."""
    expired = device.send(ms_chap("expired"))
    assert expired.code == REJECTED
    assert "E=648" in expired.values("MS-CHAP-Error")[0]
    device.wait_for_line("password expired; the user can change it")
    changed = device.send(change_of_password("expired"))
    assert changed.code == ACCEPTED, changed.output
    assert "MS-CHAP2-Success" in granted(changed)
    assert device.asked("expired") == {"push": 1}


def change_of_password(user: str) -> list[Pair]:
    """MS-CHAP2-CPW: the new password, encrypted with the old one. Source: RFC 2759 §7, §8.9; RFC 2548 §2.3.4."""
    old, new = nt_hash(Secret(PASSWORD)).reveal(), nt_hash(Secret(NEW_PASSWORD)).reveal()
    text = NEW_PASSWORD.encode("utf-16-le")
    block = os.urandom(512 - len(text)) + text + len(text).to_bytes(4, "little")
    encrypted = Cipher(ARC4(old), None).encryptor().update(block)
    peer_challenge = os.urandom(16)
    hashed = sha1(peer_challenge + CHALLENGE + user.encode()).digest()[:8]
    old_with_new = des(new[:7], old[:8]) + des(new[7:14], old[8:])
    change = b"\7\1" + old_with_new + peer_challenge + bytes(8) + challenge_response(hashed, new) + bytes(2)
    pieces = [encrypted[at : at + 243] for at in range(0, len(encrypted), 243)]
    cut = [("MS-CHAP-NT-Enc-PW", b"\6\1" + n.to_bytes(2, "big") + piece) for n, piece in enumerate(pieces, start=1)]
    return [("User-Name", user), ("MS-CHAP-Challenge", CHALLENGE), ("MS-CHAP2-CPW", change), *cut, SIGNED]


@pytest.mark.parametrize("where", ["pap-only", "nobody"])
def test_where_nobody_can_check_a_proof_the_refusal_says_to_set_pap(device: Device, where: str) -> None:
    """In Reply-Message and log; with [duo_only_client], too."""
    answer = device.send(ms_chap_v2(), where)
    assert answer.code == REJECTED
    assert "must be set to PAP" in answer.values("Reply-Message")[0]
    device.wait_for_line("it carries an MS-CHAP2-Response. Only the PAP with a shared secret format is supported")
    assert device.asked("User") == {}


def test_exempt_and_fail_closed_hold_as_with_pap(device: Device) -> None:
    """Exempt users get in with their keys; where Duo is away and failmode is secure, nobody does."""
    assert "MS-CHAP-MPPE-Keys" in granted(device.send(ms_chap("exempt"), "secure"))
    device.running.lab.controls.fault("status", status=500)
    try:
        answer = device.send(ms_chap("User"), "secure")
    finally:
        device.running.lab.controls.reset()
    assert answer.code == REJECTED
    assert granted(answer) == {}


def test_a_retry_with_the_same_proof_is_one_push(device: Device) -> None:
    """Four processes with the same octets and the session's names: one push, one request upstream, one answer."""
    pairs = [*computed("ivan"), ("Calling-Station-Id", "203.0.113.7"), ("NAS-Port", 7)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: device.send(pairs, wait_s=5), range(4)))
    assert sorted(answer.code for answer in answers) == ["", "", "", ACCEPTED]
    [accepted] = [answer for answer in answers if answer.code]
    assert {"MS-CHAP2-Success", *KEYS[:2]} <= set(granted(accepted))
    assert device.asked("ivan") == {"push": 1}
    assert device.requests_upstream() == 1


# ── questions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_freeradius_asks_for_two_codes_and_duo_comes_last(device: Device) -> None:
    """Reply-Message, Prompt and Session-Timeout go to the device (no longer than our own time), its answers back."""
    question = device.send(login("codes", PASSWORD))
    assert question.values("Reply-Message") == ["Enter the first code"]
    assert (question.values("Prompt"), question.values("Session-Timeout")) == (["Echo"], ["45"])
    assert question.values("Class") == []
    second = device.answer("codes", FIRST_CODE, question)
    assert second.values("Reply-Message") == ["Enter the second code"]
    assert second.values("Session-Timeout") == ["120"]
    assert device.asked("codes") == {}
    assert device.answer("codes", SECOND_CODE, second).code == ACCEPTED
    assert device.asked("codes") == {"push": 1}
    device.wait_for_line(r"'codes' is shown a question of \[radius_client\]")


def test_a_wrong_code_is_refused_and_nobody_gets_a_push(device: Device) -> None:
    """By FreeRADIUS."""
    question = device.send(login("codes", PASSWORD))
    assert device.answer("codes", "000000", question).code == REJECTED
    assert device.answer("codes", FIRST_CODE, question).code == REJECTED
    assert device.asked("codes") == {}


def test_a_password_is_changed_in_questions(device: Device) -> None:
    """New password, once more, then the push."""
    expired = device.send(login("must-change", PASSWORD))
    assert expired.values("Reply-Message") == ["Your password has expired. New password:"]
    assert expired.values("Prompt") == ["No-Echo"]
    again = device.answer("must-change", NEW_PASSWORD, expired)
    assert device.answer("must-change", NEW_PASSWORD, again).code == ACCEPTED
    assert device.asked("must-change") == {"push": 1}


def test_an_appended_factor_waits_until_freeradius_is_content(device: Device) -> None:
    """`password,424242`, then two codes of FreeRADIUS; Duo gets its passcode and no push."""
    second = device.answer("codes", FIRST_CODE, device.send(login("codes", f"{PASSWORD},424242")))
    assert device.answer("codes", SECOND_CODE, second).code == ACCEPTED
    assert device.asked("codes") == {"passcode": 1}


def test_in_challenge_mode_the_prompt_of_duo_follows(device: Device) -> None:
    """The questions of FreeRADIUS first, then Duo's."""
    second = device.answer("codes", FIRST_CODE, device.send(login("codes", PASSWORD), "challenge"), "challenge")
    prompt = device.answer("codes", SECOND_CODE, second, "challenge")
    assert "Duo two-factor login for codes" in "".join(prompt.values("Reply-Message"))
    assert device.answer("codes", "424242", prompt, "challenge").code == ACCEPTED
    assert device.asked("codes") == {"passcode": 1}


def test_a_server_that_asks_for_ever_has_refused(device: Device) -> None:
    """After twenty questions."""
    answer = device.send(login("endless", PASSWORD))
    for _ in range(20):
        answer = device.answer("endless", "x", answer)
    assert answer.code == REJECTED
    assert device.asked("endless") == {}


def test_a_stolen_state_is_worth_nothing(device: Device) -> None:
    """Of another user, of another device, at another section, guessed; the owner goes on."""
    question = device.send(login("codes", PASSWORD))
    [state] = question.values("State")
    guessed: Pair = ("State", bytes(16))
    refused = [
        device.answer("User", FIRST_CODE, question),
        device.answer("codes", FIRST_CODE, question, "auto", ("Packet-Src-IP-Address", "127.0.0.9")),
        device.answer("codes", FIRST_CODE, question, "all"),
        device.send(login("codes", FIRST_CODE, guessed)),
        device.send(login("codes", FIRST_CODE, ("State", b"one"))),
    ]
    assert [answer.code for answer in refused] == [REJECTED] * len(refused)
    assert device.requests_upstream() == 1
    assert state != "0x6f6e65"
    assert device.answer("codes", FIRST_CODE, question).code == CHALLENGED


def test_an_answer_in_four_datagrams_is_one_question_upstream(device: Device) -> None:
    """New Identifiers and ports: the same reply to each, and FreeRADIUS sees one."""
    question = device.send(login("codes", PASSWORD))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: device.answer("codes", FIRST_CODE, question, wait_s=1), range(4)))
    states = {tuple(answer.values("State")) for answer in answers if answer.code}
    assert {answer.code for answer in answers} <= {CHALLENGED, ""}
    assert len(states) == 1
    assert device.requests_upstream() == 2


def test_duoproxy_login_answers_the_questions_and_proves_passwords(device: Device) -> None:
    """The tool with --answer, --chap and --mschapv2, which checks the MS-CHAP2-Success."""
    host, _, port = device.running.lab.addresses["auto"].rpartition(":")

    def run(user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from duoproxy.tools.login import main; main()", "-u", user, "-p", PASSWORD]
        more = ["-s", host, "--port", port, "--secret", RADIUS_SECRET, *arguments]
        environment = {**os.environ, **proxy_environment()}
        return subprocess.run(
            [*command, *more], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    asked = run("codes", "--answer", FIRST_CODE, "--answer", SECOND_CODE)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert "the user reads: Enter the second code" in asked.stdout
    for method in ("--chap", "--mschapv2"):
        proven = run("User", method)
        assert proven.returncode == 0, proven.stdout + proven.stderr
    assert run("codes", "--answer", "wrong").returncode == 1


# ── a chain ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, running: RelayLab) -> Iterator[str]:
    """A FreeRADIUS in front of the proxy, which sends everything on to it."""
    program = peer.peer("freeradius").path()
    assert program is not None
    [port] = free_ports(1)
    host, _, behind = running.lab.addresses["all"].rpartition(":")
    proxying = f"""proxy server {{
	default_fallback = no
}}
home_server duoproxy {{
	type = auth
	ipaddr = {host}
	port = {behind}
	secret = {RADIUS_SECRET}
	response_window = 30
	status_check = none
	require_message_authenticator = yes
}}
home_server_pool duoproxy {{
	type = fail-over
	home_server = duoproxy
}}
realm duoproxy {{
	auth_pool = duoproxy
	nostrip
}}
"""
    authorize = """update control {
		&Proxy-To-Realm := "duoproxy"
	}"""
    rooms = Rooms(authorize=authorize, proxying=proxying)
    with running_freeradius(program, port, {}, folder=tmp_path_factory.mktemp("front"), rooms=rooms):
        yield f"127.0.0.1:{port}"


def test_a_chain_of_freeradius_duoproxy_and_freeradius(device: Device, front: str) -> None:
    """Proxy-State comes back through both hops; PAP, questions, and keys that are hidden three times."""

    def ask(pairs: list[Pair]) -> Answer:
        return device.radclient.send(front, [*pairs, ("Proxy-State", b"of the device")], secret=SECRET)

    proven = ask(ms_chap_v2())
    assert proven.code == ACCEPTED, proven.output
    assert granted(proven) == granted(device.directly(ms_chap_v2()))
    assert proven.values("Proxy-State") == [f"0x{b'of the device'.hex()}"]
    question = ask(login("codes", PASSWORD))
    [state] = question.values("State")
    second = ask(login("codes", FIRST_CODE, ("State", bytes.fromhex(state[2:]))))
    [state] = second.values("State")
    assert ask(login("codes", SECOND_CODE, ("State", bytes.fromhex(state[2:])))).code == ACCEPTED
    assert ask(login("codes", "wrong")).code == REJECTED
    refused = ask(computed("dave"))
    assert refused.code == REJECTED
    assert "E=691 R=0 C=" in refused.values("MS-CHAP-Error")[0]


def test_the_log_holds_no_password(running: RelayLab) -> None:
    """Neither password, code nor answer stands in the proxy's log."""
    log = running.lab.log()
    assert [text for text in (PASSWORD, NEW_PASSWORD, FIRST_CODE, SECOND_CODE) if text in log] == []
