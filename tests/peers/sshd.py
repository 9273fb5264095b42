"""The real sshd with pam_radius_auth as a device, and the real ssh as its user.

sshd takes the name of its PAM service from the name that it was started by, so a link gives it a service of its own:
nothing of the machine's own sshd is touched.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.pam import pam_radius_service
from tests.peers.ports import free_ports
from tests.peers.server import start_server, tcp_answers

SEPARATION_FOLDER = Path("/run/sshd")
DEADLINE_S = 60.0
USER = "sync"
"""An account of every Debian system: its shell runs sync and ends with 0."""

ASKPASS = """#!/bin/sh
# Shows each prompt to the test, and gives the next answer.
printf '%s\\n--\\n' "$1" >>"{folder}/prompts"
number=$(($(cat "{folder}/count" 2>/dev/null || echo 0) + 1))
echo "$number" >"{folder}/count"
until [ "$(wc -l <"{folder}/answers")" -ge "$number" ] || [ -e "{folder}/no-more" ]; do sleep 0.1; done
sed -n "${{number}}p" "{folder}/answers"
"""


Answer = str | Callable[[], str]


@dataclass(frozen=True)
class SshLogin:
    """How a login ended: whether the user was let in, the prompts that were shown, and what ssh said."""

    accepted: bool
    prompts: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Sshd:
    """A running sshd.

    Attributes:
        port: on 127.0.0.1.
        folder: for the files of its users.
        ssh: the client.
    """

    port: int
    folder: Path
    ssh: str

    def login(self, name: str, answers: Sequence[Answer]) -> SshLogin:
        """Log in once; `answers` are given to the prompts in turn.

        Args:
            name: of this login, for its files.
            answers: password first; what is called waits for something that the prompts before it brought about.
        """
        folder = self.folder / name
        folder.mkdir()
        (folder / "answers").touch()
        askpass = folder / "askpass"
        askpass.write_text(ASKPASS.format(folder=folder), "utf-8")
        askpass.chmod(0o700)
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "NumberOfPasswordPrompts=1"]
        options += ["PreferredAuthentications=keyboard-interactive", "GlobalKnownHostsFile=/dev/null"]
        command = [self.ssh, "-F", "none", "-p", str(self.port), *[part for one in options for part in ("-o", one)]]
        process = subprocess.Popen(
            [*command, f"{USER}@127.0.0.1"],
            env={**os.environ, "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            type_answers(folder, answers)
            _, said = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
            process.wait()
        prompts = folder / "prompts"
        shown = prompts.read_text("utf-8").split("\n--\n")[:-1] if prompts.exists() else []
        return SshLogin(process.returncode == 0, tuple(shown), said.decode("utf-8", "replace"))


def type_answers(folder: Path, answers: Sequence[Answer]) -> None:
    """Give the answers to askpass, one line each; prompts after the last one get an empty line."""
    try:
        for answer in answers:
            typed = answer if isinstance(answer, str) else answer()
            with (folder / "answers").open("a", encoding="utf-8") as lines:
                lines.write(f"{typed}\n")
    finally:
        (folder / "no-more").touch()


@contextlib.contextmanager
def running_sshd(folder: Path, sshd: str, ssh: str, radius_address: str, secret: str) -> Iterator[Sshd]:
    """Run sshd whose passwords are asked for by pam_radius_auth.

    Args:
        folder: where it works.
        sshd: the program.
        ssh: the client.
        radius_address: `host:port` that the module asks.
        secret: shared with it.
    """
    folder.mkdir(parents=True)
    key = folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, capture_output=True)
    [port] = free_ports(1)
    configuration = folder / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nUsePAM yes\nKbdInteractiveAuthentication yes\n"
        f"PasswordAuthentication no\nPubkeyAuthentication no\nPidFile none\nMaxAuthTries 2\n",
        "utf-8",
    )
    SEPARATION_FOLDER.mkdir(mode=0o755, exist_ok=True)
    with pam_radius_service("ssh", folder, radius_address, secret) as service:
        link = folder / service
        link.symlink_to(sshd)
        command = [str(link), "-D", "-e", "-f", str(configuration)]
        server = start_server("sshd", command, folder=folder, ready=tcp_answers(port))
        try:
            yield Sshd(port, folder, ssh)
        finally:
            server.stop()
