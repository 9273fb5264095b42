"""One running proxy with several [ad_client…] sections, each behind a listener of its own, and logins through it.

Everybody approves their push at once at the stand-in for Duo, so that what a login comes to is up to the directory.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from duoproxy.radius.attributes import Type, all_values
from duoproxy.radius.packet import Code, decode_packet
from tests.peers.lab import Lab, running_lab
from tests.peers.proxy import Sections
from tests.peers.raw_device import exchange, login_request
from tests.peers.server import wait_until

EVERYBODY = {"*": "push approve-after 0"}
ANSWER_S = 30.0


@dataclass(frozen=True)
class Login:
    """How one login ended.

    Attributes:
        accepted: whether the device was told Access-Accept (and not Access-Reject).
        shown: the Reply-Message; empty for none.
        cause: as the log names it.
        detail: the sentence behind it in the log; empty for none.
        duration_s: from request to answer.
    """

    accepted: bool
    shown: str
    cause: str
    detail: str
    duration_s: float


class DirectoryLab:
    """The running proxy. A *label* names an [ad_client…] section with its listener.

    Attributes:
        lab: the proxy.
    """

    def __init__(self, lab: Lab, clients: Mapping[str, str]) -> None:
        self.lab = lab
        self._clients = clients

    def client(self, label: str) -> str:
        """Give the name of the client section."""
        return self._clients[label]

    def login(self, label: str, user: str, password: str | bytes) -> Login:
        """Log in, and find the line about it."""
        begin = len(self.lab.log())
        secret = password.encode() if isinstance(password, str) else password
        started = time.monotonic()
        answer = exchange(self.lab.addresses[label], login_request(user, secret), wait_s=ANSWER_S)
        took = time.monotonic() - started
        assert answer is not None, self.lab.log()[begin:]
        packet = decode_packet(answer)
        assert packet.code in (Code.ACCESS_ACCEPT, Code.ACCESS_REJECT)
        shown = b"".join(all_values(packet.attributes, Type.REPLY_MESSAGE)).decode()
        cause, detail = self._end_of(label, user, begin)
        return Login(packet.code == Code.ACCESS_ACCEPT, shown, cause, detail, took)

    def _end_of(self, label: str, user: str, begin: int) -> tuple[str, str]:
        section = re.escape(self.lab.sections[label])
        pattern = rf"Login [0-9a-f]{{10}}: user={re.escape(repr(user))} .*section={section} .*cause=(\S+) (.*)$"
        found: list[re.Match[str]] = []

        def seen() -> bool:
            found.extend(re.finditer(pattern, self.lab.log()[begin:], re.MULTILINE))
            return bool(found)

        wait_until(seen, f"the end of the login of {user} in the log")
        return found[0][1], found[0][2].partition(" | ")[2]

    def said(self, label: str, level: str, sentence: str) -> None:
        """Wait for a line of a client section with exactly this sentence; `<n>` in it stands for any number."""
        text = re.escape(sentence).replace("<n>", r"[\d.]+")
        self.lab.server.wait_for_output(rf"^\S+ \[{re.escape(self.client(label))}#{level}\] {text}$")


@contextlib.contextmanager
def running_directory_lab(
    folder: Path, clients: Sections, listeners: Sections | None = None, more: Sections | None = None
) -> Iterator[DirectoryLab]:
    """Run a proxy with these client sections.

    Args:
        folder: where it works.
        clients: label to the options of an [ad_client…] section.
        listeners: label to options of its listener that differ.
        more: further sections, or options over those that are made here.
    """
    names = {label: f"ad_client{number or ''}" for number, label in enumerate(clients)}
    made = {
        label: {"client": name, "primary_down": "reject", **(listeners or {}).get(label, {})}
        for label, name in names.items()
    }
    sections = {names[label]: options for label, options in clients.items()}
    with running_lab(folder, made, EVERYBODY, {**sections, **(more or {})}) as lab:
        yield DirectoryLab(lab, names)
