"""The systemd unit and the SELinux policy, as the tools that read them judge them; the source tarball."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging import builds
from tests.packaging.conftest import NewRoot

UNIT = builds.ROOT / "conf/duoauthproxy.service"
# `systemd-analyze security`: 0 is nothing to attack, 10 everything.
MAX_EXPOSURE = 2.0


def setting(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)
    return str(value)


@pytest.mark.needs_peer("systemd-analyze")
def test_the_unit_leaves_little_to_attack() -> None:
    """`systemd-analyze security` finds an exposure of at most 2.0."""
    done = builds.call("systemd-analyze", "security", "--offline=yes", "--json=short", "--no-pager", str(UNIT))
    total = sum(float(row["exposure"] or 0) for row in json.loads(done.stdout))
    done = builds.call("systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT))
    (shown,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert total > 0
    assert float(shown) <= MAX_EXPOSURE


@pytest.mark.needs_peer("systemd-analyze", "systemd-nspawn", "python3-venv")
@pytest.mark.timeout(400)
def test_systemd_finds_nothing_wrong_with_the_installed_unit(new_root: NewRoot) -> None:
    """`systemd-analyze verify` has nothing to say about the unit that ./install wrote."""
    done = new_root(installed=True).run(
        "systemd-analyze", "verify", "--man=no", "--recursive-errors=one", "/etc/systemd/system/duoauthproxy.service"
    )
    assert [line for line in done.stdout.splitlines() if "duoauthproxy" in line] == []


def test_the_unit_waits_longer_for_a_stop_than_pending_logins_may_take() -> None:
    """TimeoutStopSec is more than the default of shutdown_grace, so that systemd kills nobody's login."""
    documented = (builds.ROOT / "docs/reference/sections/main.md").read_text()
    (grace,) = re.findall(r"^\| `shutdown_grace` \| `(\d+)`", documented, re.MULTILINE)
    assert int(setting("TimeoutStopSec")) > int(grace)


def test_the_unit_keeps_one_capability_and_tells_when_it_is_ready() -> None:
    """CAP_NET_BIND_SERVICE and nothing else; Type=notify with a watchdog; many descriptors."""
    assert setting("CapabilityBoundingSet") == setting("AmbientCapabilities") == "CAP_NET_BIND_SERVICE"
    assert (setting("Type"), setting("NotifyAccess"), setting("LimitNOFILE")) == ("notify", "main", "1048576")
    assert int(setting("WatchdogSec")) > 0
    assert "ExecReload" not in UNIT.read_text()


@pytest.mark.needs_peer("checkmodule", "semodule_package", "selinux-policy")
def test_the_selinux_policy_compiles(tmp_path: Path) -> None:
    """The policy sources of this system make a module of ours."""
    folder = tmp_path / "selinux"
    shutil.copytree(builds.ROOT / "conf/selinux", folder)
    done = builds.call("make", "-C", str(folder), "-f", "/usr/share/selinux/devel/Makefile", "duoauthproxy.pp")
    assert done.returncode == 0, done.stdout
    assert (folder / "duoauthproxy.pp").stat().st_size > 1000


def test_the_policy_names_the_folders_of_the_installation() -> None:
    """Each folder with a label of its own in the policy is one that ./install makes."""
    labelled = set(
        re.findall(r"^/opt/duoauthproxy/(\w+)", (builds.ROOT / "conf/selinux/duoauthproxy.fc").read_text(), re.M)
    )
    assert labelled == {"conf", "log", "run", "usr"}


def make_dist(tree: Path, folder: Path) -> Path:
    done = builds.call(str(tree / "conf/package/make-dist"), DIST=str(folder), SOURCE_DATE_EPOCH="1700000000")
    assert done.returncode == 0, done.stdout
    return folder / f"duoauthproxy-{builds.version_of_tree()}-src.tgz"


def test_the_same_sources_give_the_same_tarball(tmp_path: Path) -> None:
    """Times, modes and owner of the tree do not matter; SHA256SUMS holds the sum of both names."""
    other = tmp_path / "other"
    wanted = (
        "duoproxy",
        "twisted",
        "conf",
        "docs",
        "setup.cfg",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
    )
    for name in wanted:
        source = builds.ROOT / name
        if source.is_dir():
            shutil.copytree(source, other / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
        else:
            shutil.copy2(source, other / name)
    for path in other.rglob("*"):
        os.utime(path, (1600000000, 1600000000))
        path.chmod(path.stat().st_mode & 0o700)
    first, second = make_dist(builds.ROOT, tmp_path / "a"), make_dist(other, tmp_path / "b")
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)]
    assert sums[0] == sums[1]
    assert (tmp_path / "a/SHA256SUMS").read_text() == "".join(
        f"{sums[0]}  {name}\n" for name in (first.name, "duoauthproxy-latest-src.tgz")
    )
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "b")
    assert checked.returncode == 0


def test_the_tarball_holds_what_is_installed_and_nothing_of_this_machine(tmp_path: Path) -> None:
    """Sources, documentation, installer; no caches, no tests, no certificate of a sandbox; owner root."""
    tarball = make_dist(builds.ROOT, tmp_path)
    lines = builds.call("tar", "-tzvf", str(tarball)).stdout.splitlines()
    names = {line.split()[-1].partition("/")[2] for line in lines}
    assert {line.split()[1] for line in lines} == {"root/root"}
    assert {"Makefile", "install", "setup.cfg", "duoproxy/__init__.py", "conf/authproxy.cfg", "docs/README.md"} <= names
    assert "twisted/plugins/duoauthproxy_plugin.py" in names
    assert [name for name in names if re.search(r"__pycache__|\.pyc|sandbox-ca|dropin|(^|/)\.|^tests", name)] == []
