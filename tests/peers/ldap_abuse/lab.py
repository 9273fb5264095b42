"""A proxy to attack, in front of a slapd with an attacker's entries; both sides tell what became of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from duoproxy.ldap.framing import peek_message
from duoproxy.ldap.messages import Response
from tests.peers.ldap_lab import LdapLab, RawClient, code_of, running_ldap_lab
from tests.peers.ports import LOOPBACK, free_port
from tests.peers.slapd import BASE, PASSWORD, PEOPLE, Entry, Slapd, person, running_slapd
from tests.unit.ldap.relay_kit import bind

MALLORY = f"uid=mallory,{PEOPLE}"
OWN = "what Mallory knows"
APP_DN, APP_PASSWORD = f"cn=app,ou=services,{BASE}", "app secret"
USERS = {
    "alice": "push approve-after 0",
    "slow": "push approve-after 600",
    "frank": "bypass",
    "mallory": "push deny-after 0",
    "*": "push deny-after 0",
}
MANY_VALUES = 100_000
REFERRED = free_port()
ENTRIES = [
    *(person(uid) for uid in ("alice", "slow", "frank")),
    person("mallory", more={"userPassword": OWN}),
    # Entries of an attacker's that have the name of somebody whom Duo lets in, beside their own or instead of it.
    Entry(f"uid=two,{PEOPLE}", ["inetOrgPerson"], {"uid": ["two", "frank"], "sn": "x", "cn": "x", "userPassword": OWN}),
    Entry(f"cn=both,{PEOPLE}", ["inetOrgPerson"], {"uid": ["both", "frank"], "sn": "x", "userPassword": OWN}),
    Entry(f"cn=none,{PEOPLE}", ["inetOrgPerson"], {"sn": "x", "userPassword": OWN}),
    Entry(f"ou=services,{BASE}", ["organizationalUnit"]),
    Entry(APP_DN, ["person"], {"sn": "app", "userPassword": APP_PASSWORD}),
    Entry(
        f"cn=services,{PEOPLE}",
        ["inetOrgPerson"],
        {"uid": "services", "sn": "x", "ou": "services", "userPassword": OWN},
    ),
    Entry(f"ou=elsewhere,{BASE}", ["referral", "extensibleObject"], {"ref": f"ldap://{LOOPBACK}:{REFERRED}/dc=x"}),
    person("crowd", more={"description": [f"value {number}" for number in range(MANY_VALUES)]}),
    person("bulky", more={"description": "x" * (1 << 20)}),
]
SHARE = 16


LISTENERS: dict[str, dict[str, object]] = {
    "auto": {"debug": "true"},
    "first": {"exempt_primary_bind": "true"},
    "app": {"exempt_ou_1": f"ou=services,{BASE}", "allow_unlimited_binds": "true"},
    "small": {"max_connections": SHARE},
    "hasty": {"network_timeout": "1", "idle_timeout": "2"},
    "open": {"allow_anonymous": "true"},
}


@dataclass(frozen=True)
class AbuseLab:
    """The proxy, and the directory behind it, whose log says what arrived."""

    lab: LdapLab
    slapd: Slapd

    def whoami(self, label: str, name: str, password: str) -> int:
        """Let OpenLDAP's client bind; give the result code."""
        return self.lab.run("ldapwhoami", self.lab.url(label), "-D", name, "-w", password).code

    def connect(self, label: str = "auto") -> RawClient:
        """Connect, and say nothing."""
        return RawClient(self.lab.ports[label])

    def bound(self, label: str = "auto", name: str = "", password: str = PASSWORD) -> RawClient:
        """Connect and bind, as Alice unless told otherwise."""
        client = self.connect(label)
        client.send(bind(1, (name or dn("alice")).encode(), password.encode()))
        assert code_of(client.receive()) == 0
        return client

    def asked(self) -> set[str]:
        """Who was asked for a second factor."""
        return set(self.lab.controls.call("/sandbox/state")["asked"])

    def log(self) -> str:
        """What the proxy has written."""
        return self.lab.server.output()

    def seen(self) -> str:
        """What slapd has written."""
        return self.slapd.server.output()

    def resident_kib(self) -> int:
        """The memory of the proxy."""
        status = Path(f"/proc/{self.lab.server.pid}/status").read_text("ascii")
        return int(re.findall(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)[0])


@contextlib.contextmanager
def running_abuse_lab(factory: pytest.TempPathFactory) -> Iterator[AbuseLab]:
    """Run both."""
    rights = f'limits * size=unlimited\nrootdn "cn=root,ou=services,{BASE}"\nrootpw "{OWN}"\n'
    with (
        running_slapd(factory.mktemp("slapd"), ENTRIES, last=rights) as slapd,
        running_ldap_lab(factory.mktemp("proxy"), slapd.options("starttls"), LISTENERS, USERS) as lab,
    ):
        yield AbuseLab(lab, slapd)


def dn(uid: str) -> str:
    """Where a user stands."""
    return f"uid={uid},{PEOPLE}"


def expect_notice(client: RawClient, code: int = 2) -> None:
    """A Notice of Disconnection, and the end."""
    notice = client.receive()
    assert (peek_message(notice).message_id, code_of(notice), client.receive()) == (0, code, b"")


def receive_result(client: RawClient) -> bytes:
    """Take what comes until a search ends."""
    while peek_message(answer := client.receive()).operation_tag in (Response.SEARCH_ENTRY, Response.SEARCH_REFERENCE):
        pass
    return answer
