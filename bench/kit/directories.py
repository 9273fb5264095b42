"""The directories that are asked: OpenLDAP and a Samba domain, as the tests start them, on the core of everything else.

Each brings what our proxy and FreeRADIUS have to be told of it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.kit.freeradius_ldap import LdapModule
from bench.kit.radius_load import user_name
from tests.peers import samba, slapd
from tests.peers.peer import missing


@dataclass(frozen=True)
class Way:
    """One way of asking a directory.

    Attributes:
        title: for tables.
        client: the [ad_client] section.
        password: of every user.
        theirs: what rlm_ldap is told; None: it cannot do this.
    """

    title: str
    client: str
    password: str
    theirs: LdapModule | None


def absent() -> list[str]:
    """The packages of servers that are not installed."""
    return sorted({each.package for each in missing([*slapd.PEERS, *samba.PEERS, "freeradius-ldap"])})


def samba_can_run() -> bool:
    """Whether a domain controller can be started: its ports are fixed, and need root."""
    return os.geteuid() == 0


@contextlib.contextmanager
def openldap(folder: Path, core: int, users: int) -> Iterator[list[Way]]:
    """Run OpenLDAP with so many users; give simple binds over LDAPS, and clear."""
    people = [slapd.person(user_name(number)) for number in range(users)]
    with on_core(core), slapd.running_slapd(folder, people, stats=False) as server:
        yield [
            Way(
                f"OpenLDAP, {title}",
                _section(server.options(transport)),
                slapd.PASSWORD,
                LdapModule(uri, slapd.SERVICE_DN, slapd.SERVICE_PASSWORD, slapd.BASE, "uid", server.ca_file),
            )
            for title, transport, uri in (
                ("LDAPS", "ldaps", f"ldaps://127.0.0.1:{server.ldaps_port}"),
                ("clear", "clear", f"ldap://127.0.0.1:{server.port}"),
            )
        ]


@contextlib.contextmanager
def samba_domain(folder: Path, core: int, users: int) -> Iterator[list[Way]]:
    """Run a domain controller with so many users; give NTLM with sign and seal, and simple binds over LDAPS."""
    accounts = [samba.Account(samba.SERVICE, password=samba.SERVICE_PASSWORD)]
    accounts += [samba.Account(user_name(number)) for number in range(users)]
    with on_core(core), samba.running_domain(folder, accounts, []) as domain:
        domain.run()
        ntlm: dict[str, object] = {
            "host": domain.address,
            "service_account_username": samba.SERVICE,
            "service_account_password": samba.SERVICE_PASSWORD,
            "search_dn": samba.BASE,
        }
        plain = {**ntlm, "auth_type": "plain", "transport": "ldaps", "ssl_ca_certs_file": domain.ca_file}
        identity = f"{samba.SERVICE}@{samba.REALM}"
        uri = f"ldaps://{domain.address}"
        theirs = LdapModule(uri, identity, samba.SERVICE_PASSWORD, samba.BASE, "sAMAccountName", domain.ca_file)
        yield [
            Way("Samba AD, NTLM signed and sealed", _section(ntlm), samba.PASSWORD, None),
            Way("Samba AD, LDAPS", _section(plain), samba.PASSWORD, theirs),
        ]


def _section(options: Mapping[str, object]) -> str:
    return "\n".join(["[ad_client]", *(f"{name}={value}" for name, value in options.items())])


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Let what is started in here, and ourselves, use one core only."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)
