"""A real OpenLDAP server: a generated slapd.conf and database, as any user, on free ports of loopback.

It logs each operation, so that a test reads what arrived there: binds with their DN, searches with their filter.
"""

from __future__ import annotations

import base64
import contextlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.authority import Authority
from tests.peers.ports import LOOPBACK, free_ports
from tests.peers.server import RunningServer, start_server, tcp_answers

PEERS = ("slapd",)
BASE = "dc=example,dc=test"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
SERVICE_DN = f"cn=svc-duo,{BASE}"
SERVICE_PASSWORD = "service secret"
PASSWORD = "correct horse"

LOAD_S = 600.0
SCHEMAS = ("core", "cosine", "inetorgperson")
SCHEMA_FOLDERS = ("etc/ldap/schema", "etc/openldap/schema")
MODULE_FOLDERS = ("usr/lib/ldap", "usr/lib/*/ldap", "usr/lib64/openldap")

Values = str | bytes | Sequence[str | bytes]


@dataclass(frozen=True)
class Entry:
    """One entry: its DN, its object classes, and its attributes."""

    dn: str
    classes: Sequence[str]
    attributes: Mapping[str, Values] = field(default_factory=dict)

    def ldif(self) -> str:
        """Write it as LDIF."""
        lines = [_line("dn", self.dn), *(f"objectClass: {name}" for name in self.classes)]
        for name, values in self.attributes.items():
            each = [values] if isinstance(values, str | bytes) else values
            lines += [_line(name, value) for value in each]
        return "\n".join([*lines, "", ""])


def person(uid: str, common_name: str = "", more: Mapping[str, Values] | None = None) -> Entry:
    """Make a user; `common_name` as a DN spells it makes the DN, else `uid` does."""
    rdn = f"cn={common_name}" if common_name else f"uid={uid}"
    attributes: dict[str, Values] = {"uid": uid, "sn": uid, "userPassword": PASSWORD}
    if not common_name:
        attributes["cn"] = uid
    return Entry(f"{rdn},{PEOPLE}", ["inetOrgPerson"], {**attributes, **(more or {})})


def group(name: str, members: Sequence[str], attribute: str = "member") -> Entry:
    """Make a groupOfNames, or a groupOfUniqueNames with `uniqueMember`."""
    kind = "groupOfUniqueNames" if attribute == "uniqueMember" else "groupOfNames"
    return Entry(group_dn(name), [kind], {attribute: members})


def group_dn(name: str) -> str:
    """Where a group stands."""
    return f"cn={name},{GROUPS}"


SKELETON = (
    Entry(BASE, ["organization", "dcObject"], {"o": "Example"}),
    Entry(PEOPLE, ["organizationalUnit"]),
    Entry(GROUPS, ["organizationalUnit"]),
    Entry(SERVICE_DN, ["person"], {"sn": "svc", "userPassword": SERVICE_PASSWORD}),
)


@dataclass(frozen=True)
class Slapd:
    """A running server.

    Attributes:
        server: the process; its output names each operation.
        port: for clear connections and StartTLS.
        ldaps_port: for LDAPS.
        ca_file: who signed its certificate, which is for localhost and 127.0.0.1.
    """

    server: RunningServer
    port: int
    ldaps_port: int
    ca_file: Path

    def options(self, transport: str = "clear", **more: object) -> dict[str, object]:
        """Give the options of an [ad_client] that asks it."""
        return {
            "host": LOOPBACK,
            "port": self.ldaps_port if transport == "ldaps" else self.port,
            "transport": transport,
            "auth_type": "plain",
            "service_account_username": "svc-duo",
            "service_account_password": SERVICE_PASSWORD,
            "bind_dn": SERVICE_DN,
            "search_dn": BASE,
            "username_attribute": "uid",
            "at_attribute": "mail",
            "ssl_ca_certs_file": self.ca_file,
            **more,
        }


@contextlib.contextmanager
def running_slapd(
    folder: Path, entries: Iterable[Entry], *, first: str = "", last: str = "", stats: bool = True
) -> Iterator[Slapd]:
    """Run a server with the skeleton and these entries.

    Args:
        folder: where it works.
        entries: beside `SKELETON`.
        first: lines of slapd.conf before the database.
        last: lines for the database.
        stats: whether it logs each operation.
    """
    port, ldaps_port = free_ports(2)
    (folder / "db").mkdir(parents=True)
    authority = Authority(folder / "tls", "slapd test authority")
    pair = authority.issue("server", ["localhost"], [LOOPBACK])
    head = f"TLSCACertificateFile {authority.ca_file}\nTLSCertificateFile {pair.certificate}\n"
    head += f"TLSCertificateKeyFile {pair.key}\n{first}"
    configuration = folder / "slapd.conf"
    configuration.write_text(_slapd_conf(folder, head, last), "ascii")
    _load(configuration, folder / "data.ldif", [*SKELETON, *entries])
    command = ["slapd", "-d", "stats" if stats else "0", "-f", str(configuration)]
    command += ["-h", f"ldap://{LOOPBACK}:{port}/ ldaps://{LOOPBACK}:{ldaps_port}/"]
    server = start_server("slapd", command, folder=folder, ready=tcp_answers(ldaps_port))
    try:
        yield Slapd(server, port, ldaps_port, authority.ca_file)
    finally:
        server.stop()


def _load(configuration: Path, ldif: Path, entries: Iterable[Entry]) -> None:
    """Write the database with slapadd, which fills no overlay's attributes (no memberOf)."""
    with ldif.open("w", encoding="utf-8") as file:
        file.writelines(entry.ldif() for entry in entries)
    command = ["slapadd", "-q", "-f", str(configuration), "-l", str(ldif)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _slapd_conf(folder: Path, first: str, last: str) -> str:
    schemas = "".join(f"include {_found(SCHEMA_FOLDERS)}/{name}.schema\n" for name in SCHEMAS)
    return f"""{schemas}modulepath {_found(MODULE_FOLDERS)}
moduleload back_mdb
{first}
database mdb
suffix "{BASE}"
directory {folder}/db
maxsize 4294967296
dbnosync
index objectClass,uid,mail,member,uniqueMember eq
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
{last}
"""


def _found(folders: Sequence[str]) -> Path:
    return next(found for pattern in folders for found in Path("/").glob(pattern))


def _line(name: str, value: str | bytes) -> str:
    if isinstance(value, str) and value.isascii() and value.isprintable() and not value.startswith((" ", ":", "<")):
        return f"{name}: {value}"
    octets = value.encode() if isinstance(value, str) else value
    return f"{name}:: {base64.b64encode(octets).decode()}"
