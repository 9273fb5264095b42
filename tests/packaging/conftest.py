"""Fixtures for tests of packaging: what is built once for all of them, and private roots to install it into."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.packaging import builds
from tests.packaging.private_root import PrivateRoot, why_not
from tests.peers.peer import Absence, meaning_of_absence

MEMORY_FOR_ROOTS = 2 << 30


def absent(reason: str) -> None:
    """Skip on a laptop; fail where everything was asked for."""
    if meaning_of_absence(os.environ) is Absence.FAILURE:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of one run of pytest share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "packaging"
    folder.mkdir(exist_ok=True)
    return folder


def once(shared: Path, name: str, make: Callable[[Path], str]) -> Path:
    """Make a folder once for all workers; a reason not to is told to every test that asks for it.

    Args:
        shared: the folder of all workers.
        name: of the folder to make.
        make: makes what belongs into it; gives a reason why that cannot be, or an empty text.
    """
    folder, verdict = shared / name, shared / f"{name}.verdict"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not verdict.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            verdict.write_text(make(folder))
        reason = verdict.read_text()
    if reason:
        absent(reason)
    return folder


@pytest.fixture(scope="session")
def offline_tarball(shared: Path) -> Path:
    """The source tarball with its wheels, as `make dist-offline` writes it."""

    def make(folder: Path) -> str:
        # the way to a package index is this machine's own: settings of pip, proxies, authorities
        way = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL", "MAKE"))}
        done = builds.call(
            str(builds.PACKAGE / "make-dist"), "--offline", builds.SYSTEM_PYTHON, **{**way, "DIST": str(folder)}
        )
        return "" if done.returncode == 0 else f"the wheels cannot be fetched: {done.stdout.strip()[-600:]}"

    folder = once(shared, "dist", make)
    return folder / f"duoauthproxy-{builds.version_of_tree()}-src-offline.tgz"


@pytest.fixture(scope="session")
def build(shared: Path, offline_tarball: Path) -> Path:
    """The folder duoauthproxy-build, as `make` in the unpacked tarball leaves it; made without a network."""

    def make(folder: Path) -> str:
        subprocess.run(["tar", "-xzf", str(offline_tarball), "-C", str(folder), "--strip-components=1"], check=True)
        without_network = ["unshare", "--net"] if os.geteuid() == 0 else []
        done = builds.call(*without_network, "make", "-C", str(folder))
        # as proof that it runs it has done its duty, and installing does not need it
        shutil.rmtree(folder / "duoauthproxy-build/environment", ignore_errors=True)
        return "" if done.returncode == 0 else f"make in the tarball failed: {done.stdout}"

    return once(shared, "source", make) / "duoauthproxy-build"


class NewRoot(Protocol):
    """Makes a private root that ends with its test; see `PrivateRoot`."""

    def __call__(self, *, boot: bool = False, also: str = "", installed: bool = False) -> PrivateRoot: ...


@pytest.fixture(scope="session")
def roots_work(shared: Path) -> None:
    """A private root can be made here; otherwise the test is skipped, or in CI fails."""
    if os.geteuid() != 0:
        pytest.skip("installing into a private root needs root")
    reason = once_text(shared, "roots", why_not)
    if reason:
        absent(reason)


def once_text(shared: Path, name: str, find: Callable[[Path], str]) -> str:
    """Find something out once for all workers."""
    answer = shared / f"{name}.answer"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists():
            answer.write_text(find(shared / name))
        return answer.read_text()


@pytest.fixture(scope="session")
def installed_layer(shared: Path, roots_work: None, build: Path) -> Path:
    """The layer of a private root, with systemd, in which `./install --silent` and nothing else has run."""

    def make(folder: Path) -> str:
        root = PrivateRoot(folder / "root", boot=True)
        try:
            root.copy_in(build, "/srv/build")
            done = root.run("/srv/build/install", "--silent", check=False)
            root.shell("rm -rf /srv/build")
        finally:
            root.stop(keep=True)
        (folder / "output.txt").write_text(done.stdout)
        return "" if done.returncode == 0 else f"./install failed: {done.stdout}"

    return once(shared, "installed", make) / "root/upper"


@pytest.fixture
def roots_folder(tmp_path: Path) -> Iterator[Path]:
    """Where private roots write: memory where there is enough, since they write much and keep nothing."""
    memory = Path("/dev/shm")
    free = os.statvfs(memory) if memory.is_dir() else None
    if free is None or free.f_bavail * free.f_frsize < MEMORY_FOR_ROOTS:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="duoproxy-root-", dir=memory, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def new_root(roots_folder: Path, request: pytest.FixtureRequest, roots_work: None) -> Iterator[NewRoot]:
    """Make private roots; they end with the test."""
    made: list[PrivateRoot] = []

    def make(*, boot: bool = False, also: str = "", installed: bool = False) -> PrivateRoot:
        layer = request.getfixturevalue("installed_layer") if installed else None
        root = PrivateRoot(roots_folder / f"root{len(made)}", boot=boot, also=also, start_from=layer)
        made.append(root)
        return root

    yield make
    for root in made:
        root.stop()
