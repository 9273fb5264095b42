"""duoproxy-login answers what the server asks, and proves a password in other ways than PAP."""

from __future__ import annotations

import json

from click.testing import CliRunner

from duoproxy.radius.attributes import AttributeId, Type, all_values, first
from duoproxy.radius.hiding import reveal_password
from duoproxy.radius.packet import Code, Packet, decode_packet
from duoproxy.secret import Secret
from duoproxy.tools.login import MAX_QUESTIONS, main
from duoproxy.tools.login_proofs import ms_chap_v2
from tests.unit.tools.test_login import SECRET, reply, run, server

ECHO = (Type.PROMPT, (1).to_bytes(4, "big"))


class Asking:
    """A server that puts its questions one after the other and then accepts."""

    def __init__(self, *questions: str) -> None:
        self.questions = questions
        self.requests: list[Packet] = []

    def __call__(self, request: bytes) -> list[bytes]:
        self.requests.append(decode_packet(request))
        number = len(self.requests) - 1
        if number < len(self.questions):
            state = (Type.STATE, b"state %d" % number)
            text = (Type.REPLY_MESSAGE, self.questions[number].encode())
            return [reply(Code.ACCESS_CHALLENGE, request, text, ECHO, state)]
        return [reply(Code.ACCESS_ACCEPT, request)]

    def typed(self) -> list[bytes]:
        """The passwords that came."""
        hidden = [(first(one.attributes, Type.USER_PASSWORD) or b"", one.authenticator) for one in self.requests]
        return [reveal_password(value, SECRET, authenticator) for value, authenticator in hidden]

    def states(self) -> list[list[bytes]]:
        return [all_values(one.attributes, Type.STATE) for one in self.requests]


def test_answers_go_out_in_their_order_with_the_state_of_their_question() -> None:
    """Each request carries the State of the challenge before it, and a new Identifier or authenticator."""
    asking = Asking("Code?", "New code?")
    ended = run(asking, "--answer", "111", "--answer", "222")
    assert ended.exit_code == 0, ended.output
    assert asking.typed() == [b"pw", b"111", b"222"]
    assert asking.states() == [[], [b"state 0"], [b"state 1"]]
    assert len({one.authenticator for one in asking.requests}) == 3
    assert "the user reads: Code?" in ended.output
    assert "The login was accepted." in ended.output


def test_without_an_answer_somebody_is_asked() -> None:
    """What is typed goes to the server."""
    asking = Asking("Passcode or option:")
    with server(asking) as port:
        words = ["--user", "alice", "--password", "pw", "--port", str(port), "--timeout", "5"]
        ended = CliRunner().invoke(main, words, input="push\n")
    assert ended.exit_code == 0, ended.output
    assert asking.typed() == [b"pw", b"push"]


def test_a_question_that_nobody_answers_has_status_5() -> None:
    """The end of what is piped in, or JSON without enough answers."""
    ended = run(Asking("Code?"))
    assert ended.exit_code == 5
    assert "nobody answered it" in ended.output
    document = json.loads(run(Asking("Code?", "Again?"), "--json", "--answer", "1").output)
    assert (document["exit_status"], document["questions"]) == (5, ["Code?", "Again?"])


def test_a_server_that_asks_for_ever_is_left() -> None:
    """After MAX_QUESTIONS."""
    asking = Asking(*["And again?"] * (MAX_QUESTIONS + 5))
    ended = run(asking, *["--answer", "x"] * (MAX_QUESTIONS + 5))
    assert ended.exit_code == 5
    assert len(asking.requests) == MAX_QUESTIONS + 1


def test_an_answer_that_is_too_long_is_told() -> None:
    """An Access-Request cannot carry it."""
    ended = run(Asking("Code?"), "--answer", "x" * 129)
    assert ended.exit_code == 2
    assert "--answer" in ended.output


def test_chap_sends_no_password() -> None:
    """CHAP-Password and CHAP-Challenge in its place."""
    asking = Asking()
    ended = run(asking, "--chap")
    assert ended.exit_code == 0, ended.output
    [request] = asking.requests
    assert first(request.attributes, Type.USER_PASSWORD) is None
    assert len(first(request.attributes, Type.CHAP_PASSWORD) or b"") == 17
    assert len(first(request.attributes, Type.CHAP_CHALLENGE) or b"") == 16
    assert "with CHAP" in ended.output


def success_for(request: Packet) -> bytes:
    """What a server that knows the password answers."""
    challenge = first(request.attributes, AttributeId(311, 11)) or b""
    response = first(request.attributes, AttributeId(311, 25)) or b""
    return ms_chap_v2("alice", Secret("pw"), response[0], challenge, response[2:18]).success


def ms_chap2_success(value: bytes) -> tuple[int, bytes]:
    return (Type.VENDOR_SPECIFIC, (311).to_bytes(4, "big") + bytes((26, 2 + len(value))) + value)


def test_ms_chap_v2_wants_its_success() -> None:
    """An Access-Accept counts only with the MS-CHAP2-Success of somebody who knows the password."""

    def knows(request: bytes) -> list[bytes]:
        return [reply(Code.ACCESS_ACCEPT, request, ms_chap2_success(success_for(decode_packet(request))))]

    def pretends(request: bytes) -> list[bytes]:
        return [reply(Code.ACCESS_ACCEPT, request, ms_chap2_success(b"\7S=" + b"0" * 40))]

    assert run(knows, "--mschapv2").exit_code == 0
    for answer in (pretends, lambda request: [reply(Code.ACCESS_ACCEPT, request)]):
        ended = run(answer, "--mschapv2")
        assert ended.exit_code == 4
        assert "no MS-CHAP2-Success that fits" in ended.output
