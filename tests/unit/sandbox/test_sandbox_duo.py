"""[sandbox_duo]: its options, and what a file with it may do. conf/sandbox.cfg is checked too."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from duoproxy.config.validate import check_configuration, load_configuration
from duoproxy.radius.dictionary import Dictionary
from duoproxy.sandbox.accounts import Behaviour, DeviceKind
from duoproxy.sandbox.demo import NOT_SECURE
from duoproxy.sandbox.sandbox_duo import SandboxDuo, SandboxDuoSettings, find_faults, listens_on
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment
from duoproxy.sections.registry import load_registry

ROOT = Path(__file__).resolve().parents[3]
SECTION = """[sandbox_duo]
ikey=DISANDBOX00000000000
skey=this-key-is-public-and-not-secure-000000
ca_file=ca.pem
"""
SERVER = """[radius_server_auto]
ikey=DISANDBOX00000000000
skey=this-key-is-public-and-not-secure-000000
api_host=localhost:18443
http_ca_certs_file=ca.pem
radius_ip_1=127.0.0.1
radius_secret_1=testing123
"""
USERS = "[sandbox_users]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def problems(folder: Path, text: str) -> list[str]:
    path = folder / "authproxy.cfg"
    path.touch(mode=0o600)
    path.write_text(text)
    return [str(problem) for problem in check_configuration(path, load_registry().catalogue)]


def test_the_sandbox_of_this_repository_is_a_good_file(folder: Path) -> None:
    """`make run` starts on conf/sandbox.cfg: keys, ports and the CA file fit together."""
    path = folder / "sandbox.cfg"
    shutil.copy(ROOT / "conf" / "sandbox.cfg", path)
    path.chmod(0o600)
    configuration = load_configuration(path, load_registry().catalogue)
    assert [str(problem) for problem in configuration.warnings] == []
    servers = {server.name: server for server in configuration.servers}
    by_name = ["sandbox_duo", "radius_server_auto", "sandbox_directory", "radius_server_auto2", "ldap_server_auto"]
    assert list(servers) == by_name
    sandbox = servers["sandbox_duo"]
    for server in (servers["radius_server_auto"], servers["radius_server_auto2"], servers["ldap_server_auto"]):
        assert server.settings.http_ca_certs_file == sandbox.settings.ca_file
        assert (server.settings.ikey, server.settings.skey) == (sandbox.settings.ikey, sandbox.settings.skey)
        assert server.settings.api_host == f"localhost:{sandbox.settings.port}"
        assert server.settings.interface == "127.0.0.1"
    clients = [server.client for server in configuration.servers]
    assert clients == [None, "sandbox_users", None, "ad_client", "ad_client"]


def test_the_two_directories_of_this_repository_fit_together(folder: Path) -> None:
    """[ad_client] of conf/sandbox.cfg asks [sandbox_directory]; the printed port is that of its server."""
    path = folder / "sandbox.cfg"
    shutil.copy(ROOT / "conf" / "sandbox.cfg", path)
    path.chmod(0o600)
    configuration = load_configuration(path, load_registry().catalogue)
    servers = {server.name: server.settings for server in configuration.servers}
    (client,) = (client.settings for client in configuration.clients if client.name == "ad_client")
    directory = servers["sandbox_directory"]
    assert (client.host[1], client.port, client.search_dn) == (directory.interface, directory.port, directory.base_dn)
    assert client.security_group_dn[1] == f"CN=VPN Users,OU=Groups,{directory.base_dn}"
    assert directory.login_port == servers["radius_server_auto2"].port


def test_users_are_read_from_their_lines(folder: Path) -> None:
    """Each line becomes a behaviour, under its number."""
    path = folder / "authproxy.cfg"
    path.touch(mode=0o600)
    path.write_text(SECTION + "user_1=alice push\nuser_2=carol passcode 424242\n" + SERVER + USERS)
    configuration = load_configuration(path, load_registry().catalogue)
    settings = next(one.settings for one in configuration.servers if one.kind == "sandbox_duo")
    assert settings.user == {
        1: Behaviour("alice"),
        2: Behaviour("carol", devices=(DeviceKind.TOKEN,), passcode="424242"),
    }
    assert listens_on(settings) == [("tcp", "127.0.0.1", 18443)]


def test_a_user_that_cannot_be_read_is_an_error_with_its_line(folder: Path) -> None:
    """The error says where, what, and which words there are."""
    found = problems(folder, SECTION + "user_1=alice pushh\n" + SERVER + USERS)
    assert len(found) == 1
    assert "authproxy.cfg:5 [sandbox_duo] user_1: 'pushh' is not one of: push, phone, sms, passcode" in found[0]


def test_a_file_with_the_sandbox_listens_on_loopback_only(folder: Path) -> None:
    """Another interface is an error in any section of the file."""
    found = problems(folder, SECTION + SERVER + "interface=0.0.0.0\n" + USERS)
    assert any("[radius_server_auto] interface" in problem and problem.startswith("error") for problem in found)
    assert SandboxDuo.schema.loopback_only


def test_a_user_who_is_listed_twice_is_a_fault() -> None:
    """Names differ in more than their case."""
    settings = SandboxDuoSettings(
        ikey="DI", skey=Secret("x"), ca_file=Path("ca.pem"), user={1: Behaviour("alice"), 2: Behaviour("ALICE")}
    )
    assert list(find_faults(settings)) == [("user_2", "its name is also that of user_1", "Delete one of the two")]


@pytest.mark.parametrize(("log_stdout", "logged"), [(True, 1), (False, 24)])
def test_each_start_says_not_secure_on_standard_output_and_in_the_log(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, log_stdout: bool, logged: int
) -> None:
    """The commands stand on standard output as they are typed; the log has them too unless it goes there as well."""
    main = SimpleNamespace(log_stdout=log_stdout)
    environment = Environment("sandbox_duo", Clock(), bytes, Dictionary([]), lambda event: None, main)
    settings = SandboxDuoSettings(ikey="DI", skey=Secret("x"), ca_file=tmp_path / "ca.pem", port=19443)
    starting = SandboxDuo(settings, environment).start()
    with capturedLogs() as events, pytest.raises(StopIteration):
        starting.send(None)
    printed = capfd.readouterr().out.splitlines()
    assert printed[1] == NOT_SECURE
    assert "Phone page:    https://localhost:19443/phone/" in printed[3]
    assert printed[5].endswith("duoproxy-login --user alice --password password")
    assert events[0]["line"] == NOT_SECURE
    assert len(events) == logged


def test_the_ca_file_is_written_by_the_service_user_and_not_by_root(tmp_path: Path) -> None:
    """Ports are taken as root, and whoever owns the configuration names the file: root would make it anywhere."""
    reactor = MemoryReactorClock()
    main = SimpleNamespace(log_stdout=True)
    environment = Environment("sandbox_duo", reactor, bytes, Dictionary([]), lambda event: None, main)
    file = tmp_path / "ca.pem"
    section = SandboxDuo(SandboxDuoSettings(ikey="DI", skey=Secret("x"), ca_file=file), environment)
    section.bind()
    assert not file.exists()
    with pytest.raises(StopIteration):
        section.start().send(None)
    assert file.read_bytes().endswith(section.listener.certificates.ca_pem)
