"""A real FreeRADIUS checks the password: what it says is passed on, what others say in its name is not believed."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duoproxy.config.ini import read_ini
from duoproxy.radius.attributes import Type
from duoproxy.radius.authenticators import encode_reply
from duoproxy.radius.packet import Code, decode_packet
from tests.peers import peer
from tests.peers.conftest import StartServer
from tests.peers.freeradius import SECRET, SIGNED, User, running_freeradius, start_freeradius
from tests.peers.lab import Lab, running_lab
from tests.peers.ports import free_ports
from tests.peers.proxy import ROOT, Sections
from tests.peers.radclient import Answer, Pair, Radclient, login
from tests.peers.raw_device import exchange, login_request
from tests.peers.relay import Passing, Relay, relay
from tests.peers.server import RunningServer

pytestmark = pytest.mark.needs_peer("radclient", "freeradius")

PASSWORD = "correct horse"
UMLAUTS = "pässwörd ß"
LONGEST = "0123456789abcdef" * 8
GRANTED = (
    'Reply-Message = "Welcome to the VPN"',
    "Class = 0x636c617373",
    "Framed-IP-Address = 192.0.2.77",
    'Cisco-AVPair = "shell:priv-lvl=15"',
    'Cisco-AVPair += "ip:addr-pool=vpn"',
    "Tunnel-Type:1 = VLAN",
    'Tunnel-Password:1 = "a tunnel password of more than sixteen octets"',
    "MS-MPPE-Send-Key = 0x000102030405060708090a0b0c0d0e0f",
    "MS-MPPE-Recv-Key = 0x101112131415161718191a1b1c1d1e1f",
)
ENTRIES = {
    "alice": User(PASSWORD, GRANTED),
    "dave": User(PASSWORD, GRANTED),
    "signed": User(PASSWORD, [SIGNED]),
    "plain": User(PASSWORD),
    "quizzed": User(challenged=True, reply=['Reply-Message = "Enter the code"', "State = 0x01020304"]),
    "latin": User(UMLAUTS.encode("latin-1")),
    "utf": User(UMLAUTS),
    "long": User(LONGEST),
}
PHONES = {name: f"push {'deny' if name == 'dave' else 'approve'}-after 0" for name in ENTRIES}
SAID_BY_DUO = "Success. Logging you in..."
QUICK = {"retries": 1, "retry_wait": 0.4}
SILENCE_S = 1.2


def client(**options: object) -> dict[str, object]:
    """Make a client section that gives up quickly."""
    return {"host": "127.0.0.1", "secret": SECRET, **QUICK, **options}


def client_sections(server: int, relayed: int, nobody: int, mute: int) -> Sections:
    """Make a client section for each way to use FreeRADIUS; its listener has the same number."""
    return {
        "radius_client": client(port=server),
        "radius_client2": client(port=server, pass_through_attr_names="Class, Cisco-AVPair, NAS-Identifier"),
        "radius_client3": client(port=server, pass_through_all="true", nas_ip="192.0.2.3"),
        "radius_client4": client(port=relayed, retries=2),
        "radius_client5": client(port=server, secret="another secret"),
        "radius_client6": client(port=relayed, require_message_authenticator="yes"),
        "radius_client7": client(port=relayed, require_message_authenticator="auto"),
        "radius_client8": client(port=relayed, require_message_authenticator="no"),
        "radius_client9": client(port=nobody),
        "radius_client10": client(port=mute),
        "radius_client11": client(port=server, pw_codec="latin-1"),
        "radius_client12": client(port=relayed),
        "radius_client13": client(port=relayed),
    }


def listener(number: int, **options: object) -> dict[str, object]:
    return {"client": f"radius_client{number if number > 1 else ''}", **options}


LISTENERS: Sections = {
    "plain": listener(1),
    "named": listener(1, pass_through_attr_names="Framed-IP-Address, 311:17, Tunnel-Password"),
    "client-named": listener(2, pass_through_attr_names="Framed-IP-Address"),
    "all": listener(3),
    "relayed": listener(4),
    "other-secret": listener(5),
    "sign-yes": listener(6),
    "sign-auto": listener(7),
    "sign-no": listener(8),
    "refused-silent": listener(9, primary_down="silent"),
    "mute-silent": listener(10, primary_down="silent"),
    "mute-reject": listener(10, primary_down="reject"),
    "latin-latin": listener(11, pw_codec="latin-1"),
    "utf-latin": listener(11, pw_codec="utf-8"),
    "latin-utf": listener(1, pw_codec="latin-1"),
    "forged": listener(12),
    "challenged": listener(13),
}


@pytest.fixture(scope="module")
def freeradius(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, int]]:
    program = peer.peer("freeradius").path()
    assert program is not None
    [port] = free_ports(1)
    with running_freeradius(program, port, ENTRIES, folder=tmp_path_factory.mktemp("upstream")) as server:
        yield server, port


@pytest.fixture(scope="module")
def hop(freeradius: tuple[RunningServer, int]) -> Iterator[Relay]:
    [port] = free_ports(1)
    with relay(port, freeradius[1]) as running:
        yield running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, freeradius: tuple[RunningServer, int], hop: Relay) -> Iterator[Lab]:
    [nobody] = free_ports(1)
    with socket.socket(type=socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        clients = client_sections(freeradius[1], hop.port, nobody, mute.getsockname()[1])
        with running_lab(tmp_path_factory.mktemp("proxy"), LISTENERS, PHONES, clients) as running:
            yield running


class Proxy:
    """The proxy as one test sees it."""

    def __init__(self, lab: Lab, radclient: Radclient) -> None:
        self.lab = lab
        self._radclient = radclient
        self._seen = len(lab.log())
        lab.controls.reset()

    def ask(self, where: str, user: str, password: str | bytes = PASSWORD, *more: Pair, wait_s: float = 20.0) -> Answer:
        """Send one login to a listener."""
        return self._radclient.send(self.lab.addresses[where], login(user, password, *more), wait_s=wait_s)

    def wait_for_line(self, text: str) -> None:
        """Wait for a part of a line that was logged since the test began."""
        self.lab.server.wait(lambda: text in self.lab.log()[self._seen :], f"the log says {text!r}")

    def wait_for(self, pattern: str) -> None:
        """Wait for a match (multi-line) in what was logged since the test began."""
        self.lab.server.wait(
            lambda: re.search(pattern, self.lab.log()[self._seen :], re.MULTILINE), f"the log matches {pattern!r}"
        )

    def end_of_login(self, user: str) -> str:
        """Wait for the line about the end of a user's login; give it."""
        pattern = f"^.*: user='{user}' .*$"
        self.lab.server.wait(lambda: re.search(pattern, self.lab.log()[self._seen :], re.MULTILINE), "the login's end")
        lines: list[str] = re.findall(pattern, self.lab.log()[self._seen :], re.MULTILINE)
        return lines[-1]

    def pushes(self, user: str) -> int:
        """How many pushes the user got."""
        return self.lab.controls.asked(user).get("push", 0)


@pytest.fixture
def proxy(lab: Lab, radclient: Radclient, hop: Relay) -> Iterator[Proxy]:
    yield Proxy(lab, radclient)
    hop.meddle = lambda passing: [passing.reply]
    hop.stranger = lambda passing: []


def without(answer: Answer, *names: str) -> list[tuple[str, str]]:
    return [pair for pair in answer.pairs if pair[0] not in names]


# ── what FreeRADIUS says is passed on ──────────────────────────────────────────────────────────────────────────────


def test_nothing_passes_unless_it_is_named(proxy: Proxy) -> None:
    """Without pass_through_* the device gets what the proxy itself says, and no attribute of FreeRADIUS."""
    answer = proxy.ask("plain", "alice")
    assert answer.code == "Access-Accept", answer.output
    assert without(answer, "Message-Authenticator") == [("Reply-Message", SAID_BY_DUO)]


def test_everything_passes_and_hidden_values_stay_what_they_were(
    proxy: Proxy, radclient: Radclient, freeradius: tuple[RunningServer, int]
) -> None:
    """pass_through_all: the device reads the same values, Tunnel-Password and MPPE keys too, as FreeRADIUS gives."""
    direct = radclient.send(f"127.0.0.1:{freeradius[1]}", login("alice", PASSWORD), secret=SECRET)
    through = proxy.ask("all", "alice")
    granted = without(direct, "Message-Authenticator")
    assert len(granted) == len(GRANTED)
    assert ("Tunnel-Password:1", "a tunnel password of more than sixteen octets") in granted
    assert without(through, "Message-Authenticator") == [("Reply-Message", SAID_BY_DUO), *granted]


def test_the_server_section_names_what_passes(proxy: Proxy) -> None:
    """pass_through_attr_names of the server section: by name or as Vendor-Id:Type, hidden ones made anew."""
    assert without(proxy.ask("named", "alice"), "Message-Authenticator", "Reply-Message") == [
        ("Framed-IP-Address", "192.0.2.77"),
        ("Tunnel-Password:1", "a tunnel password of more than sixteen octets"),
        ("MS-MPPE-Recv-Key", "0x101112131415161718191a1b1c1d1e1f"),
    ]


def test_the_client_section_names_more_of_what_passes(proxy: Proxy) -> None:
    """The names of both sections count together."""
    assert without(proxy.ask("client-named", "alice"), "Message-Authenticator", "Reply-Message") == [
        ("Class", "0x636c617373"),
        ("Framed-IP-Address", "192.0.2.77"),
        ("Cisco-AVPair", "shell:priv-lvl=15"),
        ("Cisco-AVPair", "ip:addr-pool=vpn"),
    ]


def test_a_reject_carries_its_text_and_nothing_that_grants(proxy: Proxy) -> None:
    """A wrong password: of all that this FreeRADIUS puts into its Reject, only Reply-Message may stand there."""
    answer = proxy.ask("all", "alice", "wrong")
    assert answer.code == "Access-Reject", answer.output
    assert without(answer, "Message-Authenticator") == [("Reply-Message", "Welcome to the VPN")]
    assert proxy.pushes("alice") == 0


def test_what_freeradius_granted_is_kept_back_when_duo_refuses(proxy: Proxy) -> None:
    """A denied push: the Reject has no key, no Class and no text of the Accept that FreeRADIUS gave."""
    answer = proxy.ask("all", "dave")
    assert answer.code == "Access-Reject", answer.output
    assert without(answer, "Message-Authenticator") == [("Reply-Message", "Login request denied.")]


def test_attributes_of_the_request_reach_freeradius_when_they_are_named(
    proxy: Proxy, freeradius: tuple[RunningServer, int]
) -> None:
    """Requests upstream carry what [radius_client] names; NAS-IP-Address is nas_ip, else ours; all are signed."""
    more: list[Pair] = [
        ("NAS-IP-Address", "198.51.100.1"),
        ("NAS-Identifier", "vpn-gateway"),
        ("Calling-Station-Id", "203.0.113.9"),
        ("Proxy-State", b"\x01\x02"),
    ]
    arrived = []
    for where in ("plain", "client-named", "all"):
        before = len(freeradius[0].output())
        assert proxy.ask(where, "plain", PASSWORD, *more).code == "Access-Accept"
        request = re.search(r"Received Access-Request.*\n((?:\(\d+\)   .*\n)+)", freeradius[0].output()[before:])
        assert request is not None
        arrived.append([line.split("   ", 1)[1] for line in request[1].splitlines()])
    ours = ['User-Name = "plain"', f'User-Password = "{PASSWORD}"']
    assert arrived[0][1:] == [*ours, "NAS-IP-Address = 127.0.0.1"]
    assert arrived[1][1:] == [*ours, 'NAS-Identifier = "vpn-gateway"', "NAS-IP-Address = 127.0.0.1"]
    named = ['NAS-Identifier = "vpn-gateway"', 'Calling-Station-Id = "203.0.113.9"', "NAS-IP-Address = 192.0.2.3"]
    assert arrived[2][1:] == [*ours, *named]
    assert all(lines[0].startswith("Message-Authenticator = 0x") for lines in arrived)


def test_a_challenge_is_never_a_success(proxy: Proxy) -> None:
    """An Access-Challenge of FreeRADIUS is a question for the device, with a State of ours; nobody gets a push."""
    answer = proxy.ask("challenged", "quizzed")
    assert answer.code == "Access-Challenge", answer.output
    assert answer.values("Reply-Message") == ["Enter the code"]
    assert answer.values("State") != ["0x01020304"]
    assert proxy.pushes("quizzed") == 0
    proxy.wait_for_line("'quizzed' is shown a question of [radius_client13].")


# ── passwords ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("where", "user", "codec"),
    [("latin-latin", "latin", "latin-1"), ("utf-latin", "latin", "utf-8"), ("latin-utf", "utf", "latin-1")],
)
def test_a_password_is_written_anew_in_the_encoding_of_the_server(
    proxy: Proxy, where: str, user: str, codec: str
) -> None:
    """pw_codec of the server section reads the password, pw_codec of the client section writes it."""
    answer = proxy.ask(where, user, UMLAUTS.encode(codec))
    assert answer.code == "Access-Accept", answer.output


def test_a_password_in_another_encoding_than_the_option_says_is_rejected(proxy: Proxy) -> None:
    """Latin-1 octets where UTF-8 is expected: a Reject, and the log names pw_codec."""
    answer = proxy.ask("utf-latin", "latin", UMLAUTS.encode("latin-1"))
    assert answer.code == "Access-Reject", answer.output
    section = proxy.lab.sections["utf-latin"]
    proxy.wait_for_line(f"the name or password is not valid utf-8. Set pw_codec of [{section}] to the encoding that")


def test_a_password_of_128_octets_passes(proxy: Proxy) -> None:
    """RADIUS carries up to 128 octets, and all of them count."""
    assert proxy.ask("plain", "long", LONGEST).code == "Access-Accept"
    assert proxy.ask("plain", "long", LONGEST[:-1] + "F").code == "Access-Reject"


def test_a_password_that_grows_beyond_128_octets_is_rejected(proxy: Proxy) -> None:
    """Sixty-five Latin-1 octets are 130 in UTF-8: never cut, but a Reject that says so."""
    answer = proxy.ask("latin-utf", "long", ("ä" * 65).encode("latin-1"))
    assert answer.code == "Access-Reject", answer.output
    assert proxy.end_of_login("long").endswith("| the password is longer than the 128 octets of RADIUS")


def test_an_empty_password_lets_nobody_in(proxy: Proxy) -> None:
    """Sixteen hidden zeros, or no User-Password at all: a Reject, and nobody is asked for a second factor."""
    empty = login_request("alice", b"")
    reply = exchange(proxy.lab.addresses["plain"], empty)
    assert reply is not None
    assert reply[0] == Code.ACCESS_REJECT
    assert "cause=password-refused" in proxy.end_of_login("alice")
    assert proxy.ask("plain", "alice", "").code == "Access-Reject"
    proxy.wait_for_line("rejected, it carries no password. Only the PAP with a shared secret format is supported")
    assert proxy.pushes("alice") == 0


# ── what others say in its name ────────────────────────────────────────────────────────────────────────────────────


def forge(passing: Passing, code: Code, secret: bytes = b"a guess") -> bytes:
    """Answer a request as somebody would who does not know the secret."""
    return encode_reply(code, passing.request[1], passing.request[4:20], [], secret)


FORGERIES: dict[str, Callable[[Passing], bytes]] = {
    "wrong-secret": lambda passing: forge(passing, Code.ACCESS_ACCEPT),
    "no-authenticator": lambda passing: bytes([2, passing.request[1], 0, 20]) + bytes(16),
    "code-changed": lambda passing: bytes([Code.ACCESS_ACCEPT]) + passing.reply[1:],
    "accounting": lambda passing: bytes([Code.ACCOUNTING_RESPONSE]) + passing.reply[1:],
    "short": lambda passing: passing.reply[:19],
    "cut": lambda passing: passing.reply[:-1] if len(passing.reply) > 20 else passing.reply[:10],
    "empty": lambda passing: b"",
    "the request": lambda passing: passing.request,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_accept_before_the_real_reject_lets_nobody_in(proxy: Proxy, hop: Relay, forgery: str) -> None:
    """What is not authentic is ignored, and the wait for the real answer goes on."""
    hop.meddle = lambda passing: [FORGERIES[forgery](passing), passing.reply]
    answer = proxy.ask("relayed", "plain", "wrong")
    assert answer.code == "Access-Reject", answer.output
    assert proxy.pushes("plain") == 0
    assert "cause=password-refused" in proxy.end_of_login("plain")


def test_a_forged_reject_before_the_real_accept_locks_nobody_out(proxy: Proxy, hop: Relay) -> None:
    """A forger cannot refuse logins either."""
    hop.meddle = lambda passing: [forge(passing, Code.ACCESS_REJECT), passing.reply]
    assert proxy.ask("relayed", "plain").code == "Access-Accept"
    assert proxy.pushes("plain") == 1


def test_an_accept_of_an_earlier_login_opens_nothing(proxy: Proxy, hop: Relay) -> None:
    """Authentic answers to other requests, as they were or with the Identifier of this one, are ignored."""
    assert proxy.ask("relayed", "plain").code == "Access-Accept"

    def replay(passing: Passing) -> list[bytes]:
        renumbered = [old[:1] + passing.request[1:2] + old[2:] for old in passing.earlier]
        return [*passing.earlier, *renumbered, passing.reply]

    hop.meddle = replay
    assert any(old[0] == Code.ACCESS_ACCEPT for old in (passed.reply for passed in hop.passed))
    assert proxy.ask("relayed", "plain", "wrong").code == "Access-Reject"
    assert proxy.pushes("plain") == 1


def test_an_answer_that_comes_too_late_opens_nothing(proxy: Proxy, hop: Relay) -> None:
    """An Accept that was held back until its login had ended is not the answer to the next login."""
    held_back: list[bytes] = []

    def hold(passing: Passing) -> list[bytes]:
        held_back.append(passing.reply)
        return []

    hop.meddle = hold
    assert proxy.ask("relayed", "plain", wait_s=SILENCE_S).code == ""
    assert "result=silence cause=primary-unreachable" in proxy.end_of_login("plain")
    hop.meddle = lambda passing: [*held_back, passing.reply]
    assert proxy.ask("relayed", "plain", "wrong").code == "Access-Reject"
    assert held_back[0][0] == Code.ACCESS_ACCEPT
    assert proxy.pushes("plain") == 0


def test_an_authentic_answer_from_another_port_is_ignored(proxy: Proxy, hop: Relay) -> None:
    """Only the server that was asked answers; the log tells of datagrams from others."""
    hop.meddle = lambda passing: []
    hop.stranger = lambda passing: [passing.reply]
    assert proxy.ask("relayed", "plain", wait_s=SILENCE_S).code == ""
    assert "result=silence cause=primary-unreachable" in proxy.end_of_login("plain")
    assert proxy.pushes("plain") == 0
    proxy.wait_for_line(
        "Ignored a datagram from 127.0.0.1 at a port that asks RADIUS servers: it comes from no server that was asked."
    )


def test_an_answer_that_comes_twice_is_one_answer(proxy: Proxy, hop: Relay) -> None:
    """One login, one push, however often the network repeats the Accept."""
    hop.meddle = lambda passing: [passing.reply] * 3
    assert proxy.ask("relayed", "plain").code == "Access-Accept"
    assert proxy.pushes("plain") == 1


def test_a_lost_answer_is_asked_for_again(proxy: Proxy, hop: Relay) -> None:
    """The same octets are sent again after retry_wait; the login needs one push."""
    before = len(hop.passed)
    hop.meddle = lambda passing: [passing.reply] if len(hop.passed) > before else []
    assert proxy.ask("relayed", "plain").code == "Access-Accept"
    requests = [passed.request for passed in hop.passed[before:]]
    assert len(requests) == 2
    assert requests[0] == requests[1]
    assert proxy.pushes("plain") == 1


def test_answers_with_another_secret_are_told_of(proxy: Proxy, hop: Relay) -> None:
    """A server that answers with another secret: no Accept, and a sentence with the option to compare."""
    hop.meddle = lambda passing: [forge(passing, Code.ACCESS_ACCEPT, b"the secret of another")]
    assert proxy.ask("forged", "plain", wait_s=SILENCE_S).code == ""
    proxy.wait_for_line(
        f"Ignored an answer from RADIUS server 127.0.0.1:{hop.port}: its authenticator does not fit. The shared secret "
        "probably differs: make secret of [radius_client12] equal to the secret on that server; otherwise somebody "
        "forges answers."
    )
    assert proxy.pushes("plain") == 0


def test_freeradius_does_not_answer_requests_with_another_secret(
    proxy: Proxy, freeradius: tuple[RunningServer, int]
) -> None:
    """FreeRADIUS drops what it cannot verify: no Accept; the sentence names the secret among what to look at."""
    assert proxy.ask("other-secret", "plain", wait_s=SILENCE_S).code == ""
    assert "(Shared secret is incorrect.)" in freeradius[0].output()
    proxy.wait_for(
        rf"RADIUS server 127\.0\.0\.1:{freeradius[1]} did not answer and is left out for \d+ seconds\. Check that it "
        r"runs, that it knows this proxy as a client with the same secret, and that no firewall is between\.$"
    )


# ── signatures of answers ──────────────────────────────────────────────────────────────────────────────────────────


def rewritten(passing: Passing, attributes: bytes) -> bytes:
    """Write other attributes into an answer, with a Response Authenticator that fits: this takes the secret."""
    head = passing.reply[:2] + (20 + len(attributes)).to_bytes(2, "big")
    return head + hashlib.md5(head + passing.request[4:20] + attributes + SECRET.encode()).digest() + attributes


def as_an_old_server(passing: Passing) -> list[bytes]:
    """Take a signature away unless the users file asks for it: FreeRADIUS 3.2.1 has none, later ones always sign."""
    request, reply = decode_packet(passing.request), decode_packet(passing.reply)
    if (Type.USER_NAME, b"signed") in request.attributes:
        return [passing.reply]
    kept = [pair for pair in reply.attributes if pair[0] != Type.MESSAGE_AUTHENTICATOR]
    return [rewritten(passing, b"".join(bytes([number, 2 + len(value)]) + value for number, value in kept))]


def test_unsigned_answers_are_not_taken_when_signatures_are_required(proxy: Proxy, hop: Relay) -> None:
    """require_message_authenticator=yes: an old FreeRADIUS signs nothing by itself, so nobody gets in by that."""
    hop.meddle = as_an_old_server
    assert proxy.ask("sign-yes", "plain", wait_s=SILENCE_S).code == ""
    proxy.wait_for_line(
        f"Ignored an answer from RADIUS server 127.0.0.1:{hop.port}: it carries no Message-Authenticator, but "
        "require_message_authenticator is yes. Bring that server up to date, or set require_message_authenticator=no "
        "in [radius_client6], which leaves logins open to forged answers (BlastRADIUS)."
    )
    assert proxy.pushes("plain") == 0
    assert proxy.ask("sign-yes", "signed").code == "Access-Accept"


def test_a_server_that_signs_has_to_go_on_signing(proxy: Proxy, hop: Relay) -> None:
    """require_message_authenticator=auto: unsigned answers are taken until the first signed one."""
    hop.meddle = as_an_old_server
    assert proxy.ask("sign-auto", "plain").code == "Access-Accept"
    assert proxy.ask("sign-auto", "signed").code == "Access-Accept"
    assert proxy.ask("sign-auto", "plain", wait_s=SILENCE_S).code == ""
    proxy.wait_for_line(
        f"Ignored an answer from RADIUS server 127.0.0.1:{hop.port}: it carries no Message-Authenticator, but it has "
        "sent one before, and require_message_authenticator is auto."
    )
    assert proxy.ask("sign-auto", "signed").code == "Access-Accept"


def test_signatures_are_checked_even_where_they_are_not_required(proxy: Proxy, hop: Relay) -> None:
    """require_message_authenticator=no: unsigned answers are taken, wrongly signed ones are not."""
    hop.meddle = as_an_old_server
    assert proxy.ask("sign-no", "signed").code == "Access-Accept"
    assert proxy.ask("sign-no", "plain").code == "Access-Accept"

    def wrongly_signed(passing: Passing) -> list[bytes]:
        signature = dict(decode_packet(passing.reply).attributes)[Type.MESSAGE_AUTHENTICATOR]
        return [rewritten(passing, passing.reply[20:].replace(signature, bytes(16)))]

    hop.meddle = wrongly_signed
    assert proxy.ask("sign-no", "signed", wait_s=SILENCE_S).code == ""


# ── when it is away ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("where", "code", "result"),
    [
        ("refused-silent", "", "silence"),
        ("mute-silent", "", "silence"),
        ("mute-reject", "Access-Reject", "reject"),
    ],
)
def test_a_server_that_is_away_is_silence_or_a_reject(proxy: Proxy, where: str, code: str, result: str) -> None:
    """primary_down: the device gets no answer, so that it asks its next server, or a Reject; nobody gets in."""
    assert proxy.ask(where, "plain", wait_s=SILENCE_S).code == code
    assert f"result={result} cause=primary-unreachable" in proxy.end_of_login("plain")
    assert proxy.pushes("plain") == 0


def test_the_second_server_takes_over_and_the_first_is_preferred_again(
    tmp_path: Path, run_server: StartServer, program: Callable[[str], str], radclient: Radclient
) -> None:
    """A dead first host rests and the second one is asked; when the first is back, it is asked again."""
    first_port, second_port = free_ports(2)
    users = {"plain": User(PASSWORD)}

    def start(port: int, name: str) -> RunningServer:
        return start_freeradius(run_server, program("freeradius"), port, users, name=name, folder=tmp_path)

    second = start(second_port, "second")
    clients = {
        "radius_client": client(port=first_port, host_2="127.0.0.1", port_2=second_port),
    }
    with running_lab(tmp_path / "proxy", {"auto": listener(1)}, {"plain": "bypass"}, clients) as lab:

        def accepted() -> bool:
            return radclient.send(lab.addresses["auto"], login("plain", PASSWORD)).code == "Access-Accept"

        assert accepted()
        assert "Received Access-Request" in second.output()
        lab.server.wait_for_output(
            re.escape(f"RADIUS server 127.0.0.1:{first_port} refuses: nothing listens on that port. Start the RADIUS ")
        )
        first = start(first_port, "first")
        assert accepted()
        assert "Received Access-Request" not in first.output()  # it rests for 8 to 12 seconds
        lab.server.wait(lambda: accepted() and "Received Access-Request" in first.output(), "the first is asked again")
        assert f"RADIUS server 127.0.0.1:{first_port} answers again." in lab.log()
        asked_second = second.output().count("Received Access-Request")
        assert accepted()
        assert second.output().count("Received Access-Request") == asked_second


def test_the_recipe_for_rras_works_with_freeradius_in_the_place_of_nps(
    tmp_path: Path, radclient: Radclient, freeradius: tuple[RunningServer, int]
) -> None:
    """conf/recipes/rras.cfg with the addresses of this test: RRAS gets what its server granted, and has to sign."""
    recipe = {
        section.name: {entry.key: entry.value for entry in section.entries}
        for section in read_ini(ROOT / "conf/recipes/rras.cfg").sections
    }
    recipe["radius_client"] |= {"host": "127.0.0.1", "port": str(freeradius[1]), "secret": SECRET}
    of_this_test = ("ikey", "skey", "api_host", "radius_ip_1", "radius_secret_1", "port")
    rras = {name: value for name, value in recipe.pop("radius_server_auto").items() if name not in of_this_test}
    with running_lab(tmp_path / "proxy", {"rras": rras}, PHONES, recipe) as lab:
        answer = radclient.send(lab.addresses["rras"], login("alice", PASSWORD))
        unsigned = radclient.send(lab.addresses["rras"], login("alice", PASSWORD, signed=False), wait_s=0.5)
    assert answer.code == "Access-Accept", answer.output
    assert answer.values("Class") == ["0x636c617373"]
    assert answer.values("MS-MPPE-Send-Key") == ["0x000102030405060708090a0b0c0d0e0f"]
    assert unsigned.code == ""
