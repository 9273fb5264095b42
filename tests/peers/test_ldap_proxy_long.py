"""[ldap_server_auto] in great numbers and for long: ten thousand idle connections; an hour of everything at once.

LDAP_MIXED_S says how many seconds the second one takes. The figures are printed (`-s` shows them).
"""

from __future__ import annotations

import os
import random
import re
import resource
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response
from tests.peers.ldap_lab import PEERS as CLIENTS
from tests.peers.ldap_lab import LdapLab, RawClient, code_of, running_ldap_lab
from tests.peers.ports import LOOPBACK
from tests.peers.server import wait_until
from tests.peers.slapd import PASSWORD, PEERS, PEOPLE, Slapd, person, running_slapd
from tests.unit.ldap.relay_kit import abandon, bind, extended, root_dse, search, start_tls, unbind

MIXED_S = float(os.environ.get("LDAP_MIXED_S", "3600"))
pytestmark = [
    pytest.mark.needs_peer(*PEERS, *CLIENTS),
    pytest.mark.long,
    pytest.mark.timeout(MIXED_S + 900),
]

USERS = {
    "alice": "push approve-after 0",
    "dave": "push deny-after 0",
    "frank": "bypass",
    "slow": "push approve-after 600",
    "*": "push approve-after 0",
}
PEOPLE_THERE = 500
IDLE, BOUND, OVER_TLS = 10_000, 2_000, 500
ADDRESSES = 50
MAX_KIB_IDLE, MAX_KIB_BOUND, MAX_KIB_TLS = 24, 60, 120
WORKERS = 6
WARM_UP = 0.25
GROWTH_KIB = 16 * 1024
"""Of the process, in which the sandbox keeps its journal too, from the end of the warm-up on."""


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    entries = [person(uid) for uid in USERS if uid != "*"]
    entries += [person(f"user{number}", more={"description": "x" * 2_000}) for number in range(PEOPLE_THERE)]
    last = "limits * size=unlimited\n"
    with running_slapd(tmp_path_factory.mktemp("slapd"), entries, last=last, stats=False) as server:
        yield server


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """As many as this process may have; those that it starts inherit them."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < IDLE + BOUND + 1_000:
        pytest.skip(f"this process may have {before[1]} descriptors only (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def resident_kib(lab: LdapLab) -> int:
    status = Path(f"/proc/{lab.server.pid}/status").read_text("ascii")
    return int(re.findall(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)[0])


def descriptors(lab: LdapLab) -> int:
    return len(os.listdir(f"/proc/{lab.server.pid}/fd"))


def connect(port: int, number: int) -> socket.socket:
    """Connect from one of many addresses of loopback, for each of which there is a share."""
    return socket.create_connection(
        (LOOPBACK, port), timeout=60, source_address=(f"127.0.2.{number % ADDRESSES + 1}", 0)
    )


def whoami(lab: LdapLab, label: str = "auto") -> int:
    return lab.run("ldapwhoami", lab.url(label), "-D", dn("alice"), "-w", PASSWORD).code


def dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


# ── ten thousand ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_ten_thousand_idle_connections(
    slapd: Slapd, tmp_path_factory: pytest.TempPathFactory, many_descriptors: None
) -> None:
    """One process keeps them, some of them bound, some over TLS; users log in; all memory comes back with the last."""
    listeners = {"auto": {"max_connections": IDLE + 2_000, "exempt_primary_bind": "true"}}
    with running_ldap_lab(tmp_path_factory.mktemp("many"), slapd.options(), listeners, USERS) as lab:
        assert whoami(lab) == 0
        empty = descriptors(lab)
        figures = [resident_kib(lab)]
        clients = [connect(lab.ports["auto"], number) for number in range(IDLE - BOUND - OVER_TLS)]
        wait_until(lambda: descriptors(lab) >= empty + len(clients), "all connections", 60)
        figures.append(resident_kib(lab))
        clients += [bound(lab, number) for number in range(BOUND)]
        figures.append(resident_kib(lab))
        clients += [over_tls(lab, number) for number in range(OVER_TLS)]
        figures.append(resident_kib(lab))
        assert descriptors(lab) >= empty + IDLE + BOUND
        assert whoami(lab) == 0
        clients[-OVER_TLS - 1].sendall(extended(2))
        assert dn("alice").encode() in clients[-OVER_TLS - 1].recv(1_000)
        for client in clients:
            client.close()
        wait_until(lambda: descriptors(lab) <= empty + 4, "all of them to be gone", 60)
        assert whoami(lab) == 0
    counts = (len(clients) - BOUND - OVER_TLS, BOUND, OVER_TLS)
    each = [(after - before) / count for before, after, count in zip(figures[:-1], figures[1:], counts, strict=True)]
    print(f"\n{IDLE} connections: KiB each: idle {each[0]:.1f}, bound {each[1]:.1f}, TLS {each[2]:.1f}; {figures} KiB")
    assert each[0] < MAX_KIB_IDLE
    assert each[1] < MAX_KIB_BOUND
    assert each[2] < MAX_KIB_TLS


def bound(lab: LdapLab, number: int) -> socket.socket:
    client = connect(lab.ports["auto"], number)
    client.sendall(bind(1, dn("alice").encode(), PASSWORD.encode()))
    assert code_of(client.recv(1_000)) == 0
    return client


def over_tls(lab: LdapLab, number: int) -> socket.socket:
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    return context.wrap_socket(connect(lab.ldaps_ports["auto"], number), server_hostname=LOOPBACK)


def test_bound_of_4096_connections_and_fair_share(
    slapd: Slapd, tmp_path_factory: pytest.TempPathFactory, many_descriptors: None
) -> None:
    """Without an option: 4,096 in all, half of what is left for each address, and always one for a new one."""
    with running_ldap_lab(tmp_path_factory.mktemp("few"), slapd.options(), {"auto": {}}, USERS) as lab:
        empty = descriptors(lab)
        greedy = [connect(lab.ports["auto"], 0) for _ in range(2_500)]
        assert whoami(lab) == 0
        assert 2_048 <= descriptors(lab) - empty <= 2_048 + 8
        others = [connect(lab.ports["auto"], number) for number in range(4_000)]
        wait_until(lambda: descriptors(lab) - empty >= 4_000, "the others", 30)
        assert descriptors(lab) - empty <= 4_096 + 8
        for client in [*greedy, *others]:
            client.close()
        wait_until(lambda: whoami(lab) == 0, "a place", 30)


# ── an hour ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Worker:
    """One client after the other, each of a random kind, until it is told to stop; counts what it did."""

    def __init__(self, lab: LdapLab, seed: int, end: threading.Event) -> None:
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self._lab = lab
        self._random = random.Random(seed)
        self._end = end
        self._thread = threading.Thread(target=self._run)
        self._kinds: list[Callable[[RawClient], None]] = [
            self.read_some,
            self.read_everybody,
            self.pipeline,
            self.give_up_searches,
            self.mistype,
            self.be_denied,
            self.leave_while_asked,
            self.talk_nonsense,
            self.knock,
            self.read_nothing,
            self.bind_twice,
        ]

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(0.005):
            kind = self._random.choice(self._kinds)
            client = RawClient(self._lab.ports["auto"])
            try:
                if self._random.random() < 0.3:
                    self._secure(client)
                kind(client)
                self.done[kind.__name__] += 1
            except Exception as fault:  # noqa: BLE001 - each one is told at the end
                self.faults.append(f"{kind.__name__}: {fault!r}")
            finally:
                client.close()

    def _secure(self, client: RawClient) -> None:
        client.send(start_tls(1))
        assert code_of(client.receive()) == 0
        context = ssl.create_default_context(cafile=str(self._lab.ca_file))
        client.socket = context.wrap_socket(client.socket, server_hostname=LOOPBACK)

    def _log_in(self, client: RawClient, uid: str = "alice", password: str = PASSWORD, number: int = 2) -> int:
        client.send(bind(number, dn(uid).encode(), password.encode()))
        return code_of(client.receive())

    def _results(self, client: RawClient, count: int) -> list[int]:
        codes: list[int] = []
        while len(codes) < count:
            octets = client.receive()
            if peek_message(octets).operation_tag != Response.SEARCH_ENTRY:
                codes.append(code_of(octets))
        return codes

    def read_some(self, client: RawClient) -> None:
        assert self._log_in(client) == 0
        for number in range(3, 3 + self._random.randrange(1, 30)):
            client.send(search(number, dn(f"user{self._random.randrange(PEOPLE_THERE)}").encode(), 0))
            assert self._results(client, 1) == [0]
        client.send(unbind(99))
        assert client.receive() == b""

    def read_everybody(self, client: RawClient) -> None:
        assert self._log_in(client, "frank") == 0
        client.send(search(3, PEOPLE.encode()))
        assert self._results(client, 1) == [0]

    def pipeline(self, client: RawClient) -> None:
        assert self._log_in(client) == 0
        client.send(*(search(number, dn(f"user{number}").encode(), 0) for number in range(3, 103)))
        assert self._results(client, 100) == [0] * 100

    def give_up_searches(self, client: RawClient) -> None:
        assert self._log_in(client, "frank") == 0
        for number in range(3, 13, 2):
            client.send(search(number, PEOPLE.encode()), abandon(number + 1, number))
        client.send(extended(50))
        while peek_message(client.receive()).operation_tag != Response.EXTENDED:
            pass

    def mistype(self, client: RawClient) -> None:
        assert self._log_in(client, f"user{self._random.randrange(PEOPLE_THERE)}", "wrong") == 49

    def be_denied(self, client: RawClient) -> None:
        assert self._log_in(client, "dave") == 49
        client.send(search(3, PEOPLE.encode()))
        assert self._results(client, 1) == [8]

    def leave_while_asked(self, client: RawClient) -> None:
        client.send(bind(2, dn("slow").encode(), PASSWORD.encode()))
        client.send(search(3))
        assert code_of(client.receive()) == 1

    def talk_nonsense(self, client: RawClient) -> None:
        client.send(self._random.randbytes(1) * 2 + b"\x30\x84\xff\xff\xff\xff")
        while client.receive():
            pass

    def knock(self, client: RawClient) -> None:
        client.send(root_dse(2)[: self._random.randrange(20)])

    def read_nothing(self, client: RawClient) -> None:
        assert self._log_in(client, "frank") == 0
        client.send(*(search(number, PEOPLE.encode()) for number in range(3, 8)))

    def bind_twice(self, client: RawClient) -> None:
        assert self._log_in(client, "frank") == 0
        assert self._log_in(client, "alice", number=3) == 0
        client.send(extended(4))
        assert client.receive().endswith(dn("alice").encode())


def test_mixed_use_for_an_hour(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Logins, searches, refusals, rubbish, clients that leave: no wrong answer, no fault, no growth, nothing left."""
    listeners = {"auto": {"allow_unlimited_binds": "true"}}
    with running_ldap_lab(tmp_path_factory.mktemp("mixed"), slapd.options("starttls"), listeners, USERS) as lab:
        assert whoami(lab) == 0
        empty = descriptors(lab)
        end, warm = threading.Event(), threading.Event()
        workers = [Worker(lab, seed, end) for seed in range(WORKERS)]
        for worker in workers:
            worker.start()
        warm.wait(MIXED_S * WARM_UP)
        before = resident_kib(lab)
        end.wait(MIXED_S * (1 - WARM_UP))
        after = resident_kib(lab)
        end.set()
        for worker in workers:
            worker.join()
        done = sum((worker.done for worker in workers), Counter())
        print(f"\n{sum(done.values())} connections in {MIXED_S:.0f} s: {dict(done)}; memory {before} to {after} KiB")
        assert [fault for worker in workers for fault in worker.faults] == []
        wait_until(lambda: descriptors(lab) <= empty + 8, "all connections to be gone", 90)
        assert after - before < GROWTH_KIB
        assert whoami(lab) == 0
        output = lab.server.output()
        assert "Traceback" not in output
        assert "fault in duoproxy itself" not in output
