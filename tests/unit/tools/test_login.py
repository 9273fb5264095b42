"""duoproxy-login: what it sends, how it judges replies, what it says, and its exit status."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

from duoproxy.radius.attributes import Type, first
from duoproxy.radius.authenticators import (
    MessageAuthenticator,
    check_message_authenticator,
    encode_reply,
)
from duoproxy.radius.hiding import reveal_password
from duoproxy.radius.packet import Code, Packet, decode_packet, encode_packet, frame_packet
from duoproxy.secret import Secret
from duoproxy.tools.login import code_name, main, shown
from duoproxy.tools.login_exchange import LoginCall, LoginEnd, LoginRequestMade, build_request, judge_reply

SECRET = b"testing123"
AUTHENTICATOR = bytes(range(16))
MADE = LoginRequestMade(7, AUTHENTICATOR, (), b"")
DEADLINE_S = 20.0
Answer = Callable[[bytes], list[bytes]]


def not_random(size: int) -> bytes:
    """The identifier 7, then the octets of AUTHENTICATOR."""
    return b"\7" if size == 1 else AUTHENTICATOR[:size]


def call(**changes: object) -> LoginCall:
    values: dict[str, object] = {
        "address": "127.0.0.1",
        "port": 18120,
        "secret": Secret(SECRET),
        "username": "älice",
        "password": Secret("päss,push"),
    }
    return LoginCall(**{**values, **changes})  # type: ignore[arg-type]


def reply(code: int, request: bytes, *attributes: tuple[int, bytes], secret: bytes = SECRET) -> bytes:
    return encode_reply(code, request[1], request[4:20], list(attributes), secret)


@contextmanager
def server(answer: Answer) -> Iterator[int]:
    """A RADIUS server on loopback that answers each datagram with those that `answer` gives; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(DEADLINE_S)
        over = threading.Event()

        def serve() -> None:
            while True:
                datagram, source = udp.recvfrom(4096)
                if over.is_set():
                    return
                for one in answer(datagram):
                    udp.sendto(one, source)

        thread = threading.Thread(target=serve)
        thread.start()
        yield udp.getsockname()[1]
        over.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", udp.getsockname())
        thread.join(DEADLINE_S)


def run(answer: Answer, *arguments: str, password: str = "pw") -> Result:
    with server(answer) as port:
        words = ["--user", "alice", "--password", password, "--port", str(port), "--timeout", "5", *arguments]
        return CliRunner().invoke(main, words)


def test_the_request_is_a_pap_login_signed_first() -> None:
    """Name and hidden password, and a Message-Authenticator as the first attribute."""
    datagram = build_request(call(client_ip="192.0.2.1"), not_random).datagram
    packet = decode_packet(datagram)
    assert (packet.code, packet.identifier, packet.attributes[0][0]) == (
        Code.ACCESS_REQUEST,
        7,
        Type.MESSAGE_AUTHENTICATOR,
    )
    assert check_message_authenticator(datagram, SECRET) is MessageAuthenticator.VALID
    assert first(packet.attributes, Type.USER_NAME) == "älice".encode()
    hidden = first(packet.attributes, Type.USER_PASSWORD)
    assert hidden is not None
    assert reveal_password(hidden, SECRET, AUTHENTICATOR) == "päss,push".encode()
    assert first(packet.attributes, Type.CALLING_STATION_ID) == b"192.0.2.1"


def test_a_request_can_go_out_unsigned() -> None:
    """As old devices send it, so that a test from their address does not arm require_message_authenticator=auto."""
    made = build_request(call(signs=False), not_random)
    assert decode_packet(made.datagram).attributes == made.attributes
    assert check_message_authenticator(made.datagram, SECRET) is MessageAuthenticator.ABSENT
    requests: list[bytes] = []

    def accept(request: bytes) -> list[bytes]:
        requests.append(request)
        return [reply(Code.ACCESS_ACCEPT, request)]

    ended = run(accept, "--no-message-authenticator")
    assert ended.exit_code == 0
    assert check_message_authenticator(requests[0], SECRET) is MessageAuthenticator.ABSENT
    assert "made with the shared secret" not in ended.output


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (Code.ACCESS_ACCEPT, LoginEnd.ACCEPT),
        (Code.ACCESS_REJECT, LoginEnd.REJECT),
        (Code.ACCESS_CHALLENGE, LoginEnd.CHALLENGE),
    ],
)
def test_a_reply_with_good_authenticators_is_judged_by_its_code(code: Code, end: LoginEnd) -> None:
    """Accept, reject and challenge end the login."""
    datagram = encode_reply(code, 7, AUTHENTICATOR, [], SECRET)
    assert judge_reply(datagram + b"padding", MADE, Secret(SECRET)) == (
        end,
        decode_packet(datagram),
        MessageAuthenticator.VALID,
        "",
    )


def test_a_reply_that_cannot_be_trusted_is_never_an_accept() -> None:
    """Wrong secret, changed octets, an odd code, rubbish: each is a bad reply, and says why."""
    good = encode_reply(Code.ACCESS_ACCEPT, 7, AUTHENTICATOR, [(Type.CLASS, b"x")], SECRET)
    cases = {
        "its Response Authenticator does not fit": [
            encode_reply(Code.ACCESS_ACCEPT, 7, AUTHENTICATOR, [], b"other"),
            bytes([Code.ACCESS_REJECT]) + good[1:],
            good[:-1] + b"y",
        ],
        "its Message-Authenticator does not fit": [_with_wrong_message_authenticator()],
        "its code is 5, which answers no Access-Request": [
            encode_reply(Code.ACCOUNTING_RESPONSE, 7, AUTHENTICATOR, [], SECRET)
        ],
    }
    for fault, datagrams in cases.items():
        for datagram in datagrams:
            end, _, _, told = judge_reply(datagram, MADE, Secret(SECRET))
            assert (end, told) == (LoginEnd.BAD_REPLY, fault)
    end, packet, _, told = judge_reply(b"hello", MADE, Secret(SECRET))
    assert (end, packet) == (LoginEnd.BAD_REPLY, None)
    assert told.startswith("it is no RADIUS packet: ")


def _with_wrong_message_authenticator() -> bytes:
    """An Access-Accept whose Response Authenticator fits, and whose Message-Authenticator does not."""
    body = bytes([Type.MESSAGE_AUTHENTICATOR, 18]) + bytes(16)
    return _signed_like_in_1997(body)


def _signed_like_in_1997(body: bytes, code: int = Code.ACCESS_ACCEPT, secret: bytes = SECRET) -> bytes:
    """A reply with a Response Authenticator only. Source: RFC 2865 §3."""
    head = bytes([code, 7]) + (20 + len(body)).to_bytes(2, "big")
    return head + hashlib.md5(head + AUTHENTICATOR + body + secret).digest() + body


def test_a_reply_to_something_else_is_waited_past() -> None:
    """Another identifier is no answer to us."""
    datagram = encode_reply(Code.ACCESS_ACCEPT, 8, AUTHENTICATOR, [], SECRET)
    end, _, _, told = judge_reply(datagram, MADE, Secret(SECRET))
    assert (end, told) == (LoginEnd.NO_ANSWER, "a reply with identifier 8 instead of 7")


def test_an_unsigned_accept_counts_but_is_complained_about() -> None:
    """Without Message-Authenticator a reply can be forged (CVE-2024-3596)."""
    end, _, proof, _ = judge_reply(_signed_like_in_1997(b""), MADE, Secret(SECRET))
    assert (end, proof) == (LoginEnd.ACCEPT, MessageAuthenticator.ABSENT)


def test_an_accepted_login_is_shown_from_request_to_reply() -> None:
    """Attributes, waiting, reply, its text, and what the authenticators prove; status 0, and no password."""
    done = run(
        lambda request: [reply(Code.ACCESS_ACCEPT, request, (Type.REPLY_MESSAGE, b"Welcome"))], password="s3cret!"
    )
    assert done.exit_code == 0
    assert 'User-Name = "alice"' in done.output
    assert "User-Password = *****" in done.output
    assert "waiting up to 5 s: a push or call may have to be answered" in done.output
    assert "Access-Accept" in done.output
    assert "the user reads: Welcome" in done.output
    assert "Response Authenticator and Message-Authenticator fit" in done.output
    assert "s3cret!" not in done.output
    assert "testing123" not in done.output


def test_a_rejected_login_has_status_1() -> None:
    """The text of the reply is shown, and where the reason stands."""
    done = run(lambda request: [reply(Code.ACCESS_REJECT, request, (Type.REPLY_MESSAGE, b"Login request denied."))])
    assert done.exit_code == 1
    assert "the user reads: Login request denied." in done.output
    assert "The reason stands in the log of the server." in done.output


def test_a_reply_with_another_secret_has_status_4_and_names_the_option() -> None:
    """A bad authenticator is explained."""
    done = run(lambda request: [reply(Code.ACCESS_ACCEPT, request, secret=b"other")])
    assert done.exit_code == 4
    assert "it cannot be used: its Response Authenticator does not fit." in done.output
    assert "--secret has to equal radius_secret_n on the server" in done.output


def test_no_answer_has_status_3_and_its_usual_causes() -> None:
    """The request is sent again as often as asked, byte for byte; foreign replies are told."""
    seen: list[bytes] = []

    def foreign(request: bytes) -> list[bytes]:
        seen.append(request)
        return [reply(Code.ACCESS_ACCEPT, bytes([request[0], request[1] ^ 1]) + request[2:])]

    done = run(foreign, "--timeout", "0.4", "--retries", "1")
    assert done.exit_code == 3
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert "sent again" in done.output
    assert "No answer within 0.4 s." in done.output
    assert "compare --secret with radius_secret_n" in done.output
    assert "ignored: a reply with identifier" in done.output


def test_a_closed_port_is_told_at_once() -> None:
    """The kernel says that nobody listens; there is no need to wait."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
    done = CliRunner().invoke(main, ["--user", "a", "--password", "b", "--port", str(port), "--timeout", "30"])
    assert done.exit_code == 3
    assert f"Nothing listens on UDP port {port} of 127.0.0.1" in done.output


def test_json_has_everything_in_one_object() -> None:
    """For scripts: the same facts, and the exit status."""
    done = run(
        lambda request: [reply(Code.ACCESS_ACCEPT, request, (Type.REPLY_MESSAGE, b"Hi"))], "--json", "--retries", "0"
    )
    document = json.loads(done.output)
    assert done.exit_code == document["exit_status"] == 0
    assert (document["result"], document["user"], document["sends"]) == ("accept", "alice", 1)
    assert document["reply"]["code"] == "Access-Accept"
    assert document["reply"]["message_authenticator"] == "valid"
    assert document["reply"]["user_message"] == "Hi"
    assert "User-Password = *****" in document["request_attributes"]


def test_the_password_is_asked_for_and_not_echoed() -> None:
    """Without --password there is a prompt; the environment can give it too."""
    seen: list[Packet] = []

    def keep(request: bytes) -> list[bytes]:
        seen.append(decode_packet(frame_packet(request)))
        return [reply(Code.ACCESS_ACCEPT, request)]

    with server(keep) as port:
        words = ["--user", "alice", "--port", str(port), "--timeout", "5"]
        asked = CliRunner().invoke(main, words, input="from-prompt\n")
        given = CliRunner().invoke(main, words, env={"DUOPROXY_LOGIN_PASSWORD": "from-environment"})
    assert (asked.exit_code, given.exit_code) == (0, 0)
    assert "from-prompt" not in asked.output
    hidden = [(first(one.attributes, Type.USER_PASSWORD) or b"", one.authenticator) for one in seen]
    assert [reveal_password(value, SECRET, authenticator) for value, authenticator in hidden] == [
        b"from-prompt",
        b"from-environment",
    ]


def test_interrupting_is_not_a_reject() -> None:
    """Ctrl-C at the prompt has a status of its own."""
    assert CliRunner().invoke(main, ["--user", "alice"], input="").exit_code == 130


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "Missing option '-u' / '--user'"),
        (["--user", ""], "a user name has 1 to 253 octets"),
        (["--user", "ä" * 127], "a user name has 1 to 253 octets"),
        (["--user", "a", "--password", "p" * 129], "a password has at most 128 octets"),
        (["--user", "a", "--secret", ""], "the shared secret is empty"),
        (["--user", "a", "--server", "no such host"], "'no such host' has no address"),
        (["--user", "a", "--client-ip", "here"], "'here' is not an address"),
        (["--user", "a", "--port", "0"], "0 is not in the range"),
    ],
)
def test_wrong_usage_has_status_2(arguments: list[str], what: str) -> None:
    """What no request can carry is refused before anything is sent."""
    done = CliRunner().invoke(main, ["--password", "p", *arguments])
    assert done.exit_code == 2
    assert what in done.output


def test_a_text_from_the_server_cannot_play_with_the_terminal() -> None:
    """Control characters are replaced."""
    assert shown("ok\x1b[2J\r\nAccess-Accept") == "ok\ufffd[2J\ufffd\ufffdAccess-Accept"


def test_codes_have_the_names_of_the_rfc() -> None:
    """A code without a name is shown as its number."""
    assert [code_name(code) for code in (1, 2, 3, 11, 99)] == [
        "Access-Request",
        "Access-Accept",
        "Access-Reject",
        "Access-Challenge",
        "code 99",
    ]


def test_an_odd_datagram_is_no_fault_of_the_tool() -> None:
    """The reply is shown as far as it can be read."""
    packet = Packet(Code.ACCESS_ACCEPT, 0, bytes(16), ())
    done = run(lambda request: [encode_packet(packet)[:1] + request[1:2] + encode_packet(packet)[2:]])
    assert done.exit_code == 4
    assert run(lambda request: [b"\x00"]).exit_code == 4
