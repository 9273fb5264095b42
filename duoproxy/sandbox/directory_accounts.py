"""The accounts of the stand-in directory: their entries, their passwords, and what a bind is answered.

Answers as Active Directory does: every refusal is result 49 with a text that holds a sub-code, wrong passwords are
counted in badPwdCount, and from a threshold on the account is locked for a while. An account that is disabled, expired
or must change its password says so only to who has the right password.

Source: MS-ADTS §5.1.1.1; MS-ADA1 (badPwdCount, lockoutThreshold), MS-ADA3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from duoproxy.ldap.active_directory import NEVER, TICKS_PER_SECOND, encode_sid, unix_s_to_filetime
from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.names import dns_domain_of, escape_dn_value, split_username
from duoproxy.sandbox.directory_filters import fold
from duoproxy.sandbox.directory_tree import DirectoryEntry, DirectoryTree
from duoproxy.secret import Secret

LOGON_FAILURE, LOCKED = "52e", "775"
LOCKED_S: Final = 300.0
"""So long an account stays locked, and so long after the last wrong password the count begins anew."""

DOMAIN_USERS_RID: Final = 513
_DOMAIN_SID: Final = "S-1-5-21-1004336348-1177238915-682003330"
_FIRST_USER_RID, _GROUP_RID = 1_101, 1_000
_NORMAL_ACCOUNT, _DISABLED = 0x200, 0x2


@frozen
class Person:
    """One account.

    Attributes:
        name: its sAMAccountName.
        password: what it binds with.
        sub_code: what it is refused with although the password is right; empty: it is not.
        is_in_group: whether it belongs to the group.
    """

    name: str
    password: Secret
    sub_code: str = ""
    is_in_group: bool = True


@frozen
class BindAnswer:
    """How a bind ends.

    Attributes:
        code: the resultCode.
        text: what Active Directory would say.
        entry: who it is now; None: nobody.
    """

    code: int
    text: str = ""
    entry: DirectoryEntry | None = None


class DirectoryAccounts:
    """Everybody who can bind, in the tree in which they stand.

    Attributes:
        tree: all entries.
        group_dn: the name of the one group.
    """

    def __init__(self, base_dn: str, people: Sequence[Person], lockout_threshold: int, now: float) -> None:
        """Make the entries.

        Args:
            base_dn: of the domain.
            people: the accounts.
            lockout_threshold: so many wrong passwords lock an account; 0: none.
            now: seconds since 1970.
        """
        self._base_dn = base_dn
        self._threshold = lockout_threshold
        self._people: dict[str, Person] = {}
        self.group_dn = f"CN=VPN Users,OU=Groups,{base_dn}"
        entries = [self._person(person, number, now) for number, person in enumerate(people)]
        group = self._group([entry.dn for entry, person in zip(entries, people, strict=True) if person.is_in_group])
        self.tree = DirectoryTree(self._root_dse(), [*self._containers(), group, *entries])

    # ── entries ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _root_dse(self) -> DirectoryEntry:
        """Without supportedCapabilities: this is no Active Directory, and does not say that it is one."""
        entry = DirectoryEntry("")
        entry.set("objectClass", "top")
        entry.set("namingContexts", self._base_dn)
        entry.set("defaultNamingContext", self._base_dn)
        entry.set("supportedLDAPVersion", 3)
        entry.set("vendorName", "duoproxy sandbox (NOT SECURE)")
        return entry

    def _containers(self) -> Iterator[DirectoryEntry]:
        domain = DirectoryEntry(self._base_dn)
        domain.set("objectClass", "top", "domain", "domainDNS")
        domain.set("objectSid", encode_sid(_DOMAIN_SID))
        domain.set("lockoutThreshold", self._threshold)
        for name in ("lockOutObservationWindow", "lockoutDuration"):
            domain.set(name, round(-LOCKED_S * TICKS_PER_SECOND))
        yield domain
        for name, kind in (("CN=Users", "container"), ("OU=Groups", "organizationalUnit")):
            entry = DirectoryEntry(f"{name},{self._base_dn}")
            entry.set("objectClass", "top", kind)
            yield entry

    def _group(self, members: Sequence[str]) -> DirectoryEntry:
        entry = DirectoryEntry(self.group_dn)
        entry.set("objectClass", "top", "group")
        entry.set("cn", "VPN Users")
        entry.set("sAMAccountName", "VPN Users")
        entry.set("objectSid", encode_sid(f"{_DOMAIN_SID}-{_GROUP_RID}"))
        entry.set("member", *members)
        return entry

    def _person(self, person: Person, number: int, now: float) -> DirectoryEntry:
        entry = DirectoryEntry(f"CN={escape_dn_value(person.name)},CN=Users,{self._base_dn}")
        self._people[entry.dn] = person
        ticks = unix_s_to_filetime(now)
        entry.set("objectClass", "top", "person", "organizationalPerson", "user")
        entry.set("cn", person.name)
        entry.set("sAMAccountName", person.name)
        entry.set("userPrincipalName", f"{person.name}@{dns_domain_of(self._base_dn)}")
        entry.set("objectSid", encode_sid(f"{_DOMAIN_SID}-{_FIRST_USER_RID + number}"))
        entry.set("primaryGroupID", DOMAIN_USERS_RID)
        entry.set("userAccountControl", _NORMAL_ACCOUNT | (_DISABLED if person.sub_code == "533" else 0))
        entry.set("accountExpires", ticks if person.sub_code == "701" else NEVER)
        entry.set("pwdLastSet", 0 if person.sub_code == "773" else ticks)
        entry.set("lockoutTime", ticks if person.sub_code == LOCKED else 0)
        entry.set("badPwdCount", 0)
        entry.set("badPasswordTime", 0)
        if person.is_in_group:
            entry.set("memberOf", self.group_dn)
        return entry

    # ── binds ────────────────────────────────────────────────────────────────────────────────────────────────────
    def bind(self, name: bytes, password: Secret, now: float) -> BindAnswer:
        r"""Answer a simple bind.

        Args:
            name: a DN, a UPN, or `DOMAIN\user`; empty with an empty password: anonymous.
            password: the password; an empty one with a name is never a success (RFC 4513 §5.1.2).
            now: seconds since 1970.
        """
        if not password.reveal():
            if not name:
                return BindAnswer(ResultCode.SUCCESS)
            return BindAnswer(ResultCode.UNWILLING_TO_PERFORM, "a name without a password")
        entry = self._find(name)
        if entry is None:
            return _refused(LOGON_FAILURE)
        person = self._people[entry.dn]
        if person.sub_code == LOCKED or self._is_locked(entry, now):
            return _refused(LOCKED)
        if password != person.password:
            self._count(entry, now)
            return _refused(LOGON_FAILURE)
        if person.sub_code:
            return _refused(person.sub_code)
        entry.set("badPwdCount", 0)
        entry.set("lockoutTime", 0)
        return BindAnswer(ResultCode.SUCCESS, entry=entry)

    def _find(self, name: bytes) -> DirectoryEntry | None:
        entry = self.tree.at(name)
        if entry is not None:
            return entry if entry.dn in self._people else None
        text = name.decode("utf-8", "replace")
        parts = split_username(text)
        attribute, wanted = ("sAMAccountName", parts.local) if parts.netbios_domain else ("userPrincipalName", text)
        entries = (entry for entry in self.tree if entry.dn in self._people)
        found = [entry for entry in entries if fold(entry.values[attribute.lower()][0]) == fold(wanted.encode())]
        return found[0] if len(found) == 1 else None

    def _is_locked(self, entry: DirectoryEntry, now: float) -> bool:
        locked_at = entry.integer("lockoutTime")
        return bool(locked_at) and unix_s_to_filetime(now - LOCKED_S) < locked_at

    def _count(self, entry: DirectoryEntry, now: float) -> None:
        """Count a wrong password, and lock the account when it is one too many."""
        if unix_s_to_filetime(now - LOCKED_S) > entry.integer("badPasswordTime"):
            entry.set("badPwdCount", 0)
        entry.set("badPwdCount", entry.integer("badPwdCount") + 1)
        entry.set("badPasswordTime", unix_s_to_filetime(now))
        if self._threshold and entry.integer("badPwdCount") >= self._threshold:
            entry.set("lockoutTime", unix_s_to_filetime(now))


def people_of(passwords: Mapping[str, Secret], sub_codes: Mapping[str, str], outside: Sequence[str]) -> list[Person]:
    """Put together who there is.

    Args:
        passwords: name to password.
        sub_codes: name to what the account is refused with.
        outside: who does not belong to the group.
    """
    return [
        Person(name, password, sub_codes.get(name, ""), name not in outside) for name, password in passwords.items()
    ]


def _refused(sub_code: str) -> BindAnswer:
    """Refuse as Active Directory does."""
    text = f"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {sub_code}, v4563"
    return BindAnswer(ResultCode.INVALID_CREDENTIALS, text)
