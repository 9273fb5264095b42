"""What ./install says when it cannot or must not install, and that it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.private_root import PrivateRoot

# the first of them builds what all install
pytestmark = [pytest.mark.needs_peer("systemd-nspawn", "python3-venv"), pytest.mark.timeout(400)]

INSTALL = "/srv/build/install"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, build: Path, roots_work: None) -> Iterator[PrivateRoot]:
    """One private root for all: nothing is ever installed in it."""
    made = PrivateRoot(tmp_path_factory.mktemp("refusals") / "root")
    made.copy_in(build, "/srv/build")
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["--install-dir", "opt/duo"], 2, "has to begin with /"),
        (["--install-dir=/opt/duo proxy"], 2, "may hold letters, digits"),
        (["--install-dir=/usr"], 1, "is a folder of the system"),
        (["--install-dir=/opt/../etc"], 1, "is a folder of the system"),
        (["--install-dir=/home/duo/proxy"], 1, "locked out of homes"),
        (["--install-dir=/srv/open/duo"], 1, "Others than root may write to /srv/open"),
        (["--install-dir=/srv/theirs/duo"], 1, "/srv/theirs belongs to nobody"),
        (["--install-dir=/srv/foreign"], 1, "it is left alone"),
        (["--install-dir=/srv/full/duo"], 1, "installing needs 200 MB"),
        (["--install-dir=/etc/hostname"], 1, "is not a folder"),
        (["--service-user=root"], 1, "must not run as root"),
        (["--service-user", "toor"], 1, "must not run as root"),
        (["--service-user=Duo Proxy"], 2, "is not a name for an account"),
        (["--log-group=a:b"], 2, "is not a name for an account or a group"),
        (["--create-init-script=perhaps"], 2, 'is yes or no, not "perhaps"'),
        (["--enable-selinux"], 2, "needs a value"),
        (["--colour=red"], 2, "There is no option --colour"),
        (["everything"], 2, '"everything" is not an option'),
        (["--roll-back"], 1, "There is no installation in /opt/duoauthproxy"),
    ],
)
def test_what_cannot_be_installed_is_said_and_nothing_is_left(
    root: PrivateRoot, options: list[str], status: int, sentence: str
) -> None:
    """A sentence with cause and remedy, a status, and neither an account nor a folder."""
    root.shell(
        "mkdir -p /srv/open /srv/theirs /srv/foreign /srv/full; chmod 777 /srv/open; chown nobody /srv/theirs;"
        "touch /srv/foreign/vendor; mountpoint -q /srv/full || mount -t tmpfs -o size=20m,mode=755 tmpfs /srv/full;"
        "getent passwd toor >/dev/null || echo toor:x:0:0::/root:/bin/sh >>/etc/passwd"
    )
    done = root.run(INSTALL, "--silent", *options, check=False)
    assert done.returncode == status, done.stdout
    assert sentence in done.stdout
    assert "The installer stopped" not in done.stdout
    assert root.shell("ls -d /opt/duoauthproxy; getent passwd duo_authproxy_svc", check=False).endswith("directory\n")


def test_who_is_not_root_is_told_to_become_root(root: PrivateRoot) -> None:
    """Installing as another user ends at once."""
    done = root.run("setpriv", "--reuid=nobody", "--clear-groups", INSTALL, "--silent", check=False)
    assert (done.returncode, "needs root: sudo ./install" in done.stdout) == (1, True)


def test_questions_without_anybody_to_answer_end_the_installer(root: PrivateRoot) -> None:
    """At the end of standard input it names --silent instead of taking a default."""
    done = root.run(INSTALL, check=False)
    assert (done.returncode, "There is nobody to answer" in done.stdout) == (2, True)


def test_a_disk_that_fills_up_while_it_installs_leaves_nothing_behind(root: PrivateRoot) -> None:
    """pip's own words say why; the folder, the account and the group are gone again."""
    root.shell("mkdir -p /srv/small; mountpoint -q /srv/small || mount -t tmpfs -o size=30m,mode=755 tmpfs /srv/small")
    # the check beforehand would refuse
    root.shell("sed 's/^readonly SPACE_MB=.*/readonly SPACE_MB=1/' /srv/build/install >/srv/build/careless")
    done = root.run(
        "bash", "/srv/build/careless", "--silent", "--install-dir=/srv/small/duo", check=False, timeout_s=200
    )
    assert done.returncode == 1
    assert "No space left on device" in done.stdout
    assert "Nothing was changed." in done.stdout
    assert root.shell("ls /srv/small; getent passwd duo_authproxy_svc", check=False) == ""


def test_a_tarball_that_is_not_built_is_named(root: PrivateRoot) -> None:
    """Before make, the installer says so."""
    root.shell("mkdir -p /srv/raw; cp /srv/build/install /srv/raw")
    done = root.run("/srv/raw/install", "--silent", check=False)
    assert (done.returncode, "run make (as any user)" in done.stdout) == (1, True)


def test_without_a_python_that_fits_the_packages_of_each_system_are_named(root: PrivateRoot) -> None:
    """An old Python, or one without venv, is shown with the reason, and every system of the guides has its line."""
    root.shell(
        "mkdir -p /srv/bin; printf '#!/bin/sh\\nexit 1\\n' >/srv/bin/python3; chmod 755 /srv/bin/python3;"
        "sed 's|:/usr/local/bin:/usr/bin||' /srv/build/find-python >/srv/find-python; chmod 755 /srv/find-python;"
        "for tool in sh tr cat; do ln -sf $(command -v $tool) /srv/bin; done"
    )
    done = root.run("/srv/find-python", check=False, environment={"PATH": "/srv/bin"})
    assert done.returncode == 1
    assert "/srv/bin/python3: it does not run" in done.stdout
    for system in ("CentOS Stream", "Fedora", "RHEL", "Rocky", "Ubuntu", "Debian"):
        assert system in done.stdout


def test_a_python_without_venv_is_named_with_its_lack(root: PrivateRoot) -> None:
    """PYTHON=... that cannot be used says why."""
    root.shell("mkdir -p /srv/lame && printf 'raise ImportError\\n' >/srv/lame/ensurepip.py")
    environment = {"PYTHON": "/usr/bin/python3", "PYTHONPATH": "/srv/lame"}
    done = root.run("/srv/build/find-python", check=False, environment=environment)
    assert (done.returncode, "without its venv module" in done.stdout) == (1, True)
