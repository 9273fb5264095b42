"""The real eapol_test against [radius_server_eap]: who is let in, with equal keys, who is not, what a user is asked."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from duoproxy.tools.make_cert import MadeFiles
from tests.peers import peer
from tests.peers.authority import Authority
from tests.peers.eap_lab import SERVER_NAME, cause_of, explained, make_certificates, running_eap_lab
from tests.peers.eapol import TLS_1_2_ONLY, TLS_1_3_ONLY, EapolTest, Outcome, Plain
from tests.peers.lab import Lab
from tests.peers.sandbox import PASSWORD

pytestmark = pytest.mark.needs_peer("eapol_test")

TLS = {"TLS 1.2": TLS_1_2_ONLY, "TLS 1.3": TLS_1_3_ONLY}
LONG_NAME = "a-name-of-253-octets-".ljust(253, "x")
LONG_PASSWORD = "a password of 400 characters ".ljust(400, "y")
STRANGE_NAME, STRANGE_PASSWORD = "jürgen.müller@例え.jp", "pässwörd €uro 密码"

CIPHER, OTHER_CIPHER = "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"

# Name to (behaviour at Duo, password).
PEOPLE = {
    "alice": ("push approve-after 0", PASSWORD),
    "dave": ("push deny-after 0", PASSWORD),
    "heidi": ("push timeout 0.2", PASSWORD),
    "carol": ("push passcode 424242 approve-after 0", PASSWORD),
    "erin": ("enroll", PASSWORD),
    "frank": ("bypass", PASSWORD),
    "denied": ("push deny-after 0", PASSWORD),
    LONG_NAME: ("push approve-after 0", LONG_PASSWORD),
    STRANGE_NAME: ("push approve-after 0", STRANGE_PASSWORD),
    "corp\\bob": ("push approve-after 0", PASSWORD),
}
LISTENERS: Mapping[str, Mapping[str, object]] = {
    "ECDSA": {},
    "RSA": {},
    "chain": {},
    "automatic": {"factor_prompt": "false", "auto_backoff": "false"},
    "small": {"max_fragment_bytes": 200},
    "no binding": {"crypto_binding": "false"},
    "one cipher": {"cipher_list": CIPHER},
    "1.3 only": {"minimum_tls_version": "tls1.3"},
    "quiet": {"failure_text": "false", "auto_backoff": "false"},
    "safe": {"failmode": "safe"},
    "appended": {"allow_concat": "true"},
    "duo only": {"client": "duo_only_client"},
    "short": {"prompt_format": "short"},
    "exempt": {"exempt_username_1": "alice"},
    "hurried": {"primary_down": "reject", "client": "radius_client"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eap")


@pytest.fixture(scope="module")
def certificates(folder: Path) -> Mapping[str, MadeFiles]:
    return make_certificates(folder / "certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder / "authority", "Example CA")


@pytest.fixture(scope="module")
def lab(folder: Path, certificates: Mapping[str, MadeFiles], authority: Authority) -> Iterator[Lab]:
    issued = authority.issue("issued", [SERVER_NAME])
    rsa = certificates["RSA"]
    shown = {
        "RSA": {"certs": rsa.certificate, "pkey": rsa.key},
        "chain": {"certs": issued.certificate, "pkey": issued.key},
    }
    listeners = {label: {**options, **shown.get(label, {})} for label, options in LISTENERS.items()}
    numbered = enumerate(PEOPLE.items(), start=1)
    more: dict[str, dict[str, object]] = {
        "main": {"log_auth_events": "true", "debug": "true"},
        "sandbox_users": {f"user_{number}": f"{name}:{password}" for number, (name, (_, password)) in numbered},
        "duo_only_client": {},
        "radius_client": {"host": "127.0.0.1", "port": 9, "secret": "nobody listens", "retries": 1, "retry_wait": 0.2},
    }
    behaviours = {name: behaviour for name, (behaviour, _) in PEOPLE.items()}
    with running_eap_lab(folder / "proxy", listeners, certificates, behaviours, more) as running:
        yield running


@pytest.fixture
def supplicant(folder: Path) -> EapolTest:
    path = peer.peer("eapol_test").path()
    assert path is not None
    return EapolTest(path, folder)


LogIn = Callable[..., Outcome]


@pytest.fixture
def log_in(lab: Lab, supplicant: EapolTest, certificates: Mapping[str, MadeFiles]) -> Iterator[LogIn]:
    """Log in at a listener; the certificate and its name are checked unless `network` says otherwise."""
    lab.controls.reset()

    def run(label: str, user: str, *options: str, answers: object = None, **network: object) -> Outcome:
        shown = certificates["RSA" if label == "RSA" else "ECDSA"]
        known: dict[str, object] = {"identity": user, "ca_cert": str(shown.certificate), "domain_match": SERVER_NAME}
        if answers is None and "password" not in network:
            known["password"] = PEOPLE[user][1] if user in PEOPLE else PASSWORD
        return supplicant.run(lab.addresses[label], {**known, **network}, *options, answers=answers)  # type: ignore[arg-type]

    yield run
    lab.controls.reset()


MATRIX = list(itertools.product((0, 1), TLS, (100, 500, 1398), ("RSA", "ECDSA")))


@pytest.mark.parametrize(("version", "tls", "fragment", "kind"), MATRIX)
def test_every_combination_logs_in_with_equal_keys(
    lab: Lab, log_in: LogIn, version: int, tls: str, fragment: int, kind: str
) -> None:
    """PEAP version, TLS version, fragments of the client, key of the server."""
    phase1 = f"peapver={version} {TLS[tls]}"
    outcome = log_in(kind, "alice", phase1=phase1, fragment_size=fragment)
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("alice") == {"push": 1}
    agreed = f"(PEAPv{version}, {tls.replace(' ', 'v')})"
    assert agreed in lab.log()


@pytest.mark.parametrize("binding", [0, 1, 2])
@pytest.mark.parametrize("tls", TLS)
def test_crypto_binding_is_proved_where_the_client_can(lab: Lab, log_in: LogIn, tls: str, binding: int) -> None:
    """0: the client sends none; 1: when it is asked; 2: it insists."""
    outcome = log_in("ECDSA", "alice", phase1=f"peapver=0 crypto_binding={binding} {TLS[tls]}")
    assert outcome.let_in, explained(lab, outcome)


@pytest.mark.parametrize(("binding", "let_in"), [(0, True), (1, True), (2, False)])
def test_without_crypto_binding_only_a_client_that_insists_fails(
    lab: Lab, log_in: LogIn, binding: int, let_in: bool
) -> None:
    """crypto_binding=false."""
    outcome = log_in("no binding", "alice", phase1=f"peapver=0 crypto_binding={binding}")
    assert outcome.let_in is let_in, explained(lab, outcome)


@pytest.mark.parametrize("version", [0, 1])
def test_small_fragments_of_ours_are_taken(lab: Lab, log_in: LogIn, version: int) -> None:
    """max_fragment_bytes=200, and a Framed-MTU that is as small."""
    outcome = log_in("small", "alice", phase1=f"peapver={version}", fragment_size=150)
    assert outcome.let_in, explained(lab, outcome)
    outcome = log_in("ECDSA", "alice", "-N12:d:256", phase1=f"peapver={version}", fragment_size=150)
    assert outcome.let_in, explained(lab, outcome)
    longest = [int(size) for size in re.findall(r"decapsulated EAP packet \(code=1 .*len=(\d+)\)", outcome.output)]
    assert max(longest) <= 256 - 4  # NAS-Port-Type is 802.11


def test_a_chain_of_an_authority_is_checked(lab: Lab, log_in: LogIn, authority: Authority) -> None:
    """A certificate that somebody else signed."""
    outcome = log_in("chain", "alice", ca_cert=str(authority.ca_file))
    assert outcome.let_in, explained(lab, outcome)


@pytest.mark.parametrize("tls", TLS)
def test_a_client_that_trusts_another_authority_gives_no_password(
    lab: Lab, log_in: LogIn, authority: Authority, tls: str
) -> None:
    """Wrong CA: the log says that the certificate was refused, and nobody was asked."""
    outcome = log_in("ECDSA", "alice", ca_cert=str(authority.ca_file), phase1=TLS[tls])
    assert not outcome.let_in
    assert lab.controls.asked("alice") == {}
    lab.server.wait_for_output("the EAP conversation of 'alice' failed before a password came: .*unknown ca")


def test_a_client_that_expects_another_name_gives_no_password(lab: Lab, log_in: LogIn) -> None:
    """Wrong name."""
    assert not log_in("ECDSA", "alice", domain_match="other.example.com").let_in
    assert lab.controls.asked("alice") == {}


def test_tls_1_2_is_refused_where_1_3_is_demanded(lab: Lab, log_in: LogIn) -> None:
    """minimum_tls_version=tls1.3."""
    assert log_in("1.3 only", "alice", phase1=TLS_1_3_ONLY).let_in
    refused = log_in("1.3 only", "alice", phase1=TLS_1_2_ONLY)
    assert not refused.let_in, explained(lab, refused)
    assert "remote TLS alert (param=protocol version)" in refused.output


@pytest.mark.parametrize(("label", "let_in"), [("ECDSA", True), ("one cipher", False)])
def test_only_the_ciphers_of_the_list_are_offered(lab: Lab, log_in: LogIn, label: str, let_in: bool) -> None:
    """cipher_list: a client that has the one cipher gets in, one that has only another does not."""
    assert log_in(label, "alice", phase1=TLS_1_2_ONLY, openssl_ciphers=CIPHER).let_in
    outcome = log_in(label, "alice", phase1=TLS_1_2_ONLY, openssl_ciphers=OTHER_CIPHER)
    assert outcome.let_in == let_in, explained(lab, outcome)
    assert ("remote TLS alert (param=handshake failure)" in outcome.output) != let_in


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ({"eap": Plain("TTLS"), "phase2": "auth=PAP"}, "the peer refuses EAP type 25; the types that it wants: .*21"),
        ({"phase2": "auth=MSCHAPV2"}, "the peer refuses EAP-GTC; the inner types that it wants: .*26"),
    ],
    ids=["another method", "another inner method"],
)
def test_a_client_that_is_set_to_something_else_is_told_of(
    lab: Lab, log_in: LogIn, network: Mapping[str, object], why: str
) -> None:
    """A Nak, outside or inside the tunnel: an end at once, and a line that names what the client wants."""
    outcome = log_in("ECDSA", "alice", **network)
    assert outcome.refused, explained(lab, outcome)
    lab.server.wait_for_output(f"the EAP conversation of 'alice' failed before a password came: {why}")
    assert lab.controls.asked("alice") == {}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", PASSWORD), ("alice", " " + PASSWORD)])
def test_a_wrong_password_or_an_unknown_user_is_refused(
    lab: Lab, log_in: LogIn, version: int, user: str, password: str
) -> None:
    """One EAP-Failure, and nobody is asked for a second factor."""
    outcome = log_in("ECDSA", user, password=password, phase1=f"peapver={version}")
    assert outcome.refused, explained(lab, outcome)
    assert cause_of(lab, user) == "password-refused"
    assert lab.controls.asked(user) == {}


def test_an_anonymous_outer_identity_is_only_a_hint(lab: Lab, log_in: LogIn) -> None:
    """Who is inside the tunnel is logged in, named in the Accept, and known to Duo."""
    outcome = log_in("ECDSA", "alice", anonymous_identity="anonymous@example.com")
    assert outcome.let_in, explained(lab, outcome)
    assert re.search(r"Attribute 1 \(User-Name\) length=7\s+Value: 'alice'", outcome.last_reply())
    assert lab.controls.asked("alice") == {"push": 1}
    assert "outside the tunnel 'anonymous@example.com'" in lab.log()


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("user", [LONG_NAME, STRANGE_NAME, "corp\\bob"], ids=["long", "non-ASCII", "domain"])
def test_long_and_strange_names_and_passwords_arrive_as_they_are(
    lab: Lab, log_in: LogIn, version: int, user: str
) -> None:
    """253 octets of name, 400 of password; letters of other scripts."""
    quoted = {"identity": user.encode()} if "\\" in user else {}
    outcome = log_in("ECDSA", user, phase1=f"peapver={version}", **quoted)
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.call("/sandbox/state")["asked"] == {user: {"push": 1}}


# ── two prompts ──────────────────────────────────────────────────────────────────────────────────────────────────

ANSWERS = {
    "word": ("push", {"push": 1}),
    "word with a number": ("phone1", {"phone": 1}),
    "number": ("2", {"phone": 1}),
    "passcode": ("424242", {"passcode": 1}),
    "nothing": ("", {"push": 1}),
    "auto": ("auto", {"push": 1}),
    "password again": (PASSWORD, {"push": 1}),
}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("kind", ANSWERS)
def test_the_second_prompt_takes_words_numbers_and_passcodes(lab: Lab, log_in: LogIn, version: int, kind: str) -> None:
    """Each answer asks for what it says, once."""
    answer, asked = ANSWERS[kind]
    outcome = log_in("ECDSA", "carol", phase1=f"peapver={version}", answers=[PASSWORD, answer])
    assert outcome.let_in, explained(lab, outcome)
    assert len(outcome.prompts) == 2
    assert "Password: " in outcome.prompts[0]
    assert "Passcode or option (1-" in outcome.prompts[1]
    assert lab.controls.asked("carol") == asked


@pytest.mark.parametrize("version", [0, 1])
def test_a_wrong_passcode_may_be_corrected(lab: Lab, log_in: LogIn, version: int) -> None:
    """Wrong, then right."""
    outcome = log_in("ECDSA", "carol", phase1=f"peapver={version}", answers=[PASSWORD, "111111", "424242"])
    assert outcome.let_in, explained(lab, outcome)
    assert "Incorrect passcode. Please try again." in outcome.prompts[2]


def test_three_wrong_passcodes_are_the_end(lab: Lab, log_in: LogIn) -> None:
    """Three prompts in all; why is shown in one more, whose answer counts for nothing."""
    outcome = log_in("ECDSA", "carol", answers=[PASSWORD, "111111", "222222", "333333", "424242"])
    assert outcome.refused, explained(lab, outcome)
    assert len(outcome.prompts) == 5
    assert cause_of(lab, "carol") == "factor-refused"


@pytest.mark.parametrize("version", [0, 1])
def test_sms_sends_codes_and_asks_for_one(lab: Lab, log_in: LogIn, version: int) -> None:
    """Sms, then one of the codes."""

    def a_code() -> str:
        users = lab.controls.call("/phone/state")["users"]
        [codes] = [user["sms_codes"] for user in users if user["username"] == "carol"]
        return str(codes[0])

    outcome = log_in("ECDSA", "carol", phase1=f"peapver={version}", answers=[PASSWORD, "sms", a_code])
    assert outcome.let_in, explained(lab, outcome)
    assert "New SMS passcodes sent. Enter one of them." in outcome.prompts[2]


def test_the_device_is_told_to_wait_for_the_user(lab: Lab, log_in: LogIn) -> None:
    """Session-Timeout beside each prompt, and beside nothing else."""
    outcome = log_in("ECDSA", "carol", answers=[PASSWORD, "424242"])
    assert outcome.let_in, explained(lab, outcome)
    assert outcome.output.count("(Session-Timeout)") == 2


def test_the_short_prompt_is_short(lab: Lab, log_in: LogIn) -> None:
    """prompt_format=short."""
    outcome = log_in("short", "carol", answers=[PASSWORD, "1"])
    assert outcome.let_in, explained(lab, outcome)
    assert "1:push" in outcome.prompts[1]


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("label", ["ECDSA", "automatic", "quiet"])
def test_a_stored_password_is_enough_for_a_push(lab: Lab, log_in: LogIn, version: int, label: str) -> None:
    """A client that answers every prompt with its password gets one push, and Duo never sees the password."""
    outcome = log_in(label, "alice", phase1=f"peapver={version}")
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("alice") == {"push": 1}
    assert PASSWORD not in str(lab.controls.call("/sandbox/state"))


def test_an_appended_factor_is_taken_without_a_question(lab: Lab, log_in: LogIn) -> None:
    """allow_concat=true."""
    outcome = log_in("appended", "carol", password=PASSWORD + ",424242")
    assert outcome.let_in, explained(lab, outcome)
    assert lab.controls.asked("carol") == {"passcode": 1}
    outcome = log_in("ECDSA", "carol", password=PASSWORD + ",424242")
    assert outcome.refused


def test_the_answer_is_the_factor_where_the_device_checks_the_password(lab: Lab, log_in: LogIn) -> None:
    """client=duo_only_client: one question, for a factor."""
    outcome = log_in("duo only", "carol", answers=["424242"])
    assert outcome.let_in, explained(lab, outcome)
    assert len(outcome.prompts) == 1
    assert "Passcode or factor" in outcome.prompts[0]
    assert log_in("duo only", "carol", answers=["push"]).let_in
    refused = log_in("duo only", "carol", answers=["999999"] * 4)
    assert refused.refused
    assert ["Passcode" in prompt for prompt in refused.prompts] == [True] * 3 + [False]
    assert lab.controls.asked("carol") == {"passcode": 1 + 3, "push": 1}


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("user", "cause", "shown"),
    [
        ("dave", "factor-refused", "Login request denied."),
        ("heidi", "factor-refused", "Login timed out."),
        ("erin", "not-enrolled", "nroll"),
    ],
)
def test_why_a_login_is_refused_is_shown_inside_the_tunnel(
    lab: Lab, log_in: LogIn, version: int, user: str, cause: str, shown: str
) -> None:
    """Deny, time-out, enroll: one more request, then a protected failure; no Reply-Message."""
    outcome = log_in("ECDSA", user, phase1=f"peapver={version}", answers=[PASSWORD, "push", "", ""])
    assert outcome.refused, explained(lab, outcome)
    assert cause_of(lab, user) == cause
    assert shown in outcome.prompts[-1]
    assert "(Reply-Message)" not in outcome.output


def test_failure_text_can_be_left_out(lab: Lab, log_in: LogIn) -> None:
    """failure_text=false: the failure comes at once."""
    outcome = log_in("quiet", "dave", answers=[PASSWORD, "push", "", ""])
    assert outcome.refused, explained(lab, outcome)
    assert len(outcome.prompts) == 2


def test_a_station_that_repeats_itself_sends_one_push(lab: Lab, log_in: LogIn) -> None:
    """auto_backoff: after a denied push the stored password asks nobody; a word that is typed does."""
    for _ in range(3):
        assert log_in("ECDSA", "denied").refused
    assert lab.controls.asked("denied") == {"push": 1}
    assert cause_of(lab, "denied") == "backed-off"
    assert log_in("ECDSA", "denied", answers=[PASSWORD, "push"]).refused
    assert lab.controls.asked("denied") == {"push": 2}


@pytest.mark.parametrize(
    ("label", "let_in", "cause"), [("safe", True, "failmode-safe"), ("ECDSA", False, "failmode-secure")]
)
def test_failmode_decides_when_duo_is_away(lab: Lab, log_in: LogIn, label: str, let_in: bool, cause: str) -> None:
    """Both ways, before anybody was asked."""
    lab.controls.fault("status", status=503)
    outcome = log_in(label, "alice")
    assert (outcome.let_in, outcome.refused) == (let_in, not let_in), explained(lab, outcome)
    assert cause_of(lab, "alice") == cause


def test_an_unreachable_primary_is_an_eap_failure(lab: Lab, log_in: LogIn) -> None:
    """In EAP the device gets an answer."""
    outcome = log_in("hurried", "alice")
    assert outcome.refused, explained(lab, outcome)
    assert cause_of(lab, "alice") == "primary-unreachable"


@pytest.mark.parametrize(
    ("label", "user", "cause"), [("ECDSA", "frank", "duo-bypass"), ("exempt", "alice", "exempt-user")]
)
def test_who_needs_no_second_factor_is_let_in(lab: Lab, log_in: LogIn, label: str, user: str, cause: str) -> None:
    """Duo's bypass, and exempt_username_n with the inner name."""
    outcome = log_in(label, user, anonymous_identity="anonymous")
    assert outcome.let_in, explained(lab, outcome)
    assert cause_of(lab, user) == cause
    assert lab.controls.asked(user) == {}


# ── RADIUS round it ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tls", TLS)
def test_eap_key_name_is_given_to_who_asks_for_it(lab: Lab, log_in: LogIn, tls: str) -> None:
    """EAP-Key-Name in the request: the name of the session in the Accept, the same on both sides."""
    outcome = log_in("ECDSA", "alice", "-N102:x:00", phase1=TLS[tls])
    assert outcome.let_in, explained(lab, outcome)
    given = re.search(r"Attribute 102 \(EAP-Key-Name\) length=\d+\s+Value: '?([0-9a-f]+)", outcome.last_reply())
    known = re.search(r"EAP: Session-Id - hexdump\(len=\d+\):((?: [0-9a-f]{2})+)", outcome.output)
    assert given is not None
    assert known is not None
    assert given[1] == known[1].replace(" ", "")
    assert "(EAP-Key-Name)" not in log_in("ECDSA", "alice").last_reply()


def test_there_is_one_end_and_nothing_beside_eap(lab: Lab, log_in: LogIn) -> None:
    """One EAP-Success, in the Accept; no Reply-Message in any message; every message is signed."""
    outcome = log_in("ECDSA", "alice")
    assert outcome.count("Access-Accept") == 1
    assert outcome.output.count("decapsulated EAP packet (code=3") == 1
    assert "(Reply-Message)" not in outcome.output
    assert "(State)" not in outcome.last_reply()
    replies = outcome.output.split("Received RADIUS message")[1:]
    assert all("(Message-Authenticator)" in reply for reply in replies)


def test_nothing_is_resumed(lab: Lab, log_in: LogIn) -> None:
    """Three logins of one client are three handshakes and three pushes."""
    for tls in TLS.values():
        lab.controls.reset()
        outcome = log_in("ECDSA", "alice", "-r", "2", phase1=tls)
        assert outcome.status == 0, explained(lab, outcome)
        assert "resumed=1" not in outcome.output
        assert lab.controls.asked("alice") == {"push": 3}
