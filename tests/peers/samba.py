"""A real Active Directory: a Samba domain controller that a test provisions, on an address of loopback of its own.

Its ports (389, 636 …) are fixed in Samba, so it needs root and an address of 127.0.0.0/8 that nobody else has. Accounts
are written into its database before it starts, which takes a fraction of what `samba-tool` takes for each.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.peers.authority import Authority, KeyPair
from tests.peers.server import RunningServer, start_server, tcp_answers

PEERS = ("samba", "samba-tool", "samba-dsdb", "samba-provision", "samba-vfs", "ldb-tools", "ldapsearch")
REALM = "corp.example.test"
DOMAIN = "CORP"
BASE = "DC=corp,DC=example,DC=test"
PASSWORD = "C0rrect-Horse!"
SERVICE = "svc-duo"
SERVICE_PASSWORD = "S3rvice-Secret!"
THRESHOLD = 3
"""So many wrong passwords lock an account."""

PROVISION_S = 90.0
TOOL_S = 30.0
NEVER_IN_2019 = 132_000_000_000_000_000
"""A FILETIME in April 2019."""
_KEEP_HASHES = "--controls=local_oid:1.3.6.1.4.1.7165.4.3.12:0"
"""Samba's own control that lets pwdLastSet be written."""


@dataclass(frozen=True)
class Account:
    """One user.

    Attributes:
        name: sAMAccountName; the local part of the userPrincipalName too, unless `more` has another one.
        common_name: of the entry, as a DN spells it; the name when empty.
        flags: userAccountControl.
        password: of the user.
        more: further attributes; octets are written in base64.
    """

    name: str
    common_name: str = ""
    flags: int = 512
    password: str = PASSWORD
    more: Mapping[str, str | bytes] = field(default_factory=dict)

    @property
    def dn(self) -> str:
        """Where the entry stands."""
        return f"CN={self.common_name or self.name},CN=Users,{BASE}"


def group_dn(name: str) -> str:
    """Where a group stands."""
    return f"CN={name},CN=Users,{BASE}"


@dataclass(frozen=True)
class Group:
    """One group: its name, and the DNs of its members."""

    name: str
    members: Sequence[str] = ()


class SambaDomain:
    """A running domain controller.

    Attributes:
        address: where it listens.
        ca_file: who signed its certificate, which is for `address` and for dc1.corp.example.test.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self.address = address
        self._folder = folder
        self._server: RunningServer | None = None
        self._starts = 0
        self._strong_auth = ""
        authority = Authority(folder / "tls", "Samba test authority")
        self.ca_file = authority.ca_file
        self._certificate = authority.issue("dc1", [f"dc1.{REALM}"], [address])

    def provision(self) -> None:
        """Make the domain."""
        (self._folder / "empty.conf").write_text("", "ascii")
        command = ["samba-tool", "domain", "provision", f"--configfile={self._folder}/empty.conf"]
        command += [f"--targetdir={self._folder}/dc", f"--realm={REALM.upper()}", f"--domain={DOMAIN}"]
        command += ["--server-role=dc", "--dns-backend=NONE", "--host-name=dc1", f"--host-ip={self.address}"]
        command += ["--adminpass=Adm1n-Passw0rd!", "--option=interfaces=lo", "--option=bind interfaces only=yes"]
        _run(command, limit_s=PROVISION_S)
        self.modify(
            f"dn: {BASE}\nchangetype: modify\nreplace: lockoutThreshold\nlockoutThreshold: {THRESHOLD}\n-\n"
            f"replace: lockOutObservationWindow\nlockOutObservationWindow: {-30 * 60 * 10_000_000}\n"
        )

    def add(self, accounts: Iterable[Account], groups: Iterable[Group]) -> None:
        """Write users, then groups, into the database."""
        entries = [_entry(account) for account in accounts] + [_group_entry(group) for group in groups]
        self.add_ldif("\n".join(entries))

    def add_ldif(self, ldif: str) -> None:
        """Write other entries into the database."""
        said = self._tool("ldbadd", ldif)  # which succeeds when it fails in the middle
        assert f"Added {len(re.findall('^dn:', ldif, re.MULTILINE))} records" in said, said

    def set_primary_group(self, account: Account, group: str) -> None:
        """Give a user, who is a member of it, another primary group than Domain Users."""
        sid = self.read(group_dn(group), "objectSid")
        self.modify(_replace(account.dn, "primaryGroupID", sid.rpartition("-")[2]))

    def make_administrator(self, account: Account) -> None:
        """Let an account read everything."""
        self.modify(f"dn: {group_dn('Domain Admins')}\nchangetype: modify\nadd: member\nmember: {account.dn}\n")

    def add_policy(self, account: Account, threshold: int) -> None:
        """Give a user a fine-grained password policy, by which this many wrong passwords lock."""
        window = -30 * 60 * 10_000_000
        lines = [f"dn: CN=policy{threshold},CN=Password Settings Container,CN=System,{BASE}"]
        lines += ["objectClass: msDS-PasswordSettings", f"msDS-PasswordSettingsPrecedence: {threshold}"]
        lines += ["msDS-PasswordReversibleEncryptionEnabled: FALSE", "msDS-PasswordComplexityEnabled: FALSE"]
        lines += ["msDS-PasswordHistoryLength: 0", "msDS-MinimumPasswordLength: 0", "msDS-MinimumPasswordAge: 0"]
        lines += [f"msDS-MaximumPasswordAge: {-(2**63)}", f"msDS-LockoutThreshold: {threshold}"]
        lines += [f"msDS-LockoutObservationWindow: {window}", f"msDS-LockoutDuration: {window}"]
        self._tool("ldbadd", "\n".join([*lines, f"msDS-PSOAppliesTo: {account.dn}", ""]))

    def expire_password(self, account: Account) -> None:
        """Let the password of a user be years old."""
        self.modify(_replace(account.dn, "pwdLastSet", str(NEVER_IN_2019)), _KEEP_HASHES)

    def set_password(self, account: Account, password: str) -> None:
        """Reset a user's password, as an administrator does."""
        octets = base64.b64encode(password.encode("utf-16-le")).decode()
        self.modify(f"dn: {account.dn}\nchangetype: modify\nreplace: clearTextPassword\nclearTextPassword:: {octets}\n")

    def unlock(self, account: Account) -> None:
        """Unlock an account, as an administrator does."""
        self.modify(_replace(account.dn, "lockoutTime", "0"))

    def bad_passwords(self, account: Account) -> int:
        """Ask the running domain controller for badPwdCount."""
        command = ["ldapsearch", "-LLL", "-x", "-H", f"ldaps://{self.address}", "-D", f"{SERVICE}@{REALM}"]
        command += ["-w", SERVICE_PASSWORD, "-s", "base", "-b", account.dn, "(objectClass=*)", "badPwdCount"]
        output = _run(command, environment={"LDAPTLS_CACERT": str(self.ca_file), "LDAPRC": "none"})
        return int(_value(output, "badPwdCount") or "0")

    def read(self, dn: str, attribute: str) -> str:
        """Read the first value of an attribute from the database; empty when there is none."""
        return _value(self._tool("ldbsearch", "", "-s", "base", "-b", dn, "(objectClass=*)", attribute), attribute)

    def modify(self, ldif: str, *options: str) -> None:
        """Change the database."""
        self._tool("ldbmodify", ldif, *options)

    def run(self, strong_auth: str = "yes") -> None:
        """Start it, or start it anew, with this `ldap server require strong auth`; nothing when it runs so."""
        if self._server is not None and self._strong_auth == strong_auth:
            return
        self.stop()
        self._strong_auth = strong_auth
        self._starts += 1
        configuration = self._folder / "dc/etc/smb.conf"
        configuration.write_text(
            _smb_conf(self._folder / "dc", self.address, self._certificate, self.ca_file, strong_auth)
        )
        command = ["samba", "-i", "-M", "single", "--debug-stdout", "-s", str(configuration)]
        name = f"samba{self._starts}"
        self._server = start_server(name, command, folder=self._folder, ready=tcp_answers(636, self.address))

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _tool(self, name: str, text: str, *options: str) -> str:
        database = self._folder / "dc/private/sam.ldb"
        return _run([name, "-H", str(database), *options], text)


@contextlib.contextmanager
def running_domain(folder: Path, accounts: Iterable[Account], groups: Iterable[Group]) -> Iterator[SambaDomain]:
    """Provision a domain with these accounts and groups; the caller starts it with `run`."""
    if os.geteuid() != 0:
        pytest.skip("Samba as a domain controller needs root: its ports are fixed")
    domain = SambaDomain(folder, free_address())
    domain.provision()
    domain.add(accounts, groups)
    try:
        yield domain
    finally:
        domain.stop()


def free_address() -> str:
    """Find an address of 127.0.1.0/24 on whose port 389 nobody listens; workers begin at different ones."""
    for step in range(250):
        address = f"127.0.1.{1 + (os.getpid() + step) % 250}"
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((address, 389))
            return address
    raise RuntimeError("no address of 127.0.1.0/24 is free at port 389")


def _run(
    command: Sequence[str], text: str = "", limit_s: float = TOOL_S, environment: Mapping[str, str] | None = None
) -> str:
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def _value(output: str, attribute: str) -> str:
    found = re.search(rf"^{attribute}: (.*)$", output, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def _entry(account: Account) -> str:
    lines = [_line("dn", account.dn), "objectClass: user", _line("sAMAccountName", account.name)]
    if "userPrincipalName" not in account.more:
        lines.append(_line("userPrincipalName", f"{account.name}@{REALM}"))
    lines.append(f"userAccountControl: {account.flags}")
    lines += [_line("clearTextPassword", account.password.encode("utf-16-le"))]
    return "\n".join([*lines, *(_line(name, value) for name, value in account.more.items()), ""])


def _group_entry(group: Group) -> str:
    lines = [f"dn: {group_dn(group.name)}", "objectClass: group", f"sAMAccountName: {group.name}"]
    return "\n".join([*lines, *(_line("member", member) for member in group.members), ""])


def _line(name: str, value: str | bytes) -> str:
    if isinstance(value, str) and value.isascii() and not value.startswith((" ", ":", "<")):
        return f"{name}: {value}"
    octets = value.encode() if isinstance(value, str) else value
    return f"{name}:: {base64.b64encode(octets).decode()}"


def _replace(dn: str, attribute: str, value: str) -> str:
    return f"{_line('dn', dn)}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"


def _smb_conf(place: Path, address: str, pair: KeyPair, ca_file: Path, strong_auth: str) -> str:
    return f"""[global]
	netbios name = DC1
	realm = {REALM.upper()}
	workgroup = {DOMAIN}
	server role = active directory domain controller
	server services = ldap, cldap
	interfaces = {address}/8
	bind interfaces only = yes
	private dir = {place}/private
	lock directory = {place}
	state directory = {place}/state
	cache directory = {place}/cache
	binddns dir = {place}/bind-dns
	pid directory = {place}
	ncalrpc dir = {place}/ncalrpc
	tls enabled = yes
	tls keyfile = {pair.key}
	tls certfile = {pair.certificate}
	tls cafile = {ca_file}
	ldap server require strong auth = {strong_auth}
"""
