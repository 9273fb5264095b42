"""./install on a system that systemd does not run: typed answers, an init script, root that becomes another user."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.packaging import builds
from tests.packaging.conftest import NewRoot
from tests.packaging.private_root import PrivateRoot
from tests.peers.peer import peer

# the first of them builds what all install
pytestmark = [
    pytest.mark.needs_peer("systemd-nspawn", "python3-venv", "radclient", "expect"),
    pytest.mark.timeout(400),
]

BASE = "/srv/second-factor"
LOGIN = "echo User-Name=ivan,User-Password=password | radclient -t 10 -r 1 127.0.0.1:18120 auth testing123"


def typed(root: PrivateRoot, folder: Path, command: str, *answers: tuple[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command on a terminal, and type an answer to each question.

    Args:
        root: where.
        folder: for expect's script.
        command: what to run inside.
        answers: a part of the question, and what is typed.
    """
    conversation = "".join(
        f'expect {{\n -exact {{{question}}} {{ send -- "{answer}\\r" }}\n'
        " timeout { exit 97 }\n eof { exit 98 }\n}\n"
        for question, answer in answers
    )
    script = folder / "typed.exp"
    script.write_text(
        f"set timeout 20\nspawn {' '.join(root.command(*command.split()))}\n{conversation}"
        "set timeout 200\nexpect eof\nset status [wait]\nexit [lindex $status 3]\n"
    )
    expect = peer("expect").path()
    assert expect is not None
    return builds.call(expect, "-f", str(script), TERM="dumb", LC_ALL="C.UTF-8")


def test_answers_are_typed_and_the_proxy_is_started_upgraded_and_removed(
    new_root: NewRoot, build: Path, tmp_path: Path
) -> None:
    """Another folder, account and group; a login; a version that ends at once gives way; uninstall asks first."""
    root = new_root()
    root.copy_in(build, "/root/build")
    done = typed(
        root,
        tmp_path,
        "/root/build/install",
        ("Folder to install to: [/opt/duoauthproxy]", BASE),
        ("Account for the service, made when missing: [duo_authproxy_svc]", "duo"),
        ("Group that may read the logs, made when missing: [duo_authproxy_grp]", "duologs"),
        ("Start with the system (systemd unit or init script)? [yes]", "maybe"),
        ("Start with the system (systemd unit or init script)? [yes]", ""),
        ("Install the SELinux module? [no]", ""),
    )
    assert done.returncode == 0, done.stdout
    assert "Please answer yes or no." in done.stdout
    assert root.run("stat", "--format=%U:%G %a", f"{BASE}/log").stdout == "duo:duologs 750\n"
    assert root.run("stat", "--format=%U:%G %a", f"{BASE}/conf/authproxy.cfg").stdout == "duo:root 400\n"

    root.path(f"{BASE}/conf/authproxy.cfg").write_text(builds.sandbox_configuration())
    root.run("/etc/init.d/duoauthproxy", "start")
    assert "Received Access-Accept" in root.shell(LOGIN)
    assert root.run("/etc/init.d/duoauthproxy", "status", check=False).returncode == 0
    process = root.shell(f"cat /proc/$(cat {BASE}/run/duoauthproxy.pid)/status")
    assert f"Uid:\t{root.shell('id -u duo').strip()}\t" in process
    assert "CapEff:\t0000000000000400" in process

    bad = builds.other_version(build, tmp_path / "bad", "99.3.0", builds.ENDS_AT_ONCE)
    root.copy_in(bad, "/root/bad")
    failed = root.run("/root/bad/install", "--silent", f"--install-dir={BASE}", check=False, timeout_s=200)
    assert failed.returncode == 1, failed.stdout
    assert f"Not upgraded: {builds.version_of_tree()} runs again." in failed.stdout
    assert "this version cannot start" in root.shell(f"cat {BASE}/install.log")
    assert "Received Access-Accept" in root.shell(LOGIN)

    refused = typed(root, tmp_path, f"{BASE}/uninstall --purge", ("Go on? [no]", ""))
    assert (refused.returncode, "Nothing was removed." in refused.stdout) == (1, True)
    agreed = typed(root, tmp_path, f"{BASE}/uninstall --purge", ("Go on? [no]", "yes"))
    assert agreed.returncode == 0, agreed.stdout
    assert root.shell(f"ls -d {BASE} /etc/init.d/duoauthproxy 2>/dev/null; ss -Hlun | grep 18120", check=False) == ""
    assert root.run("getent", "passwd", "duo", check=False).returncode == 2
