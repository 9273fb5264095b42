"""What clients do at a domain controller, at a `Door`: each scenario says what came of it, and leaves it as it was."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import ldap3

from tests.peers.ldap_lab import Answer, run_client
from tests.peers.ldap_proxy_lab import Door
from tests.peers.samba import BASE, PASSWORD, Account, SambaDomain

MANY = 1_600
"""Contacts of ours. Each further one takes Samba longer to write; with the entries that every domain has (schema,
display specifiers …), of which there are some 3,500, these are more than `ALL`."""
ALL = 5_000
MANY_DN = f"OU=Many,{BASE}"
MIB = 1 << 20
ADMIN = Account("admin", password="4dmin-Password!")
PAT = Account("pat")
BULKY = Account("bulky", more={"jpegPhoto": bytes(range(256)) * (MIB // 256)})
NEW_PASSWORD = "Brand-New-1!"

# Search options with SERVER_SEARCH_FLAG_PHANTOM_ROOT: all partitions are one tree. Source: MS-ADTS 3.1.1.3.4.1.12.
EVERYTHING = ("-b", "", "-E", "!1.2.840.113556.1.4.1340=::MIQAAAADAgEC", "-E", "!pr=500/noprompt", "(name=*)", "name")
SEARCHES = {
    "sorted by the server": ("-b", MANY_DN, "-E", "!sss=-cn", "(cn=many00*)", "cn"),
    "an entry of 1 MiB": ("-b", BULKY.dn, "-s", "base"),
    "references to other partitions": ("-b", BASE, "(objectClass=domain)", "objectSid"),
    "no references": ("-b", BASE, "-e", "!1.2.840.113556.1.4.1339", "(objectClass=domain)", "objectSid"),
    "extended DNs": ("-b", BASE, "-s", "base", "-e", "!1.2.840.113556.1.4.529", "wellKnownObjects"),
    "deleted objects": ("-b", BASE, "-e", "!1.2.840.113556.1.4.417", "(isDeleted=TRUE)"),
    "security descriptors": (
        "-b",
        PAT.dn,
        "-s",
        "base",
        "-e",
        "1.2.840.113556.1.4.801=::MAMCAQc=",
        "nTSecurityDescriptor",
    ),
    "the members of a group, in a chain": (
        "-b",
        BASE,
        "(memberOf:1.2.840.113556.1.4.1941:=CN=Administrators,CN=Builtin," + BASE + ")",
        "cn",
    ),
    "the root DSE": ("-b", "", "-s", "base", "+"),
    "another directory": ("-b", "DC=other,DC=test"),
    "a DN that is none": ("-b", "=,="),
}


def fill(domain: SambaDomain) -> None:
    """Write what the scenarios look for, before the domain controller runs."""
    domain.make_administrator(ADMIN)
    # Passwords are changed to and fro.
    changes = "replace: minPwdAge\nminPwdAge: 0\n-\nreplace: pwdHistoryLength\npwdHistoryLength: 0\n"
    domain.modify(f"dn: {BASE}\nchangetype: modify\n{changes}")
    contacts = (f"dn: CN=many{number:04},{MANY_DN}\nobjectClass: contact\n" for number in range(MANY))
    domain.add_ldif("\n".join([f"dn: {MANY_DN}\nobjectClass: organizationalUnit\n", *contacts]))


def search(door: Door, *arguments: str) -> Answer:
    """Let OpenLDAP's ldapsearch search as the administrator."""
    secure = ["-ZZ"] if door.start_tls else []
    credentials = ("-D", ADMIN.dn, "-w", ADMIN.password)
    return run_client("ldapsearch", door.url, "-LLL", *secure, *credentials, *arguments, ca_file=door.ca_file)


@contextlib.contextmanager
def session(door: Door, name: str, password: str) -> Iterator[ldap3.Connection]:
    """Bind with ldap3; the connection says whether that went well."""
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(door.ca_file))
    server = ldap3.Server(door.url, get_info=ldap3.NONE, tls=tls, connect_timeout=20)
    connection = ldap3.Connection(server, name, password, receive_timeout=30)
    connection.open()
    try:
        if door.start_tls:
            connection.start_tls()
        connection.bind()
        yield connection
    finally:
        connection.unbind()


def identity(connection: ldap3.Connection) -> list[bytes]:
    """Whose session it is: the SIDs in its token, of which the user's own is the first. Source: MS-ADTS 3.1.1.3.2."""
    connection.search("", "(objectClass=*)", ldap3.BASE, attributes=["tokenGroups"])
    sids: list[bytes] = connection.response[0]["raw_attributes"]["tokenGroups"]
    return sids


def change_entries(door: Door) -> dict[str, Any]:
    """Add, compare, modify, rename, move, read, delete; and an operation that this domain controller may not know."""
    old, new, moved = (f"CN={one}" for one in (f"fresh,{MANY_DN}", f"renamed,{MANY_DN}", f"renamed,CN=Users,{BASE}"))
    told: list[bool] = []
    with session(door, ADMIN.dn, ADMIN.password) as connection:
        told.append(connection.add(old, "contact", {"sn": "Fr\u00e9sh", "description": ["one"]}))
        told.append(connection.compare(old, "sn", "Fr\u00e9sh"))
        told.append(connection.compare(old, "sn", "stale"))
        told.append(connection.modify(old, {"sn": [(ldap3.MODIFY_REPLACE, ["Newer"])]}))
        told.append(connection.modify_dn(old, "CN=renamed"))
        told.append(connection.modify_dn(new, "CN=renamed", new_superior=f"CN=Users,{BASE}"))
        told.append(connection.search(moved, "(objectClass=*)", ldap3.BASE, attributes=["sn", "cn", "description"]))
        found = [dict(entry["raw_attributes"]) for entry in connection.response]
        told.append(connection.delete(moved))
        told.append(connection.delete(moved))
        refused = (connection.result["result"], connection.result["message"])
        who = connection.extend.standard.who_am_i(), connection.result["description"]
    return {"told": told, "found": found, "refused": refused, "who am I": who}


def change_password(door: Door) -> list[Any]:
    """A user's own new password (unicodePwd, old and new), and an administrator's reset of it."""
    with session(door, PAT.dn, PASSWORD) as user:
        said = [user.extend.microsoft.modify_password(PAT.dn, NEW_PASSWORD, PASSWORD), user.result["result"]]
        whose = identity(user)
    with session(door, PAT.dn, NEW_PASSWORD) as again:
        said += [again.bound, identity(again) == whose]
    with session(door, ADMIN.dn, ADMIN.password) as admin:
        said += [admin.extend.microsoft.modify_password(PAT.dn, PASSWORD), admin.result["result"]]
    return said
