"""The Debian package: built, looked at by lintian, installed, upgraded, removed and purged in a private root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging import builds
from tests.packaging.builds import BASE
from tests.packaging.conftest import NewRoot, once
from tests.packaging.private_root import PrivateRoot

# the first of them builds what all install
pytestmark = [
    pytest.mark.needs_peer("systemd", "systemd-nspawn", "python3-venv", "dpkg-buildpackage", "debhelper", "radclient"),
    pytest.mark.timeout(400),
]

LOGIN = "echo User-Name=ivan,User-Password=password | radclient -t 10 -r 1 127.0.0.1:18120 auth testing123"
MAIN_PID = "systemctl show --property MainPID --value duoauthproxy"


@pytest.fixture(scope="module")
def deb(shared: Path, build: Path) -> Path:
    """The package, as `make deb` writes it."""

    def make(folder: Path) -> str:
        done = builds.call(str(builds.PACKAGE / "make-deb"), BUILT=str(build), DIST=str(folder))
        return "" if done.returncode == 0 else f"make deb failed: {done.stdout}"

    (package,) = once(shared, "deb", make).glob("*.deb")
    return package


@pytest.fixture(scope="module")
def next_deb(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package as version 99, with another sample configuration."""
    folder = tmp_path_factory.mktemp("next") / "package"
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(folder)], check=True)
    control = folder / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {builds.version_of_tree()}", "Version: 99.0.0"))
    (folder / "opt/duoauthproxy/usr/local/share/duoauthproxy/authproxy.cfg").write_text("; another sample\n")
    shutil.rmtree(folder / "usr/share/doc")
    package = folder.with_name("duoauthproxy_99.0.0_amd64.deb")
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(folder), str(package)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return package


def install(root: PrivateRoot, package: Path, *, check: bool = True) -> str:
    root.copy_in(package, f"/srv/{package.name}")
    root.shell("rm -f /usr/sbin/policy-rc.d")
    # what the package depends on may be here in other ways than as packages
    done = root.run(
        "dpkg", "--install", f"/srv/{package.name}", check=check, environment={"DEBIAN_FRONTEND": "noninteractive"}
    )
    return done.stdout


@pytest.mark.needs_peer("lintian")
def test_lintian_has_nothing_to_say_that_is_not_explained(deb: Path) -> None:
    """No error and no warning beside those that the package's overrides explain."""
    done = builds.call("lintian", "--allow-root", "--fail-on=error,warning", str(deb))
    assert (done.returncode, done.stdout) == (0, "")
    overrides = (builds.PACKAGE / "deb/duoauthproxy.lintian-overrides").read_text().splitlines()
    assert overrides[0].startswith("# ")


def test_a_package_is_installed_upgraded_removed_and_purged(new_root: NewRoot, deb: Path, next_deb: Path) -> None:
    """Not started before it is configured; an upgrade keeps what was edited and starts anew; purging leaves nothing."""
    root = new_root(boot=True)
    install(root, deb)
    assert root.shell("systemctl is-active duoauthproxy", check=False).strip() == "inactive"
    assert root.shell("systemctl is-enabled duoauthproxy").strip() == "enabled"
    stat = root.run(
        "stat", "--format=%U:%G %a", *[f"{BASE}/{name}" for name in ("conf", "conf/authproxy.cfg", "log", "run")]
    )
    assert stat.stdout.splitlines() == [
        "root:duo_authproxy_grp 750",
        "duo_authproxy_svc:root 400",
        "duo_authproxy_svc:duo_authproxy_grp 750",
        "duo_authproxy_svc:duo_authproxy_grp 750",
    ]
    assert root.shell("dpkg --verify duoauthproxy") == ""
    assert "BEGIN CERTIFICATE" in root.shell(f"cat {BASE}/conf/ca-bundle.crt")

    root.path(f"{BASE}/conf/authproxy.cfg").write_text(builds.sandbox_configuration())
    root.run(f"{BASE}/bin/authproxyctl", "start", "--no-report")
    assert "Received Access-Accept" in root.shell(LOGIN)
    before = root.shell(MAIN_PID)

    install(root, next_deb)
    assert root.shell("systemctl is-active duoauthproxy").strip() == "active"
    assert root.shell(MAIN_PID) != before
    assert root.path(f"{BASE}/conf/authproxy.cfg").read_text() == builds.sandbox_configuration()
    assert "Received Access-Accept" in root.shell(LOGIN)

    root.run("dpkg", "--remove", "duoauthproxy")
    assert root.shell(f"ls {BASE}").split() == ["conf", "log"]
    assert root.shell(f"ls {BASE}/conf").split() == ["authproxy.cfg"]
    assert root.shell("ss -Hlun | grep 18120", check=False) == ""
    assert root.path(f"{BASE}/conf/authproxy.cfg").read_text() == builds.sandbox_configuration()
    root.run("dpkg", "--purge", "duoauthproxy")
    left = f"{BASE} /etc/init.d/duoauthproxy /lib/systemd/system/duoauthproxy.service"
    assert root.shell(f"ls -d {left} 2>/dev/null", check=False) == ""
    assert root.shell("getent passwd duo_authproxy_svc; getent group duo_authproxy_grp", check=False) == ""
    assert root.shell("find /etc/systemd /var/lib/systemd -name '*duoauthproxy*'") == ""


def test_an_upgrade_with_a_configuration_that_would_not_start_leaves_the_service_running(
    new_root: NewRoot, deb: Path, next_deb: Path
) -> None:
    """The package says what to run, and the process that answers logins is the one from before."""
    root = new_root(boot=True)
    install(root, deb)
    root.path(f"{BASE}/conf/authproxy.cfg").write_text(builds.sandbox_configuration())
    root.run(f"{BASE}/bin/authproxyctl", "start", "--no-report")
    before = root.shell(MAIN_PID)
    root.shell(f"echo failmod=secure >>{BASE}/conf/authproxy.cfg")
    assert "This version would not start with" in install(root, next_deb)
    assert root.shell(MAIN_PID) == before
    assert "Received Access-Accept" in root.shell(LOGIN)


def test_package_and_installer_do_not_write_over_each_other(new_root: NewRoot, deb: Path, build: Path) -> None:
    """Each refuses the other's folder, with the command that removes it."""
    installed = new_root(installed=True)
    refused = install(installed, deb, check=False)
    assert f"{BASE}/uninstall" in refused
    assert installed.run(f"{BASE}/bin/authproxyctl", "--help").returncode == 0

    packaged = new_root()
    install(packaged, deb)
    packaged.copy_in(build, "/srv/build")
    done = packaged.run("/srv/build/install", "--silent", check=False)
    assert (done.returncode, "apt-get remove duoauthproxy" in done.stdout) == (1, True)
