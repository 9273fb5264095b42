"""What is installed in tests: a build of this tree, and later versions of it, good and bad."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

from tests.packaging.private_root import PATH

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "conf/package"
SYSTEM_PYTHON = "/usr/bin/python3"
BASE = "/opt/duoauthproxy"
BUILD_DEADLINE_S = 240

NEVER_READY = 'import sys, time\nif sys.argv[0].endswith("/twistd"):\n    time.sleep(3600)\n'
"""A version that hangs where it should become ready."""
ENDS_AT_ONCE = 'import sys\nif sys.argv[0].endswith("/twistd"):\n    raise SystemExit("this version cannot start")\n'
"""A version that ends where it should become ready."""
WORKS = ""


def version_of_tree() -> str:
    """The version that is built here."""
    lines = (ROOT / "duoproxy/__init__.py").read_text().splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("__version__"))


def sandbox_configuration() -> str:
    """The sandbox with its certificate where the service may write: `ivan` approves his push by himself after 2 s."""
    text = (ROOT / "conf/sandbox.cfg").read_text()
    return text.replace("=sandbox-ca.pem", "=../run/sandbox-ca.pem").replace("log_stdout=true", "")


def other_version(build: Path, folder: Path, version: str, also: str = WORKS) -> Path:
    """Make a build of another version out of a build.

    Args:
        build: a duoauthproxy-build.
        folder: where the new one is put.
        version: what it says that it is.
        also: Python that the package runs when it is imported.
    """
    shutil.copytree(build, folder, symlinks=True)
    (old,) = (folder / "wheels").glob("duoproxy-*.whl")
    before = old.name.split("-")[1]
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(_renamed(old, before, version), "w") as target:
        for name in source.namelist():
            octets = source.read(name)
            if name == "duoproxy/__init__.py":
                octets = octets.replace(before.encode(), version.encode()) + also.encode()
            if name.endswith(".dist-info/METADATA"):
                octets = octets.replace(f"\nVersion: {before}".encode(), f"\nVersion: {version}".encode())
            if name.endswith(".dist-info/RECORD"):
                octets = octets.replace(f"duoproxy-{before}".encode(), f"duoproxy-{version}".encode())
            target.writestr(name.replace(f"duoproxy-{before}", f"duoproxy-{version}"), octets)
    old.unlink()
    (folder / "version").write_text(f"{version}\n")
    return folder


def _renamed(wheel: Path, before: str, version: str) -> Path:
    return wheel.with_name(wheel.name.replace(f"-{before}-", f"-{version}-"))


def call(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of packaging to its end, with `more` in its environment; both outputs in `stdout`."""
    return subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_DEADLINE_S,
        env={"PATH": PATH, "HOME": "/root", **more},
    )
