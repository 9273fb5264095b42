"""Challenges with the real radclient as the device: it checks every reply, and the test carries the State by hand."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.peers.challenge_lab import CHALLENGE, CONCAT, DUO_ONLY, SECOND, ChallengeLab, running_challenge_lab
from tests.peers.radclient import Answer, Pair, Radclient, login
from tests.peers.sandbox import PASSWORD

pytestmark = pytest.mark.needs_peer("radclient")
CHALLENGED, ACCEPTED, REJECTED = "Access-Challenge", "Access-Accept", "Access-Reject"
ELSEWHERE: Pair = ("Packet-Src-IP-Address", "127.0.0.9")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChallengeLab]:
    with running_challenge_lab(tmp_path_factory.mktemp("challenge")) as running:
        yield running


class Device:
    """A device of one section that shows prompts."""

    def __init__(self, lab: ChallengeLab, radclient: Radclient, section: str = CHALLENGE) -> None:
        self.lab, self.radclient, self.section = lab, radclient, section

    def ask(self, user: str, password: str, state: str = "", *more: Pair) -> Answer:
        """Send one request; `state` as radclient prints it."""
        pairs = login(user, password, *([("State", bytes.fromhex(state.removeprefix("0x")))] if state else []), *more)
        return self.radclient.send(self.lab.address(self.section), pairs)

    def prompted(self, user: str, *more: Pair) -> str:
        """Log in as far as the prompt: its State."""
        return state_of(self.ask(user, PASSWORD, "", *more))


def state_of(answer: Answer) -> str:
    assert answer.code == CHALLENGED, answer.output
    [state] = answer.values("State")
    return state


def text_of(answer: Answer) -> str:
    return "".join(answer.values("Reply-Message"))


@pytest.fixture
def device(lab: ChallengeLab, radclient: Radclient) -> Device:
    lab.controls.reset()
    return Device(lab, radclient)


def test_the_prompt_is_shown_and_the_answer_lets_in(device: Device) -> None:
    """Number, word, passcode; Session-Timeout says how long there is."""
    challenge = device.ask("alice", PASSWORD)
    assert "Duo two-factor login for alice" in text_of(challenge)
    assert "1. Duo Push to" in text_of(challenge)
    assert challenge.values("Session-Timeout") == ["120"]
    assert device.ask("alice", "1", state_of(challenge)).code == ACCEPTED
    assert device.ask("alice", "phone", device.prompted("alice")).code == ACCEPTED
    assert device.ask("carol", "424242", device.prompted("carol")).code == ACCEPTED
    assert device.lab.controls.asked("alice") == {"push": 1, "phone": 1}


def test_wrong_password_denied_push_and_wrong_passcodes_let_nobody_in(device: Device) -> None:
    """A wrong passcode may be mended twice."""
    assert device.ask("alice", "wrong").code == REJECTED
    assert device.ask("dave", "push", device.prompted("dave")).code == REJECTED
    second = device.ask("carol", "000000", device.prompted("carol"))
    third = device.ask("carol", "000000", state_of(second))
    assert device.ask("carol", "000000", state_of(third)).code == REJECTED
    second = device.ask("carol", "000000", device.prompted("carol"))
    assert device.ask("carol", "424242", state_of(second)).code == ACCEPTED


def test_sms_brings_the_prompt_again(device: Device) -> None:
    """A code answers it, once; and a push can be taken then, too."""
    again = device.ask("alice", "sms", device.prompted("alice"))
    assert "Enter one of them." in text_of(again)
    code = device.lab.new_sms_code("alice")
    assert device.ask("alice", code, state_of(again)).code == ACCEPTED
    used = device.ask("alice", code, device.prompted("alice"))
    assert "Incorrect passcode" in text_of(used)
    again = device.ask("alice", "sms", device.prompted("alice"))
    assert device.ask("alice", "push", state_of(again)).code == ACCEPTED


def test_enrollment_is_a_prompt_that_lets_nobody_in(device: Device) -> None:
    """Whatever is answered."""
    challenge = device.ask("erin", PASSWORD)
    assert "http" in text_of(challenge)
    assert device.ask("erin", "push", state_of(challenge)).code == REJECTED


def test_a_stolen_state_is_worth_nothing(device: Device) -> None:
    """Guessed, from another device, of another user, at another section; and it stays good for its owner."""
    state = device.prompted("alice")
    others = [Device(device.lab, device.radclient, section) for section in (SECOND, CONCAT, DUO_ONLY)]
    refused = [
        device.ask("alice", PASSWORD, "0x" + "00" * 16),
        device.ask("alice", "push", "0x" + "ff" * 16),
        device.ask("alice", "push", state, ELSEWHERE),
        device.ask("dave", "push", state),
        *(other_section.ask("alice", "push", state) for other_section in others),
    ]
    assert [answer.code for answer in refused] == [REJECTED] * len(refused)
    assert device.lab.controls.asked("alice") == {}
    assert device.ask("alice", "push", state).code == ACCEPTED


def test_a_state_that_was_used_gives_the_same_reply_to_the_same_answer_only(device: Device) -> None:
    """One approval, one login: another answer is refused, the same one asks nobody."""
    state = device.prompted("alice")
    assert device.ask("alice", "push", state).code == ACCEPTED
    assert device.ask("alice", "phone", state).code == REJECTED
    assert device.ask("alice", PASSWORD, state).code == REJECTED
    assert device.ask("alice", "push", state, ("NAS-Port", 7)).code == REJECTED
    assert device.ask("alice", "push", state).code == ACCEPTED
    assert device.lab.controls.asked("alice") == {"push": 1}


def test_the_answer_again_with_a_new_identifier_while_the_push_rings_is_one_push(device: Device) -> None:
    """Four processes, so four ports, Identifiers and Authenticators; the newest request gets the one answer."""
    state = device.prompted("ivan")
    pairs = login("ivan", "push", ("State", bytes.fromhex(state.removeprefix("0x"))))
    address = device.lab.address(CHALLENGE)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: device.radclient.send(address, pairs, wait_s=8), range(4)))
    assert sorted(answer.code for answer in answers) == ["", "", "", ACCEPTED]
    assert device.lab.controls.asked("ivan") == {"push": 1}


def test_concat_wants_a_factor(lab: ChallengeLab, radclient: Radclient) -> None:
    """Without one nobody is asked."""
    concat = Device(lab, radclient, CONCAT)
    assert concat.ask("alice", f"{PASSWORD},push").code == ACCEPTED
    assert concat.ask("carol", f"{PASSWORD},424242").code == ACCEPTED
    assert concat.ask("alice", PASSWORD).code == REJECTED
    assert concat.ask("alice", f"{PASSWORD},").code == REJECTED
    assert concat.ask("carol", f"{PASSWORD},000000").code == REJECTED


def test_duo_only_takes_the_field_as_the_factor(lab: ChallengeLab, radclient: Radclient) -> None:
    """No password is checked; an empty field is refused."""
    duo_only = Device(lab, radclient, DUO_ONLY)
    assert duo_only.ask("alice", "push").code == ACCEPTED
    assert duo_only.ask("carol", "424242").code == ACCEPTED
    assert duo_only.ask("carol", PASSWORD).code == REJECTED
    assert duo_only.ask("alice", "").code == REJECTED


def test_an_application_of_the_older_api_is_shown_the_prompt_of_the_service(device: Device) -> None:
    """403 for /auth/v2: the proxy goes on with /rest/v1, shows its text as it is, and its numbers count.

    The last test here: from now on the proxy knows that this application is an older one.
    """
    device.lab.controls.call("/sandbox/generations", {"refused": {"v2": 403}})
    challenge = device.ask("alice", PASSWORD)
    device.lab.server.wait_for_output("may not call /auth/v2; /rest/v1 is used for it")
    assert "Duo two-factor login for alice" in text_of(challenge)
    assert "Passcode or option (1-" in text_of(challenge)
    assert device.ask("alice", "1", state_of(challenge)).code == ACCEPTED
    second = device.ask("carol", "000000", device.prompted("carol"))
    assert device.ask("carol", "424242", state_of(second)).code == ACCEPTED
    again = device.ask("alice", "sms", device.prompted("alice"))
    assert device.ask("alice", device.lab.new_sms_code("alice"), state_of(again)).code == ACCEPTED
    assert device.ask("dave", "push", device.prompted("dave")).code == REJECTED
