"""The same LDAP, directly and through the proxy, with every octet written down: before it, behind it, beside it.

A *scenario* is what a client does at a `Door`. `compare` lets it be done twice, at the directory itself and at the
proxy, and holds what came of it together, message by message.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from duoproxy.ldap.framing import peek_message
from tests.peers.authority import Authority
from tests.peers.ldap_lab import LdapLab, running_ldap_lab
from tests.peers.ldap_tap import LdapTap, Recorded
from tests.peers.ports import LOOPBACK
from tests.peers.proxy import Sections

PYTHON_LDAP = ("python3-ldap",)
DEBIAN_PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).with_name("python_ldap_program.py")
PROGRAM_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Door:
    """Where a client goes in.

    Attributes:
        url: `ldap://` or `ldaps://`.
        ca_file: whom to trust.
        start_tls: whether to begin with StartTLS.
    """

    url: str
    ca_file: Path
    start_tls: bool = False

    @property
    def port(self) -> int:
        """The TCP port of the URL."""
        return int(self.url.rpartition(":")[2])


@dataclass(frozen=True)
class Compared:
    """The connections of a scenario: at the directory itself, before the proxy, behind it."""

    direct: list[Recorded]
    front: list[Recorded]
    back: list[Recorded]


@dataclass(frozen=True)
class ProxyLab:
    """A proxy with taps before it, behind it, and beside it.

    Attributes:
        lab: the proxy.
        direct: to the directory itself; plain, and LDAPS.
        front: to the proxy; plain, and LDAPS.
        back: between proxy and directory.
        service_name: the bind name of the proxy itself, whose connections are its own affair.
        ca_file: who signed the certificate of all taps.
    """

    lab: LdapLab
    direct: tuple[LdapTap, LdapTap]
    front: tuple[LdapTap, LdapTap]
    back: LdapTap
    service_name: bytes
    ca_file: Path

    def doors(self, secure: str) -> tuple[Door, Door]:
        """The ways in: to the directory, and to the proxy; `secure` is plain, starttls or ldaps."""
        which = 1 if secure == "ldaps" else 0
        direct, front = self.direct[which], self.front[which]
        return tuple(Door(tap.url, self.ca_file, secure == "starttls") for tap in (direct, front))  # type: ignore[return-value]

    def run(self, scenario: Callable[[Door], T], secure: str) -> tuple[T, T, Compared]:
        """Have a scenario done twice; give both results, and the connections."""
        taps = [*self.direct, *self.front, self.back]
        first = [len(tap.connections) for tap in taps]
        without, through = (scenario(door) for door in self.doors(secure))
        seen = [tap.since(start) for tap, start in zip(taps[:4], first[:4], strict=True)]
        return without, through, Compared(seen[0] + seen[1], seen[2] + seen[3], self._behind(first[4]))

    def _behind(self, first: int) -> list[Recorded]:
        """The connections of clients behind the proxy, when they are over; the proxy's own go on."""
        own = (b"", self.service_name)
        taken = [one for one in self.back.connections[first:] if one.bind_name() not in own]
        deadline = self.back.since
        for one in taken:
            if not one.ended:
                deadline(self.back.connections.index(one))
        return taken

    def compare(self, scenario: Callable[[Door], T], secure: str = "plain", *, same_octets: bool = True) -> T:
        """Have a scenario done twice, and hold everything together; give what came of it.

        Args:
            scenario: does something, and says what came of it.
            secure: plain, starttls or ldaps.
            same_octets: whether the directory says the same octets each time that it is asked the same.
        """
        without, through, seen = self.run(scenario, secure)
        assert through == without
        assert len(seen.front) == len(seen.direct)
        for front, direct in zip(seen.front, seen.direct, strict=True):
            assert front.over_tls == direct.over_tls == (secure != "plain")
            if same_octets:
                assert contents(front.asked()) == contents(direct.asked())
                assert contents(front.answered_from_bind()) == contents(direct.answered_from_bind())
        require_unchanged(seen)
        return through


def contents(messages: list[bytes]) -> list[bytes]:
    """Operations and controls, in the order of their message ids.

    The ids themselves are left out, since ldap3 counts on from one connection to the next; and requests that are sent
    at once may be answered in any order.
    """
    heads = sorted(((peek_message(one), one) for one in messages), key=lambda pair: pair[0].message_id)
    return [one[head.operation_offset :] for head, one in heads]


def require_unchanged(seen: Compared) -> None:
    """Behind its bind, a connection is the same before and behind the proxy: both ways, octet for octet."""
    bound = [one for one in seen.front if one.asked_after_bind()]
    behind = [one for one in seen.back if one.asked_after_bind()]
    assert len(bound) == len(behind)
    for front, back in zip(bound, behind, strict=True):
        assert front.asked_after_bind() == back.asked_after_bind()
        assert front.answered_after_bind() == back.answered_after_bind()


def run_python_ldap(door: Door, given: Mapping[str, object]) -> list[tuple[str, str]]:
    """Run the program of python-ldap; give name and result of each task."""
    told = {"url": door.url, "ca_file": str(door.ca_file), "start_tls": door.start_tls, **given}
    done = subprocess.run(
        [DEBIAN_PYTHON, "-I", str(PROGRAM), json.dumps(told)],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def running_proxy_lab(
    folder: Path,
    *,
    directory: tuple[str, int, int],
    client: Mapping[str, object],
    listeners: Sections,
    users: Mapping[str, str],
    service_name: bytes,
) -> Iterator[ProxyLab]:
    """Run a proxy and the taps around it, for its first listener.

    Args:
        folder: where they work.
        directory: its address, its port for plain LDAP, its port for LDAPS.
        client: options of [ad_client]; host, port and trust are those of the tap.
        listeners: label to options of an [ldap_server_auto…] section.
        users: name to behaviour at the sandbox.
        service_name: what the proxy binds as.
    """
    host, port, ldaps_port = directory
    authority = Authority(folder / "taps", "taps")
    pair = authority.issue("tap", ["localhost"], [LOOPBACK])
    over_tls = client.get("transport") == "ldaps"

    def tap(server: tuple[str, int], *, ldaps: bool = False) -> LdapTap:
        return stack.enter_context(LdapTap(server, pair, authority.ca_file, ldaps).running())

    with contextlib.ExitStack() as stack:
        back = tap((host, ldaps_port if over_tls else port), ldaps=over_tls)
        at_tap = {"host": LOOPBACK, "port": back.port, "ssl_ca_certs_file": authority.ca_file}
        lab = stack.enter_context(running_ldap_lab(folder, {**client, **at_tap}, listeners, users))
        first = next(iter(listeners))
        direct = tap((host, port)), tap((host, ldaps_port), ldaps=True)
        front = tap((LOOPBACK, lab.ports[first])), tap((LOOPBACK, lab.ldaps_ports[first]), ldaps=True)
        yield ProxyLab(lab, direct, front, back, service_name, authority.ca_file)
