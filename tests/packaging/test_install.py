"""./install on a system with systemd: what it leaves, how it is started, upgraded, taken back and removed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.packaging import builds
from tests.packaging.builds import BASE
from tests.packaging.conftest import NewRoot
from tests.packaging.private_root import PrivateRoot, until

# the first of them builds what all install
pytestmark = [
    pytest.mark.needs_peer("systemd", "systemd-nspawn", "python3-venv", "radclient"),
    pytest.mark.timeout(400),
]

CTL = f"{BASE}/bin/authproxyctl"
LOGIN = "echo User-Name=ivan,User-Password=password | radclient -t 10 -r 1 127.0.0.1:18120 auth testing123"
MAIN_PID = "systemctl show --property MainPID --value duoauthproxy"
CAP_NET_BIND_SERVICE = 1 << 10


def configure(root: PrivateRoot) -> None:
    """Let the installation stand on the sandbox; the file keeps owner and mode."""
    root.path(f"{BASE}/conf/authproxy.cfg").write_text(builds.sandbox_configuration())


def started(root: PrivateRoot) -> PrivateRoot:
    configure(root)
    root.run(CTL, "start", "--no-report")
    return root


def says_version(root: PrivateRoot) -> str:
    return root.shell(f"{BASE}/usr/local/bin/python -c 'import duoproxy; print(duoproxy.__version__)'").strip()


def install(root: PrivateRoot, build: Path, *options: str, check: bool = True) -> tuple[int, str]:
    root.copy_in(build, "/srv/build")
    done = root.run("/srv/build/install", *(options or ("--silent",)), check=check)
    return done.returncode, done.stdout


def facts(root: PrivateRoot, *names: str) -> list[str]:
    """Owner, group, mode and name of files of the installation."""
    paths = [f"{BASE}/{name}" for name in names]
    return root.run("stat", "--format=%U:%G %a %n", *paths).stdout.replace(f" {BASE}/", " ").splitlines()


def test_layout_owners_and_modes_after_installing(new_root: NewRoot) -> None:
    """Only root writes, but for log and run; only the service reads its configuration; logs are for the log group."""
    root = new_root(installed=True)
    assert facts(root, "bin", "usr", "conf", "conf/authproxy.cfg", "log", "run", "install.log") == [
        "root:root 755 bin",
        "root:root 755 usr",
        "root:duo_authproxy_grp 750 conf",
        "duo_authproxy_svc:root 400 conf/authproxy.cfg",
        "duo_authproxy_svc:duo_authproxy_grp 750 log",
        "duo_authproxy_svc:duo_authproxy_grp 750 run",
        "root:root 640 install.log",
    ]
    assert root.shell(f"find {BASE} -xdev ! -type l -perm /022 ! -path {BASE}/log ! -path {BASE}/run") == ""
    assert root.shell("getent passwd duo_authproxy_svc").strip().endswith("/nologin")
    assert root.shell(f"readlink -f {CTL}").startswith(f"{BASE}/usr/env-{builds.version_of_tree()}-")
    assert "second factor" in root.shell(f"cat {BASE}/doc/README.md")
    # where the original has its bundle: a file that names it goes on to work
    bundle = root.shell(f"readlink -e {BASE}/conf/ca-bundle.crt").strip()
    assert bundle.endswith("/site-packages/duo_client/ca_certs.pem")
    assert "BEGIN CERTIFICATE" in root.shell(f"cat {bundle}")


def test_every_command_of_the_package_stands_in_bin(new_root: NewRoot) -> None:
    """Each console script of setup.cfg has its link in bin/, and says its help there."""
    root = new_root(installed=True)
    text = (builds.ROOT / "setup.cfg").read_text().split("console_scripts =")[1].split("[")[0]
    commands = sorted(re.findall(r"^    ([\w-]+) =", text, re.MULTILINE))
    assert root.shell(f"ls {BASE}/bin").split() == commands
    helps = [root.run(f"{BASE}/bin/{command}", "--help", check=False) for command in commands if command != "authproxy"]
    assert [done.returncode for done in helps] == [0] * len(helps)


def test_unconfigured_it_does_not_start_and_says_why(new_root: NewRoot) -> None:
    """The sample that is installed has no active section: start says so, and nothing runs."""
    root = new_root(boot=True, installed=True)
    done = root.run(CTL, "start", check=False)
    assert done.returncode == 1
    assert "no server section is active" in done.stdout
    assert root.run(CTL, "status", check=False).returncode == 3


def test_a_login_with_a_second_factor_after_installing(new_root: NewRoot) -> None:
    """start with its report, status, a login approved by push, and a process with one capability and no way to more."""
    root = new_root(boot=True, installed=True)
    configure(root)
    report = root.run(CTL, "start").stdout.splitlines()
    assert report[0].startswith("Running the connectivity tool of duoproxy.")
    assert "[info]  SUMMARY" in report
    assert report[-1] == "The proxy runs."
    assert "Received Access-Accept" in root.shell(LOGIN)
    assert root.run(CTL, "status", check=False).returncode == 0
    status = dict(line.split(":\t", 1) for line in root.shell(f"cat /proc/$({MAIN_PID})/status").splitlines())
    sets = {name: int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")}
    assert set(sets.values()) == {CAP_NET_BIND_SERVICE}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert 0 not in map(int, status["Uid"].split())
    assert "duo_authproxy_grp 640" in root.shell(f"stat --format='%G %a' {BASE}/log/authproxy.log")
    root.run(CTL, "stop")
    assert root.run(CTL, "status", check=False).returncode == 3


def test_log_syslog_reaches_the_journal_out_of_the_sandbox_of_the_unit(new_root: NewRoot) -> None:
    """Each line is there with facility, severity, name and process; a journal that is started anew is found again."""
    root = new_root(boot=True, installed=True)
    root.run("systemctl", "start", "systemd-journald.service")
    text = builds.sandbox_configuration().replace("[main]", "[main]\nlog_syslog=true\nsyslog_facility=LOG_AUTHPRIV")
    assert "LOG_AUTHPRIV" in text
    root.path(f"{BASE}/conf/authproxy.cfg").write_text(text)
    root.run(CTL, "start", "--no-report")
    process = root.shell(MAIN_PID).strip()
    for restarts in range(2):
        assert "Received Access-Accept" in root.shell(LOGIN)
        found = []
        for _ in until(20):
            written = root.shell("journalctl --identifier=duoauthproxy --output=json --no-pager").splitlines()
            entries = [json.loads(line) for line in written if line.startswith("{")]
            found = [entry for entry in entries if "user='ivan'" in entry["MESSAGE"]]
            if len(found) > restarts:
                break
        about = ("PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "_PID")
        assert [found[-1][key] for key in about] == ["6", "10", "duoauthproxy", process]
        assert "result=accept cause=approved" in found[-1]["MESSAGE"]
        root.run("systemctl", "restart", "systemd-journald.service")


def test_it_starts_at_boot_while_duo_and_directory_are_down(new_root: NewRoot) -> None:
    """Enabled, it becomes ready although no name can be looked up and nothing answers; a secret is a credential."""
    root = new_root(installed=True)
    root.path(f"{BASE}/conf/authproxy.cfg").write_text(
        "[ad_client]\nhost=dc.corp.example\nservice_account_username=svc\nservice_account_password=secret\n"
        "search_dn=DC=corp,DC=example\n\n[radius_server_auto]\nikey=DIXXXXXXXXXXXXXXXXXX\n"
        "skey=credential:duo_skey\napi_host=api-12345678.duosecurity.com\nport=812\nradius_ip_1=192.0.2.1\n"
        "radius_secret_1=testing123\nclient=ad_client\n"
    )
    drop_in = root.path("/etc/systemd/system/duoauthproxy.service.d")
    drop_in.mkdir(parents=True)
    (drop_in / "credentials.conf").write_text("[Service]\nLoadCredential=duo_skey:/etc/duo_skey\n")
    root.path("/etc/duo_skey").write_text("s" * 40)
    root.path("/etc/duo_skey").chmod(0o600)
    root.stop(keep=True)
    booted = PrivateRoot(root.folder / "again", boot=True, also="duoauthproxy.service", start_from=root.layer)
    try:
        assert booted.shell("systemctl is-active duoauthproxy").strip() == "active"
        assert "812" in booted.shell("ss -Hlun")
    finally:
        booted.stop()


def test_an_upgrade_keeps_configuration_and_logs_and_can_be_taken_back(
    new_root: NewRoot, build: Path, tmp_path: Path
) -> None:
    """The new version runs with what was there; --roll-back returns to the old one, which was kept."""
    root = started(new_root(boot=True, installed=True))
    root.shell(f"echo '; mine' >>{BASE}/conf/authproxy.cfg; chmod 600 {BASE}/conf/authproxy.cfg")
    before = root.shell(MAIN_PID)
    _, said = install(root, builds.other_version(build, tmp_path / "new", "99.1.0"))
    assert "Upgraded to 99.1.0, and running." in said
    assert says_version(root) == "99.1.0"
    assert root.shell(MAIN_PID) != before
    assert root.shell(f"tail -n 1 {BASE}/conf/authproxy.cfg") == "; mine\n"
    assert facts(root, "conf/authproxy.cfg") == ["duo_authproxy_svc:root 600 conf/authproxy.cfg"]
    assert root.shell(f"grep -c 'is ready' {BASE}/log/authproxy.log").strip() == "2"
    assert "Received Access-Accept" in root.shell(LOGIN)

    root.run("/srv/build/install", "--roll-back")
    assert says_version(root) == builds.version_of_tree()
    assert root.run(CTL, "status", check=False).returncode == 0


def test_a_new_version_that_does_not_become_ready_gives_way_to_the_old_one(
    new_root: NewRoot, build: Path, tmp_path: Path
) -> None:
    """The installer says so, ends with status 1, and the old version answers logins as before."""
    root = started(new_root(boot=True, installed=True))
    bad = builds.other_version(build, tmp_path / "bad", "99.2.0", builds.NEVER_READY)
    unit = bad / "share/duoauthproxy.service"
    unit.write_text(unit.read_text().replace("TimeoutStartSec=90", "TimeoutStartSec=3"))
    status, said = install(root, bad, check=False)
    assert status == 1
    assert f"Not upgraded: {builds.version_of_tree()} runs again." in said
    assert says_version(root) == builds.version_of_tree()
    assert "TimeoutStartSec=90" in root.shell("cat /etc/systemd/system/duoauthproxy.service")
    assert "Received Access-Accept" in root.shell(LOGIN)
    assert "env-99.2.0" not in root.shell(f"ls {BASE}/usr")


def test_a_configuration_that_the_new_version_refuses_stops_the_upgrade_before_it_touches_anything(
    new_root: NewRoot, build: Path
) -> None:
    """The problem is named with its line, and the service that runs is the same process as before."""
    root = started(new_root(boot=True, installed=True))
    before = root.shell(MAIN_PID)
    root.shell(f"echo 'failmod=secure' >>{BASE}/conf/authproxy.cfg")
    status, said = install(root, build, check=False)
    assert status == 1
    assert "failmod" in said
    assert "The running service was not touched." in said
    assert root.shell(MAIN_PID) == before


def test_uninstalling_keeps_configuration_and_logs_and_purging_takes_everything(new_root: NewRoot) -> None:
    """uninstall stops the service and leaves conf/ and log/; with --purge nothing of it is left, nor the account."""
    root = started(new_root(boot=True, installed=True))
    kept = new_root(boot=True, installed=True)
    root.run(f"{BASE}/uninstall", "--silent", "--purge")
    assert root.shell(f"ls -d {BASE} /etc/systemd/system/duoauthproxy.service 2>/dev/null", check=False) == ""
    assert root.run("getent", "passwd", "duo_authproxy_svc", check=False).returncode == 2
    assert root.run("getent", "group", "duo_authproxy_grp", check=False).returncode == 2
    assert root.shell("ss -Hlun | grep 18120", check=False) == ""

    kept.shell(f"ln -sfn /etc/ssl/certs/ca-certificates.crt {BASE}/conf/ca-bundle.crt")
    kept.run(f"{BASE}/uninstall", "--silent")
    assert kept.shell(f"ls {BASE}").split() == ["conf", "install.log", "log"]
    # a link of an administrator is no file of ours
    assert kept.shell(f"ls {BASE}/conf").split() == ["authproxy.cfg", "ca-bundle.crt"]
    assert kept.shell("systemctl list-unit-files duoauthproxy.service --no-legend", check=False) == ""


def note_calls(root: PrivateRoot, *programs: str) -> None:
    """Put programs in the place of real ones that only write down how they were called."""
    for program in programs:
        path = root.path(f"/usr/local/sbin/{program}")
        path.write_text(f'#!/bin/sh\necho {program} "$@" >>/srv/calls\n')
        path.chmod(0o755)


@pytest.mark.needs_peer("checkmodule", "semodule_package", "selinux-policy")
def test_what_uninstalling_left_is_taken_up_again_by_another_account(new_root: NewRoot, build: Path) -> None:
    """Installed anew for another account, with SELinux: configuration and logs are as they were, and that account's."""
    root = started(new_root(boot=True, installed=True))
    root.run(f"{BASE}/uninstall", "--silent")
    note_calls(root, "semodule", "restorecon")
    install(root, build, "--silent", "--service-user=duo", "--enable-selinux=yes")
    module = f"{BASE}/usr/local/share/duoauthproxy/selinux/duoauthproxy.pp"
    assert root.shell("cat /srv/calls").splitlines() == [f"semodule -i {module}", f"restorecon -R {BASE}"]
    assert root.path(module).stat().st_size > 1000
    root.run(CTL, "start", "--no-report")
    assert "Received Access-Accept" in root.shell(LOGIN)
    assert facts(root, "conf/authproxy.cfg", "log/authproxy.log") == [
        "duo:root 400 conf/authproxy.cfg",
        "duo:duo_authproxy_grp 640 log/authproxy.log",
    ]
    refused = root.run("/srv/build/install", "--silent", "--service-user=other", check=False)
    assert (refused.returncode, "An upgrade keeps the account" in refused.stdout) == (1, True)
    root.run(f"{BASE}/uninstall", "--silent")
    assert root.shell("tail -n 1 /srv/calls") == "semodule -r duoauthproxy\n"


def test_a_service_that_hangs_is_started_again(new_root: NewRoot) -> None:
    """The watchdog of systemd misses its signs of life, ends it, and starts another one that answers."""
    root = new_root(boot=True, installed=True)
    drop_in = root.path("/etc/systemd/system/duoauthproxy.service.d")
    drop_in.mkdir(parents=True)
    (drop_in / "soon.conf").write_text("[Service]\nWatchdogSec=2\nRestartSec=0\n")
    root.run("systemctl", "daemon-reload")
    started(root)
    root.shell(f"kill -STOP $({MAIN_PID})")
    wanted = {"NRestarts": "1", "ActiveState": "active"}
    shown = {}
    for _ in until(30):
        lines = root.shell("systemctl show --property NRestarts,ActiveState duoauthproxy").splitlines()
        shown = dict(line.split("=", 1) for line in lines)
        if shown == wanted:
            break
    assert shown == wanted
    assert "Received Access-Accept" in root.shell(LOGIN)
