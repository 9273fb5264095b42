"""A private root to install into: this system's files with a layer of our own above, in namespaces of their own.

What is written there never reaches this system: files (an overlay), processes, network (loopback only), mounts. With
`boot` the private root runs a systemd of its own, so that units are tried as they will run. All of it is gone when the
last process in it has ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

DEADLINE_S = 60.0
PERIOD_S = 0.05
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CGROUPS = Path("/sys/fs/cgroup")

# The layer is mounted in a mount namespace of its own: nothing has to be unmounted, whatever happens.
_ENTER = """
set -e
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/merged"
exec "$@"
"""

# What a minimal system starts: neither the services of peers that are installed here nor a login prompt.
_TARGET = """[Unit]
Description=What the tests of packaging need
Requires=basic.target
Wants={also}
After=basic.target {also}
AllowIsolate=yes
"""
_NAME = "packaging-test.target"


class PrivateRoot:
    """One private root; `run` runs a command in it."""

    def __init__(self, folder: Path, *, boot: bool = False, also: str = "", start_from: Path | None = None) -> None:
        """Start it.

        Args:
            folder: for the layer of its own; not on an overlay.
            boot: whether systemd runs in it.
            also: a unit that systemd starts at boot.
            start_from: the layer of a private root that has ended: a copy of it is written on.

        Raises:
            OSError: this machine does not let us make one; says why.
        """
        self.folder = folder
        self._cgroups = _own_cgroups(f"duoproxy-{os.getpid()}-{folder.name}")
        for name in ("work", "merged"):
            (folder / name).mkdir(parents=True)
        if start_from is None:
            self.layer.mkdir()
        else:
            # with the marks by which an overlay knows what is deleted
            subprocess.run(["cp", "-a", "--reflink=auto", str(start_from), str(self.layer)], check=True)
        self._log = folder / "nspawn.log"
        try:
            self._nspawn = self._start(boot, also)
            self.leader = self._find_leader()
            if boot:
                self._wait_for_systemd()
        except OSError:
            self.stop()
            raise

    @property
    def layer(self) -> Path:
        """What was written in it; another one can start from it when it has ended."""
        return self.folder / "upper"

    def _start(self, boot: bool, also: str) -> subprocess.Popen[bytes]:
        if boot:
            target = self.layer / "etc/systemd/system" / _NAME
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_TARGET.format(also=also))
        inside = ["--boot"] if boot else ["--as-pid2"]
        program = [f"systemd.unit={_NAME}"] if boot else ["/bin/sleep", "infinity"]
        nspawn = ["systemd-nspawn", "--quiet", "--directory", str(self.folder / "merged"), *inside]
        nspawn += ["--register=no", "--keep-unit", "--private-network", "--link-journal=no", "--console=pipe"]
        nspawn += ["--resolv-conf=off", "--timezone=off", f"--machine=duoproxy-{os.getpid()}-{time.monotonic_ns()}"]
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, str(self.folder), *nspawn]

        def enter_cgroups() -> None:
            for cgroup in self._cgroups:
                (cgroup / "cgroup.procs").write_text(str(os.getpid()))

        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*command, *program],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=enter_cgroups,
                start_new_session=True,
            )

    def _find_leader(self) -> int:
        """Find the first process inside; nspawn has a child for mounts, too, that ends."""
        for _ in until(DEADLINE_S):
            if self._nspawn.poll() is not None:
                raise OSError(f"systemd-nspawn cannot run here: {self._log.read_text(errors='replace').strip()}")
            for pid in _children(self._nspawn.pid):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid") and _is_settled(pid):
                        return pid
        raise OSError(f"systemd-nspawn did not start: {self._log.read_text(errors='replace').strip()}")

    def _wait_for_systemd(self) -> None:
        for _ in until(DEADLINE_S):
            answer = self.run("systemctl", "is-active", _NAME, check=False)
            if answer.stdout.strip() == "active":
                return
        raise OSError("systemd did not boot in the private root")

    def command(self, *command: str) -> list[str]:
        """Give the command line that runs `command` inside, for who starts it by other means."""
        namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid"]
        return [shutil.which("nsenter") or "nsenter", f"--target={self.leader}", *namespaces, "--root", "--", *command]

    def run(
        self,
        *command: str,
        check: bool = True,
        timeout_s: float = DEADLINE_S,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end; both outputs in `stdout`.

        Raises:
            AssertionError: it ended with a status other than 0, and `check`.
        """
        clean = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "TERM": "dumb",
        }
        done = subprocess.run(
            self.command(*command),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            cwd="/",
            env={**clean, **(environment or {})},
        )
        if check:
            assert done.returncode == 0, f"{' '.join(command)}: status {done.returncode}\n{done.stdout}"
        return done

    def shell(self, script: str, *, check: bool = True) -> str:
        """Run a line of shell inside; gives what it wrote."""
        return self.run("sh", "-c", script, check=check).stdout

    def path(self, inside: str) -> Path:
        """Where a file of the private root can be read and written from outside."""
        return Path(f"/proc/{self.leader}/root") / inside.lstrip("/")

    def copy_in(self, source: Path, inside: str) -> None:
        """Copy a file or folder into the private root."""
        target = self.path(inside)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)

    def stop(self, *, keep: bool = False) -> None:
        """End every process of it, and take its files away, unless another one is to start from them."""
        if hasattr(self, "leader"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
        if hasattr(self, "_nspawn"):
            with contextlib.suppress(ProcessLookupError):
                self._nspawn.terminate()
            try:
                self._nspawn.wait(10)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        for cgroup in self._cgroups:
            _remove_cgroup(cgroup)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def why_not(folder: Path) -> str:
    """Say why no private root can be made here, in words for a skip; empty when one can."""
    missing = [name for name in ("systemd-nspawn", "unshare", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"a private root needs {', '.join(missing)}"
    try:
        root = PrivateRoot(folder)
        root.run("true")
    except (OSError, AssertionError, subprocess.TimeoutExpired) as fault:
        return f"no private root can be made here: {fault}"
    root.stop()
    return ""


def until(seconds: float) -> Iterator[None]:
    """Come round again and again, with short pauses, until the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(PERIOD_S)


def _children(pid: int) -> Sequence[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _is_settled(pid: int) -> bool:
    """Whether a process inside runs what it is meant to, and not nspawn's preparation any more."""
    return "nspawn" not in Path(f"/proc/{pid}/comm").read_text()


def _own_cgroups(name: str) -> list[Path]:
    """Make a control group of our own in each hierarchy that systemd uses: two of them must not share one."""
    made = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in {"", "name=systemd"}:
            continue
        for mount in (_CGROUPS / "systemd" if controllers else _CGROUPS / "unified", _CGROUPS):
            parent = mount / path.lstrip("/")
            if (parent / "cgroup.procs").is_file():
                group = parent / name
                with contextlib.suppress(OSError):
                    group.mkdir()
                    made.append(group)
                break
    return made


def _remove_cgroup(cgroup: Path) -> None:
    for folder in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
    for _ in until(2):
        try:
            cgroup.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            continue
