"""authproxy_connectivity_tool with OpenLDAP, FreeRADIUS and the stand-in for Duo: healthy, and with each fault."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import freeradius as upstream
from tests.peers import peer, slapd
from tests.peers.authority import DAY, Authority
from tests.peers.connectivity import ToolRun, masked, run_tool, tool_on
from tests.peers.controls import Controls
from tests.peers.freeradius import running_freeradius
from tests.peers.ports import free_port, free_ports
from tests.peers.proxy import start_proxy
from tests.peers.sandbox import IKEY, RADIUS_SECRET, SKEY, SandboxPorts, sandbox_sections
from tests.peers.server import RunningServer
from tests.peers.slapd import BASE, SERVICE_DN, Slapd, group, group_dn, person, running_slapd

pytestmark = pytest.mark.needs_peer(*slapd.PEERS, "freeradius")

NOT_TESTED = "[info]  The section was not tested."
NO_LDAP_ISSUES = ["[info]  The LDAP Client section has no connectivity issues."]
LDAP_ISSUES = "[error]  The LDAP Client section has connectivity issues."
NO_RADIUS_ISSUES = ["[info]  The RADIUS Client section has no connectivity issues."]
RADIUS_ISSUES = "[error]  The RADIUS Client section has connectivity issues."
NO_SERVER_PROBLEMS = ["[info]  The RADIUS Server has no connectivity problems."]
SERVER_PROBLEMS = "[error]  The RADIUS Server has connectivity problems."


@dataclass(frozen=True)
class World:
    """Everything that a configuration may lead to, running."""

    slapd: Slapd
    radius_port: int
    proxy: RunningServer
    ports: SandboxPorts
    controls: Controls
    authority: Authority

    def ad_client(self, **more: object) -> dict[str, dict[str, object]]:
        """A file whose passwords the directory checks."""
        return {"ad_client": self.slapd.options("starttls", **more), **self.server()}

    def radius_client(self, **more: object) -> dict[str, dict[str, object]]:
        """A file whose passwords FreeRADIUS checks."""
        options = {"host": "127.0.0.1", "port": self.radius_port, "secret": upstream.SECRET, **more}
        return {"radius_client": options, **self.server()}

    def server(self, **more: object) -> dict[str, dict[str, object]]:
        """One listener on a free port, and the Duo of the running proxy."""
        return {
            "radius_server_auto": {
                "ikey": IKEY,
                "skey": SKEY,
                "api_host": f"localhost:{self.ports.api}",
                "http_ca_certs_file": self.proxy.folder / "sandbox-ca.pem",
                "radius_ip_1": "127.0.0.1",
                "radius_secret_1": RADIUS_SECRET,
                "interface": "127.0.0.1",
                "port": free_port(),
                **more,
            }
        }

    def duo(self, **more: object) -> dict[str, dict[str, object]]:
        """A file without a password check."""
        return {"duo_only_client": {}, **self.server(**more)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    entries = [person("alice"), group("vpn", [f"uid=alice,{slapd.PEOPLE}"])]
    program = peer.peer("freeradius").path()
    assert program is not None
    [radius_port] = free_ports(1)
    ports = SandboxPorts(*free_ports(2))
    users = {"alice": upstream.User("secret")}
    with (
        running_slapd(folder / "slapd", entries) as directory,
        running_freeradius(program, radius_port, users, folder=folder / "radius"),
    ):
        sections = {
            "ad_client": directory.options("starttls", security_group_dn=group_dn("vpn")),
            "radius_client": {"host": "127.0.0.1", "port": radius_port, "secret": upstream.SECRET},
            **sandbox_sections(ports, client="ad_client"),
        }
        proxy = start_proxy(folder / "proxy", sections)
        (folder / "proxy" / "log").mkdir()
        try:
            controls = Controls(ports.api, proxy.folder / "sandbox-ca.pem")
            yield World(
                directory, radius_port, proxy, ports, controls, Authority(folder / "other", "another authority")
            )
        finally:
            proxy.stop()


HEALTHY = """\
Running the connectivity tool of duoproxy. This may take several minutes.
[info]  Testing section 'main' with configuration:
[info]  {'log_dir': 'FOLDER/log',
[info]   'log_stdout': 'true'}
[info]  There are no configuration problems
[info]  -----------------------------
[info]  Testing section 'ad_client' with configuration:
[info]  {'at_attribute': 'mail',
[info]   'auth_type': 'plain',
[info]   'bind_dn': 'cn=svc-duo,dc=example,dc=test',
[info]   'host': '127.0.0.1',
[info]   'port': 'LDAP',
[info]   'search_dn': 'dc=example,dc=test',
[info]   'security_group_dn': 'cn=vpn,ou=groups,dc=example,dc=test',
[info]   'service_account_password': '*****',
[info]   'service_account_username': 'svc-duo',
[info]   'ssl_ca_certs_file': 'DIRECTORY_CA',
[info]   'transport': 'starttls',
[info]   'username_attribute': 'uid'}
[info]  There are no configuration problems
[info]  -----------------------------
[info]  Testing section 'radius_client' with configuration:
[info]  {'host': '127.0.0.1',
[info]   'port': 'UPSTREAM',
[info]   'secret': '*****'}
[info]  There are no configuration problems
[info]  -----------------------------
[info]  Testing section 'radius_server_auto' with configuration:
[info]  {'api_host': 'localhost:API',
[info]   'client': 'ad_client',
[info]   'failmode': 'secure',
[info]   'http_ca_certs_file': 'sandbox-ca.pem',
[info]   'ikey': 'DISANDBOX00000000000',
[info]   'interface': '127.0.0.1',
[info]   'port': 'RADIUS',
[info]   'radius_ip_1': '127.0.0.1',
[info]   'radius_secret_1': '*****',
[info]   'skey': '*****[40]'}
[info]  There are no configuration problems
[info]  -----------------------------
"""
TESTED = {
    "main": "There are no connectivity problems with the section.",
    "ad_client": "The LDAP Client section has no connectivity issues.",
    "radius_client": "The RADIUS Client section has no connectivity issues.",
    "radius_server_auto": "The RADIUS Server has no connectivity problems.",
    "sandbox_duo": "There are no connectivity problems with the section.",
}


def test_a_healthy_installation_is_told_so(world: World) -> None:
    """Two passes with every section and its options, a verdict each, a summary, and where it was logged."""
    run = run_tool(world.proxy.folder / "authproxy.cfg")
    names = [
        (world.proxy.folder, "FOLDER"),
        (world.slapd.ca_file, "DIRECTORY_CA"),
        (world.slapd.port, "LDAP"),
        (world.radius_port, "UPSTREAM"),
        (world.ports.api, "API"),
        (world.ports.radius, "RADIUS"),
    ]
    text = masked(run.text, names)
    assert run.errors == ""
    assert text.startswith(HEALTHY)
    assert {name: run.tested(name) for name in TESTED} == {name: [f"[info]  {one}"] for name, one in TESTED.items()}
    assert text.endswith(
        "[info]  SUMMARY\n[info]  No issues detected\n\n"
        "The results have also been logged in FOLDER/log/connectivity_tool.log.\n"
    )
    assert run.status == 0
    logged = masked(run.log, names)
    assert logged == "TIME\n" + text.partition("\n\nThe results")[0] + "\n"


def test_the_tool_speaks_json(world: World, tmp_path: Path) -> None:
    """For programs that watch: the same facts, nothing else on standard output."""
    run = tool_on(tmp_path, world.duo(), "--json")
    report = run.json()
    assert (run.status, report["ok"], report["errors"], report["warnings"]) == (0, True, 0, 0)
    assert [section["name"] for section in report["sections"]] == ["main", "duo_only_client", "radius_server_auto"]
    assert report["sections"][1]["verdict"] == "No testing to be done for section."
    assert report["sections"][2]["configuration"]["skey"] == "*****[40]"
    assert SKEY not in run.text
    assert RADIUS_SECRET not in run.text


# ── directories ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_directory_is_well(world: World, tmp_path: Path) -> None:
    """Connection, StartTLS, service account, search base and group."""
    run = tool_on(tmp_path, world.ad_client(security_group_dn=group_dn("vpn")))
    assert run.tested("ad_client") == NO_LDAP_ISSUES


def test_a_wrong_service_password_is_tried_once(world: World, tmp_path: Path) -> None:
    """Each try counts towards a lock-out, so that the second server is left alone."""
    begin = len(world.slapd.server.output())
    run = tool_on(tmp_path, world.ad_client(service_account_password="wr0ng", host_2="localhost"))
    port = world.slapd.port
    assert run.tested("ad_client") == [
        f"[error]  Directory 127.0.0.1:{port}: the service account is refused: name or password is wrong "
        "(invalidCredentials), result 49. Check service_account_username and service_account_password. A locked or "
        "expired account may be answered so, too: look at its password policy.",
        f"[info]  Directory localhost:{port} was not tried, because 127.0.0.1:{port} refuses the service account. Each "
        "further try would count towards its lock-out.",
        LDAP_ISSUES,
    ]
    assert world.slapd.server.output()[begin:].count(f'BIND dn="{SERVICE_DN}" method=128') == 1
    assert run.status == 1


def test_an_unknown_search_base(world: World, tmp_path: Path) -> None:
    """Nobody would be found."""
    run = tool_on(tmp_path, world.ad_client(search_dn=f"ou=nowhere,{BASE}"))
    assert run.tested("ad_client") == [
        f"[error]  Directory 127.0.0.1:{world.slapd.port}: there is no such entry (noSuchObject), result 32. Check "
        "search_dn, bind_dn and security_group_dn.",
        LDAP_ISSUES,
    ]


def test_a_missing_group(world: World, tmp_path: Path) -> None:
    """Nobody could log in by it; one of two is enough for the other's members, and still an error."""
    groups = {"security_group_dn": group_dn("vpn"), "security_group_dn_2": group_dn("gone")}
    run = tool_on(tmp_path, world.ad_client(**groups))
    assert run.tested("ad_client") == [
        f"[error]  The group {group_dn('gone')} of security_group_dn cannot be found: nobody can log in by it. Check "
        "its DN, and that the service account may read it.",
        LDAP_ISSUES,
    ]


def test_an_untrusted_directory(world: World, tmp_path: Path) -> None:
    """The issuer is named, and the option to set."""
    run = tool_on(tmp_path, world.ad_client(ssl_ca_certs_file=world.authority.ca_file))
    assert run.tested("ad_client") == [
        f"[error]  Directory 127.0.0.1:{world.slapd.port}: its certificate is not trusted: it ends in a "
        "self-signed certificate that is not trusted (issuer: CN=slapd test authority). Set ssl_ca_certs_file to the "
        "certificate of the authority that issues it; where the host name alone does not fit, correct host, or set "
        "ssl_verify_hostname=false.",
        LDAP_ISSUES,
    ]


def test_a_directory_that_is_down(world: World, tmp_path: Path) -> None:
    """With the words of the system; the server behind it is tried all the same."""
    port = free_port()
    run = tool_on(tmp_path, world.ad_client(port=port))
    assert run.tested("ad_client") == [
        f"[error]  Directory 127.0.0.1:{port}: no connection (Connection refused). Let this machine reach it at TCP "
        f"port {port}.",
        LDAP_ISSUES,
    ]


# ── RADIUS servers ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_radius_server_answers_without_status_server(world: World, tmp_path: Path) -> None:
    """A reject of a name that cannot exist is an answer."""
    assert tool_on(tmp_path, world.radius_client()).tested("radius_client") == NO_RADIUS_ISSUES


def test_radius_server_answers_status_server(world: World, tmp_path: Path) -> None:
    """Nobody's name is sent then: another proxy of ours answers it."""
    run = tool_on(tmp_path, world.radius_client(port=world.ports.radius, secret=RADIUS_SECRET))
    assert run.tested("radius_client") == NO_RADIUS_ISSUES
    assert "duoproxy-connectivity-test" not in world.proxy.output()


def test_a_wrong_radius_secret(world: World, tmp_path: Path) -> None:
    """FreeRADIUS drops what is signed with another secret, and answers what is not signed at all."""
    run = tool_on(tmp_path, world.radius_client(secret="wrong"))
    assert run.tested("radius_client") == [
        f"[error]  RADIUS server 127.0.0.1:{world.radius_port} has another shared secret. Make secret of "
        "[radius_client] equal to the secret that the server has for this machine.",
        RADIUS_ISSUES,
    ]


def test_a_radius_server_that_is_down(world: World, tmp_path: Path) -> None:
    """ICMP says so at once."""
    port = free_port()
    run = tool_on(tmp_path, world.radius_client(port=port))
    assert run.tested("radius_client") == [
        f"[error]  RADIUS server 127.0.0.1:{port}: nothing listens there. Start the server, or correct host and port.",
        RADIUS_ISSUES,
    ]


def test_a_radius_server_that_is_silent(world: World, tmp_path: Path) -> None:
    """What may be the reason is listed, with our address as the server sees it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        started = time.monotonic()
        run = tool_on(tmp_path, world.radius_client(port=port))
    assert run.tested("radius_client") == [
        f"[error]  RADIUS server 127.0.0.1:{port} gives no answer. Make this machine (127.0.0.1) one of its clients "
        f"with the same secret as secret, and let UDP port {port} through; the log of that server says which of these "
        "it is.",
        RADIUS_ISSUES,
    ]
    assert time.monotonic() - started < 30


# ── Duo ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_skey(world: World, tmp_path: Path) -> None:
    """Its length is right, its content is not."""
    run = tool_on(tmp_path, world.duo(skey="x" * 40))
    assert run.tested("radius_server_auto") == [
        f"[error]  Duo (localhost:{world.ports.api}): the secret key does not belong to {IKEY}. Copy skey of "
        "[radius_server_auto] again from the application's page in the Duo Admin Panel.",
        SERVER_PROBLEMS,
    ]
    assert run.summary()[:2] == [
        f"[error]  [radius_server_auto] Duo (localhost:{world.ports.api}): the secret key does not belong to {IKEY}. "
        "Copy skey of [radius_server_auto] again from the application's page in the Duo Admin Panel.",
        "[info]  1 error detected",
    ]


def test_a_skey_of_the_wrong_length_is_seen_in_the_report(world: World, tmp_path: Path) -> None:
    """`*****[39]` and a warning, without the key itself."""
    run = tool_on(tmp_path, world.duo(skey=SKEY[:-1]))
    assert "[info]   'skey': '*****[39]'}\n" in run.text
    assert "skey: a secret key has 40 characters, this one has 39." in run.text


@pytest.fixture
def fresh(world: World) -> Iterator[World]:
    """The stand-in for Duo without faults before and after."""
    world.controls.reset()
    yield world
    world.controls.call("/sandbox/clock", {"offset_s": 0})
    world.controls.call("/sandbox/generations", {"refused": {}})
    world.controls.reset()


@pytest.mark.parametrize(("offset_s", "direction"), [(30, "behind"), (-400, "ahead of")])
def test_a_clock_that_is_wrong(fresh: World, tmp_path: Path, offset_s: int, direction: str) -> None:
    """A warning from ten seconds on; logins work, since Duo's own time is used."""
    fresh.controls.call("/sandbox/clock", {"offset_s": offset_s})
    run = tool_on(tmp_path, fresh.duo())
    [drift, verdict] = run.tested("radius_server_auto")
    seconds = int(drift.split(" clock is ")[1].split()[0])
    assert abs(seconds - abs(offset_s)) <= 2
    assert drift == (
        f"[warn]  This machine's clock is {seconds} s {direction} the clock of Duo (localhost:{fresh.ports.api}). Set "
        "it: timedatectl set-ntp true."
    )
    assert [verdict] == NO_SERVER_PROBLEMS
    assert run.status == 0


def test_an_application_of_the_older_kind_is_well(fresh: World, tmp_path: Path) -> None:
    """403/40301 for one generation of the API is no fault while the other one answers."""
    fresh.controls.call("/sandbox/generations", {"refused": {"v2": 403}})
    run = tool_on(tmp_path, fresh.duo())
    assert run.tested("radius_server_auto") == [
        f"[info]  Duo (localhost:{fresh.ports.api}): the application of {IKEY} may not call /auth/v2; /rest/v1 is used "
        "for it. That is well: applications of older kinds are made so. api_generation = v1 spares the first try.",
        *NO_SERVER_PROBLEMS,
    ]
    assert run.summary()[0] == "[info]  No issues detected"


def test_an_application_of_the_wrong_kind(fresh: World, tmp_path: Path) -> None:
    """Neither generation may be called: Duo's page says which kinds are for this."""
    fresh.controls.call("/sandbox/generations", {"refused": {"v1": 403, "v2": 403}})
    run = tool_on(tmp_path, fresh.duo())
    assert run.tested("radius_server_auto") == [
        f"[error]  Duo (localhost:{fresh.ports.api}): the application of {IKEY} may not ask for logins. In the Duo "
        "Admin Panel protect an application of a RADIUS type, and set its ikey and skey in [radius_server_auto].",
        SERVER_PROBLEMS,
    ]


def test_duo_that_is_down(world: World, tmp_path: Path) -> None:
    """Nothing listens at api_host."""
    port = free_port()
    run = tool_on(tmp_path, world.duo(api_host=f"localhost:{port}"))
    assert run.tested("radius_server_auto") == [
        f"[error]  Duo (localhost:{port}): no connection (Connection refused). Let this machine reach api_host at TCP "
        f"port {port}.",
        SERVER_PROBLEMS,
    ]


def test_duo_behind_a_certificate_that_is_not_trusted(world: World, tmp_path: Path) -> None:
    """A gateway that opens TLS looks like this."""
    run = tool_on(tmp_path, world.duo(http_ca_certs_file=world.authority.ca_file))
    [found, verdict] = run.tested("radius_server_auto")
    assert found.startswith(f"[error]  Duo (localhost:{world.ports.api}): its certificate is refused: ")
    assert found.endswith("If a gateway opens TLS on the way, name its CA certificate in http_ca_certs_file.")
    assert verdict == SERVER_PROBLEMS


# ── ports, files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_port_of_another_program_is_named(world: World, tmp_path: Path) -> None:
    """With its process id, as far as we may know it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        run = tool_on(tmp_path, world.duo(port=port))
        name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    assert run.tested("radius_server_auto") == [
        f"[error]  UDP port {port} on 127.0.0.1 is held by {name} (process {os.getpid()}), which is not the service of "
        "this file. Stop it, or write another number in the option port of this section and on the devices.",
        SERVER_PROBLEMS,
    ]


def test_a_port_of_the_service_of_another_file_is_named(world: World, tmp_path: Path) -> None:
    """Two installations on one port."""
    run = tool_on(tmp_path, world.duo(port=world.ports.radius))
    [found, verdict] = run.tested("radius_server_auto")
    assert f"is held by twistd (process {world.proxy.pid}), which is not the service of this file" in found
    assert verdict == SERVER_PROBLEMS


def test_an_address_that_this_machine_does_not_have(world: World, tmp_path: Path) -> None:
    """The remedy lists how to find those that it has."""
    run = tool_on(tmp_path, world.duo(interface="192.0.2.7"))
    [found, verdict] = run.tested("radius_server_auto")
    assert found.endswith(
        "on 192.0.2.7 cannot be listened on: this machine does not have that address. Write one of its own addresses "
        "(`ip address` lists them) in the option interface, or leave it out."
    )
    assert verdict == SERVER_PROBLEMS


def test_a_certificate_that_ends_soon_and_a_key_that_everybody_can_read(world: World, tmp_path: Path) -> None:
    """PEAP: days that are left, and the mode of the key."""
    pair = world.authority.issue("radius", ["radius.example.test"], valid=12 * DAY)
    pair.key.chmod(0o644)
    sections = world.duo(certs=pair.certificate, pkey=pair.key)
    sections["radius_server_eap"] = sections.pop("radius_server_auto")
    assert tool_on(tmp_path, sections).tested("radius_server_eap") == [
        f"[warn]  Everybody on this machine can read the key in {pair.key}. Run chmod o= {pair.key}; who may have read "
        "it has it.",
        "[warn]  The certificate in certs of [radius_server_eap] ends in 11 days. Renew it, and restart the proxy.",
        *NO_SERVER_PROBLEMS,
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_key_that_the_service_may_not_read(world: World, tmp_path: Path) -> None:
    """Whose account the service has is known from the log folder."""
    pair = world.authority.issue("radius", ["radius.example.test"])
    pair.key.chmod(0o600)
    sections = world.duo(certs=pair.certificate, pkey=pair.key)
    sections["radius_server_eap"] = sections.pop("radius_server_auto")
    (tmp_path / "log").mkdir()
    os.chown(tmp_path / "log", 65534, 65534)
    run = tool_on(tmp_path, sections)
    assert run.tested("radius_server_eap")[0] == (
        f"[error]  {pair.key} may not be read by nobody, the account of the service. Run chgrp nogroup {pair.key} && "
        f"chmod g+r {pair.key}."
    )
    assert (tmp_path / "log" / "connectivity_tool.log").stat().st_uid == 65534


def test_secrets_that_the_tool_may_not_read_are_not_guessed(world: World, tmp_path: Path) -> None:
    """A service account that is tried with a wrong password would be locked one day."""
    of_this_test = "cn=of-this-test,dc=example,dc=org"
    run = tool_on(
        tmp_path, world.ad_client(bind_dn=of_this_test, service_account_password="env:ONLY_THE_SERVICE_HAS_IT")
    )
    who = "the account of the service, with its environment"
    if os.geteuid() != 0:
        who = "root, or as the account of the service"
    assert run.tested("ad_client") == [
        f"[warn]  It was not tested, because this account cannot read service_account_password. Run the tool as {who}.",
        NOT_TESTED,
    ]
    assert of_this_test not in world.slapd.server.output()


def test_a_section_with_a_problem_does_not_hide_the_others(world: World, tmp_path: Path) -> None:
    """It is not tested; the rest is."""
    run = tool_on(tmp_path, world.radius_client(retries="many"))
    assert "retries: 'many' is not a whole number" in run.text
    assert run.tested("radius_client") == [
        "[info]  It was not tested, because its configuration has problems.",
        NOT_TESTED,
    ]
    assert run.tested("radius_server_auto") == NO_SERVER_PROBLEMS
    assert run.status == 1


def test_a_sandbox_that_does_not_run_is_not_blamed(tmp_path: Path) -> None:
    """What it stands in for answers only while the service runs."""
    run = tool_on(tmp_path, sandbox_sections(SandboxPorts(*free_ports(2))))
    assert run.tested("radius_server_auto") == [
        "[info]  It was not tested: the sandbox of this file answers only while the service runs.",
        NOT_TESTED,
    ]
    assert run.status == 0


def test_a_link_in_the_log_folder_is_not_followed(world: World, tmp_path: Path) -> None:
    """The owner of the log folder cannot make root write elsewhere."""
    (tmp_path / "log").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "log" / "connectivity_tool.log").symlink_to(victim)
    run: ToolRun = tool_on(tmp_path, world.duo())
    assert victim.read_text() == "untouched"
    assert not (tmp_path / "log" / "connectivity_tool.log").is_symlink()
    assert "SUMMARY" in run.log


def test_wrong_usage_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Status 2 and 1."""
    assert run_tool(tmp_path / "none.cfg", "--nonsense").status == 2
    run = run_tool(tmp_path / "none.cfg")
    assert run.status == 1
    assert run.text.splitlines()[1] == (
        f"[error]  {tmp_path / 'none.cfg'}: the file cannot be read (No such file or directory). Name a configuration "
        "file that can be read."
    )


# ── at the start of the service ────────────────────────────────────────────────────────────────────────────────────


def test_the_service_tests_itself_at_its_start(world: World, tmp_path: Path) -> None:
    """Whatever is found, it starts; the lines are in its log with their levels; its own port counts as its own."""
    sections = world.radius_client(secret="wrong")
    sections["main"] = {"test_connectivity_on_startup": "true"}
    proxy = start_proxy(tmp_path / "proxy", sections)
    try:
        proxy.wait_for_output(r"\[connectivity#info\] \[info\]  1 error detected$")
    finally:
        proxy.stop()
    log = proxy.output()
    assert log.index("duoproxy is ready") < log.index("Running the connectivity tool")
    assert (
        f"[connectivity#error] [error]  RADIUS server 127.0.0.1:{world.radius_port} has another shared secret." in log
    )
    assert "[connectivity#info] [info]   'secret': '*****'}" in log
    assert "[connectivity#info] [info]  The RADIUS Server has no connectivity problems." in log
    assert SKEY not in log


def test_a_service_that_is_stopped_meanwhile_does_not_wait(world: World, tmp_path: Path) -> None:
    """A silent server would keep the test for seconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        sections = world.radius_client(port=mute.getsockname()[1])
        sections["main"] = {"test_connectivity_on_startup": "true"}
        proxy = start_proxy(tmp_path / "proxy", sections)
        proxy.wait_for_output(r"Testing section 'radius_client'")
        status = proxy.stop()
        assert status == 0, f"{status}: {proxy.output()}"
    assert "internal error" not in proxy.output()
    assert "RADIUS Client section" not in proxy.output()
