"""What an administrator reads when something is wrong: each sentence, in full, in the log of a running proxy.

Only addresses, ports, login ids and times differ from one machine to the next; everything else is compared literally.
"""

from __future__ import annotations

import datetime
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from duoproxy.radius.attributes import Type
from duoproxy.radius.packet import Code
from duoproxy.sandbox.certificates import make_certificates
from tests.peers import proxy
from tests.peers.lab import Lab, running_lab
from tests.peers.ports import free_ports
from tests.peers.raw_device import RawDevice, exchange, login_request
from tests.peers.sandbox import IKEY, PASSWORD, new_ports, sandbox_sections

OTHER_IKEY = "DIOTHER0000000000000"
USERS = {
    "alice": "push approve-after 0",
    "slow": "push",
    "carol": "passcode 424242",
    "frank": "bypass",
}
# The station and the port of the device, by which its retries are recognized.
STATION = [(Type.CALLING_STATION_ID, b"203.0.113.9"), (Type.NAS_PORT, bytes([0, 0, 0, 7]))]
ENDED_DEADLINE_S = 30


def listeners(nobody: int) -> proxy.Sections:
    """Make a listener for each thing that can be wrong; it is always the only thing."""
    return {
        "good": {"radius_ip_1": "127.0.0.0/16"},
        "narrow": {"radius_ip_1": "127.0.0.9"},
        "ikey": {"ikey": OTHER_IKEY},
        "skey": {"skey": "x" * 40},
        "untrusted": {"http_ca_certs_file": "other-ca.pem"},
        "away-safe": {"api_host": f"localhost:{nobody}", "failmode": "safe"},
        "away-secure": {"api_host": f"localhost:{nobody}", "failmode": "secure"},
        "type": {},
        "clock": {},
        "refused": {"client": "radius_client"},
        "mute": {"client": "radius_client2", "primary_down": "reject"},
    }


class Log:
    """The running proxy, and what it has said."""

    def __init__(self, lab: Lab, nobody: int, nobody_radius: int, mute: int) -> None:
        self.lab = lab
        self.nobody = nobody
        self.nobody_radius = nobody_radius
        self.mute = mute
        self.service = f"Duo (localhost:{lab.controls.port})"
        self.away = f"Duo (localhost:{nobody})"

    def section(self, listener: str) -> str:
        return self.lab.sections[listener]

    def ask(self, listener: str, user: str = "alice", *, source: str = "127.0.0.1", wait_s: float = 20) -> int | None:
        """Send one login with the right password; give the code of the answer, or None."""
        request = login_request(user, PASSWORD.encode(), STATION)
        answer = exchange(self.lab.addresses[listener], request, source=source, wait_s=wait_s)
        return answer[0] if answer else None

    def has(self, namespace: str, level: str, sentence: str) -> None:
        """Wait for a line with exactly this sentence; `<n>` in it stands for any whole number."""
        text = re.escape(sentence).replace("<n>", r"\d+")
        self.lab.server.wait_for_output(rf"^\S+ \[{re.escape(namespace)}#{level}\] {text}$")

    def has_login(self, listener: str, level: str, user: str, end: str, detail: str) -> None:
        """Wait for the line about a finished login.

        Args:
            listener: where.
            level: of the line.
            user: who.
            end: factor, result and cause.
            detail: the sentence behind them.
        """
        section = self.section(listener)
        times = r"duration=\d+\.\d{3}s primary=\d+\.\d{3}s second_factor=\d+\.\d{3}s"
        login = rf"Login [0-9a-f]{{10}}: user='{user}' device=127\.0\.0\.1 section={section} {re.escape(end)} {times}"
        said = f" \\| {re.escape(detail)}" if detail else ""
        self.lab.server.wait_for_output(rf"^\S+ \[{section}#{level}\] {login}{said}$")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    folder = tmp_path_factory.mktemp("sentences")
    nobody, nobody_radius = free_ports(2)
    (folder / "proxy").mkdir()
    (folder / "proxy/other-ca.pem").write_bytes(make_certificates(datetime.datetime.now(datetime.UTC)).ca_pem)
    with socket.socket(type=socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        quick = {"host": "127.0.0.1", "secret": "upstream", "retries": 1, "retry_wait": 0.2}
        more = {
            "radius_client": {**quick, "port": nobody_radius},
            "radius_client2": {**quick, "port": mute.getsockname()[1]},
        }
        with running_lab(folder / "proxy", listeners(nobody), USERS, more) as lab:
            yield Log(lab, nobody, nobody_radius, mute.getsockname()[1])


# ── at the start ───────────────────────────────────────────────────────────────────────────────────────────────────


def start_to_its_end(configuration: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        proxy.proxy_command(configuration),
        env={**os.environ, **proxy.proxy_environment()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENDED_DEADLINE_S,
        check=False,
    )


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_port_that_is_in_use(tmp_path: Path, transport: str) -> None:
    """Port in use: the address, who may have it, and where another number is written; status 1."""
    ports = new_ports()
    if transport == "UDP":
        taken, kind = ports.radius, socket.SOCK_DGRAM
        sentence = (
            f"[radius_server_auto] UDP port {taken} on 127.0.0.1 is in use by another program. Stop that program "
            f"(`ss -lunp 'sport = :{taken}'` names it), or write another number in the option port of this section and "
            "on the devices."
        )
    else:
        taken, kind = ports.api, socket.SOCK_STREAM
        sentence = (
            f"[sandbox_duo] TCP port {taken} on 127.0.0.1 cannot be listened on ([Errno 98] Address already in use): "
            "another program has it. Stop that program, or let port of [sandbox_duo] name another."
        )
    configuration = proxy.write_configuration(tmp_path, sandbox_sections(ports))
    with socket.socket(type=kind) as other:
        other.bind(("127.0.0.1", taken))
        if kind == socket.SOCK_STREAM:
            other.listen()
        ended = start_to_its_end(configuration)
    assert (ended.returncode, ended.stderr) == (1, f"{sentence}\n")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Unreadable file: the configuration itself, and files that it names, each with its line."""
    nowhere = tmp_path / "nowhere.cfg"
    ended = start_to_its_end(nowhere)
    assert (ended.returncode, ended.stderr) == (
        1,
        f"error: {nowhere}: the file cannot be read (No such file or directory). Name a configuration file that can be "
        "read.\n",
    )
    sections = sandbox_sections(new_ports(), server={"radius_secret_1": "file:gone.txt", "skey": f"file:{tmp_path}"})
    configuration = proxy.write_configuration(tmp_path, sections)
    ended = start_to_its_end(configuration)
    lines = configuration.read_text("utf-8").splitlines()
    assert (ended.returncode, ended.stderr) == (
        1,
        f"error: {configuration}:{lines.index(f'skey=file:{tmp_path}') + 1} [radius_server_auto] skey: '{tmp_path}' is "
        "not a file. Write the name of a file.\n"
        f"error: {configuration}:{lines.index('radius_secret_1=file:gone.txt') + 1} [radius_server_auto] "
        f"radius_secret_1: '{tmp_path}/gone.txt' cannot be read (No such file or directory). Write the name of a file "
        "that is there.\n",
    )


# ── devices ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_login_that_went_well(log: Log) -> None:
    """One line for each finished login: user, device, section, factor, result, duration, login id."""
    assert log.ask("good") == Code.ACCESS_ACCEPT
    log.has_login("good", "info", "alice", "factor=push result=accept cause=approved", "")


def test_a_name_that_would_forge_a_line(log: Log) -> None:
    """A user name with line ends stays inside its own line."""
    forged = "eve\n2026-01-01T00:00:00+0000 [radius_server_auto#info] Login 0: result=accept"
    assert log.ask("good", forged) == Code.ACCESS_REJECT
    shown = re.escape(forged.replace("\n", r"\n"))
    log.lab.server.wait_for_output(
        rf"^\S+ \[{log.section('good')}#warn\] Login [0-9a-f]{{10}} from 127\.0\.0\.1: rejected, the User-Name "
        rf"'{shown}' has characters that cannot be seen\. Check what the device sends\.$"
    )
    assert not re.search(r"^2026-01-01", log.lab.log(), re.MULTILINE)


def test_a_wrong_shared_secret(log: Log) -> None:
    """Wrong shared secret, where Message-Authenticator proves it: the device and the option."""
    request = login_request("alice", PASSWORD.encode(), secret="another")
    assert exchange(log.lab.addresses["good"], request, source="127.0.3.1", wait_s=0.2) is None
    log.has(
        log.section("good"),
        "warn",
        "Dropped a request from 127.0.3.1: its Message-Authenticator does not fit. The shared secret differs: make "
        f"radius_secret_1 of [{log.section('good')}] equal to the secret on the device.",
    )


def test_an_unknown_device(log: Log) -> None:
    """Unknown device: its address, and the options that would make it known."""
    assert log.ask("narrow", wait_s=0.2) is None
    section = log.section("narrow")
    log.has(
        section,
        "warn",
        f"Dropped a request from 127.0.0.1: no radius_ip_n of [{section}] names this address. If it is one of your "
        f"devices, add its address as a radius_ip_n with its radius_secret_n to [{section}].",
    )


def test_a_retry_that_joined_its_login(log: Log) -> None:
    """Duplicate joined: the device should wait longer; the newest request gets the answer, the user one push."""
    before = log.lab.controls.asked("slow").get("push", 0)
    with RawDevice(log.lab.addresses["good"]) as device:
        device.send(login_request("slow", PASSWORD.encode(), STATION, identifier=1))
        push = log.lab.controls.pending("slow")
        device.send(login_request("slow", PASSWORD.encode(), STATION, identifier=2))
        log.has(
            log.section("good"),
            "warn",
            "127.0.0.1 asked again for slow while that login was going on; the new request joined it, and gets its "
            "answer. Give the RADIUS server on the device a time-out of 60 seconds or more and one try, so that it "
            "need not ask again.",
        )
        log.lab.controls.answer(push, "approve")
        answer = device.receive()
    assert answer is not None
    assert (answer[0][0], answer[0][1]) == (Code.ACCESS_ACCEPT, 2)
    assert log.lab.controls.asked("slow")["push"] == before + 1


def test_a_device_that_stopped_waiting(log: Log) -> None:
    """A device that stopped retrying before the answer: how long ago, and the time-out to raise."""
    request = login_request("slow", PASSWORD.encode(), STATION)
    with RawDevice(log.lab.addresses["good"], "127.0.3.2") as device:
        device.send(request)
        push = log.lab.controls.pending("slow")
        assert device.receive(0.6) is None  # its own time-out
        device.send(request)
        assert device.receive(2.6) is None  # it has given up
        log.lab.controls.answer(push, "approve")
        log.has(
            log.section("good"),
            "warn",
            "The answer to 127.0.3.2 came <n> s after its last try, when the device had probably given up: it had "
            "repeated its request about every <n> s. Raise the RADIUS time-out on the device to 60 seconds or more.",
        )


# ── Duo ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_ikey(log: Log) -> None:
    """Wrong ikey: which one, and where it is copied from."""
    assert log.ask("ikey") == Code.ACCESS_REJECT
    log.has_login(
        "ikey",
        "warn",
        "alice",
        "factor=none result=reject cause=duo-refused-us",
        f"{log.service}: it does not know the integration key {OTHER_IKEY}; copy ikey of [{log.section('ikey')}] again "
        "from the application's page in the Duo Admin Panel",
    )


def test_a_wrong_skey(log: Log) -> None:
    """Wrong skey: to which ikey it does not belong."""
    assert log.ask("skey") == Code.ACCESS_REJECT
    log.has_login(
        "skey",
        "warn",
        "alice",
        "factor=none result=reject cause=duo-refused-us",
        f"{log.service}: the secret key does not belong to {IKEY}; copy skey of [{log.section('skey')}] again from the "
        "application's page in the Duo Admin Panel",
    )


def test_an_application_type_that_is_refused(log: Log) -> None:
    """Application type refused, by both generations of the API: which kind to protect instead."""
    log.lab.controls.call("/sandbox/generations", {"refused": {"v1": 403, "v2": 403}})
    try:
        assert log.ask("type") == Code.ACCESS_REJECT
    finally:
        log.lab.controls.call("/sandbox/generations", {"refused": {}})
    log.has_login(
        "type",
        "warn",
        "alice",
        "factor=none result=reject cause=duo-refused-us",
        f"{log.service}: the application of {IKEY} may not ask for logins; in the Duo Admin Panel protect an "
        f"application of a RADIUS type, and set its ikey and skey in [{log.section('type')}]",
    )


def test_a_clock_that_is_wrong(log: Log) -> None:
    """Clock drift: how far and which way, what is done about it, and how to mend it; logins go on."""
    log.lab.controls.call("/sandbox/clock", {"offset_s": 400})
    try:
        assert log.ask("clock") == Code.ACCESS_ACCEPT
    finally:
        log.lab.controls.call("/sandbox/clock", {"offset_s": 0})
    section = log.section("clock")
    log.has(
        section,
        "warn",
        f"[{section}] This machine's clock is <n> s behind the clock of {log.service}. Requests are signed with the "
        "service's time until it is right: timedatectl set-ntp true",
    )


def test_a_certificate_that_is_not_trusted(log: Log) -> None:
    """Untrusted certificate: a line of its own with the issuer and the option, beside that of the login."""
    assert log.ask("untrusted") == Code.ACCESS_REJECT
    section = log.section("untrusted")
    issuer = r"CN=duoproxy sandbox (throw-away CA\, not secure)"
    cause = f"its certificate is refused: the certificate of its issuer is not known (issuer: {issuer})"
    log.has(
        section,
        "error",
        f"[{section}] {log.service}: {cause}. No login of this section can be asked of Duo; if a gateway "
        "opens TLS on the way, name its CA certificate in http_ca_certs_file.",
    )


def test_duo_is_away_and_failmode_is_safe(log: Log) -> None:
    """Duo away, failmode=safe: let in without a second factor, as a warning that says so."""
    assert log.ask("away-safe") == Code.ACCESS_ACCEPT
    log.has_login(
        "away-safe",
        "warn",
        "alice",
        "factor=none result=accept cause=failmode-safe",
        f"{log.away}: no connection (Connection refused); let this machine reach api_host at TCP port {log.nobody}. "
        "failmode=safe: let in without a second factor.",
    )


def test_duo_is_away_and_failmode_is_secure(log: Log) -> None:
    """Duo away, failmode=secure: rejected, as a warning that says so."""
    assert log.ask("away-secure") == Code.ACCESS_REJECT
    log.has_login(
        "away-secure",
        "warn",
        "alice",
        "factor=none result=reject cause=failmode-secure",
        f"{log.away}: no connection (Connection refused); let this machine reach api_host at TCP port {log.nobody}. "
        "failmode=secure: rejected.",
    )


def test_no_device_can_do_what_is_asked(log: Log) -> None:
    """No usable factor: what was looked for, and what the user or the administrator can do."""
    assert log.ask("good", "carol") == Code.ACCESS_REJECT
    log.has_login(
        "good",
        "info",
        "carol",
        "factor=none result=reject cause=no-usable-factor",
        "No device of the user can do any of factors=auto: add a device in Duo, or let the user append a passcode.",
    )


# ── the server that checks passwords ───────────────────────────────────────────────────────────────────────────────


def test_the_upstream_refuses(log: Log) -> None:
    """Upstream away: nothing listens there; the login line points at the line about the server."""
    assert log.ask("refused", wait_s=0.5) is None
    name = f"RADIUS server 127.0.0.1:{log.nobody_radius}"
    log.has(
        "radius_client",
        "warn",
        f"{name} refuses: nothing listens on that port. Start the RADIUS service there, or correct host and port.",
    )
    log.has_login(
        "refused",
        "warn",
        "alice",
        "factor=none result=silence cause=primary-unreachable",
        f"{name}: no RADIUS server gave a valid answer; look for the lines of [radius_client] before this one",
    )


def test_the_upstream_is_silent(log: Log) -> None:
    """Upstream away: no answer; for how long it is left out, and what to look at."""
    assert log.ask("mute") == Code.ACCESS_REJECT
    name = f"RADIUS server 127.0.0.1:{log.mute}"
    log.has(
        "radius_client2",
        "warn",
        f"{name} did not answer and is left out for <n> seconds. Check that it runs, that it knows this proxy as a "
        "client with the same secret, and that no firewall is between.",
    )
    log.has_login(
        "mute",
        "warn",
        "alice",
        "factor=none result=reject cause=primary-unreachable",
        f"{name}: no RADIUS server gave a valid answer; look for the lines of [radius_client2] before this one",
    )
