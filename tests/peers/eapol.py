"""The real eapol_test: wpa_supplicant's EAP peer, with a RADIUS client of its own. One login, and what became of it."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.sandbox import RADIUS_SECRET
from tests.peers.server import wait_until

DEADLINE_S = 60
INTERFACE = "test"
SAME_KEYS = "MPPE keys OK: 1  mismatch: 0"
TLS_1_3_ONLY = "tls_disable_tlsv1_3=0 tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1"
TLS_1_2_ONLY = "tls_disable_tlsv1_3=1 tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1"

Answer = str | Callable[[], str]
"""What is typed, or what finds it out when it is asked for."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Outcome:
    """How eapol_test ended.

    Attributes:
        status: its exit status; 0 only with an Access-Accept and equal keys on both sides.
        output: all that it said: every RADIUS message with its attributes, every EAP state.
        prompts: what it was asked through its control interface.
    """

    status: int
    output: str
    prompts: tuple[str, ...] = ()

    @property
    def let_in(self) -> bool:
        """Whether it was let in, with equal MPPE keys."""
        return self.status == 0 and SAME_KEYS.replace("  ", " ") in self.output.replace("  ", " ")

    @property
    def refused(self) -> bool:
        """Whether the server refused: an Access-Reject came, and its EAP-Failure was taken."""
        return (
            self.status != 0 and self.count("Access-Reject") == 1 and "EAP: EAP entering state FAILURE" in self.output
        )

    def count(self, code: str) -> int:
        """How many messages of this name (`Access-Reject`) came or went."""
        return len(re.findall(rf"^RADIUS message: code=\d+ \({code}\)", self.output, re.MULTILINE))

    def last_reply(self) -> str:
        """The last message that came, with its attributes."""
        return self.output.rpartition("Received RADIUS message")[2]


@dataclass(frozen=True)
class EapolTest:
    """Runs the program at `path` in a folder of its own."""

    path: str
    folder: Path

    def run(
        self,
        address: str,
        network: Mapping[str, object],
        *options: str,
        secret: str = RADIUS_SECRET,
        answers: Sequence[Answer] | None = None,
        top: str = "",
    ) -> Outcome:
        """Log in once.

        Args:
            address: `host:port` of the server.
            network: options of the network block; text is quoted, other values are not.
            options: further ones of the command line.
            secret: shared with the server.
            answers: what is typed when it asks, one after the other, then nothing; None: it has a stored password.
            top: lines before the network block.
        """
        host, _, port = address.rpartition(":")
        configuration = self.folder / f"eapol-{next(_numbers)}.conf"
        with _control_folder() as control:
            lines = [f"ctrl_interface={control}"] if answers is not None else []
            configuration.write_text("\n".join([*lines, top, _network(network)]), "utf-8")
            command = [self.path, "-c", str(configuration), "-a", host, "-p", port, "-s", secret, "-t", "30"]
            command += [*options, *(["-W"] if answers is not None else [])]
            if answers is None:
                done = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False)
                return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"))
            return self._run_with_answers(command, control / INTERFACE, answers)

    def _run_with_answers(self, command: Sequence[str], control: Path, answers: Sequence[Answer]) -> Outcome:
        log = self.folder / f"eapol-{next(_numbers)}.output"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
            try:
                prompts = _converse(control, answers, lambda: process.poll() is not None)
                status = process.wait(DEADLINE_S)
            finally:
                process.kill()
                process.wait()
        return Outcome(status, log.read_text("utf-8", "replace"), tuple(prompts))


def _network(options: Mapping[str, object]) -> str:
    made = {"ssid": "x", "key_mgmt": Plain("WPA-EAP"), "eap": Plain("PEAP"), "phase2": "auth=GTC", **options}
    lines = [f"  {name}={_value(value)}" for name, value in made.items() if value is not None]
    return "\n".join(["network={", *lines, "}", ""])


class Plain(str):
    """A word that stands without quotes."""


def _value(value: object) -> str:
    if isinstance(value, Plain) or not isinstance(value, str):
        return value.hex() if isinstance(value, bytes) else str(value)
    return f'"{value}"'


@contextlib.contextmanager
def _control_folder() -> Iterator[Path]:
    # The path of a Unix socket is short: not below a test's folder.
    with tempfile.TemporaryDirectory(prefix="eapol") as name:
        yield Path(name)


def _converse(control: Path, answers: Sequence[Answer], ended: Callable[[], bool]) -> list[str]:
    """Attach to the control interface; answer each CTRL-REQ until the process ends."""
    wait_until(lambda: control.exists() or ended(), "the control interface of eapol_test", DEADLINE_S)
    prompts: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire, tempfile.TemporaryDirectory() as own:
        wire.bind(f"{own}/monitor")
        wire.settimeout(0.1)
        with contextlib.suppress(OSError):
            wire.connect(str(control))
            wire.send(b"ATTACH")
        left = iter(answers)
        while not ended():
            try:
                said = wire.recv(65536).decode("utf-8", "replace")
            except OSError:
                continue
            asked = re.match(r"<\d>CTRL-REQ-(\w+)-(\d+):(.*)", said, re.DOTALL)
            if asked is not None:
                prompts.append(asked[3])
                answer = next(left, "")
                typed = answer if isinstance(answer, str) else answer()
                wire.send(f"CTRL-RSP-{asked[1]}-{asked[2]}:{typed}".encode())
    return prompts
