"""Finding the entry of a user in a directory: exactly one, and really the one that was asked for.

Active Directory also matches names without their accents, in other widths and with blanks at their ends; Duo does not.
So the entry that was found must carry the name that was submitted, case aside, or nobody was found.

Source: RFC 4511 §4.5; MS-ADTS §3.1.1.2.2.4; reference §10.2.
"""

from __future__ import annotations

from attrs import frozen

from duoproxy.ldap.active_directory import ACCOUNT_ATTRIBUTES, AccountFacts, read_account
from duoproxy.ldap.messages import ResultCode
from duoproxy.ldap.names import dns_domain_of, is_at_or_below, parse_dn, same_dn, same_letters, split_username
from duoproxy.ldap.refusals import explain
from duoproxy.net.ldap_answers import Entry
from duoproxy.net.ldap_directory import Directory, Scope
from duoproxy.net.ldap_filters import Filter, all_of, equal, present

SIZE_LIMIT = 2
LOGIN_NAME = "sAMAccountName"


@frozen
class DirectoryUser:
    """A user's entry.

    Attributes:
        entry: as the directory sent it.
        account: what it says of the account.
        login_name: sAMAccountName; empty where the directory has none.
    """

    entry: Entry
    account: AccountFacts
    login_name: str


@frozen
class NotFound:
    """There is no such user, or not exactly one.

    Attributes:
        reason: for the log.
    """

    reason: str


class UserFinder:
    """Looks users up in one part of a directory."""

    def __init__(
        self,
        directory: Directory,
        search_dn: str,
        username_attribute: str,
        at_attribute: str,
        condition: Filter | None,
        netbios_domain: str = "",
    ) -> None:
        """Prepare.

        Args:
            directory: who is asked.
            search_dn: the container; everything below it is searched.
            username_attribute: where a plain name stands.
            at_attribute: where a name with an `@` stands.
            condition: what an entry must fulfil beside.
            netbios_domain: the only domain that may stand before a backslash; empty: any, because it is not known.
        """
        self._directory = directory
        self._search_dn = search_dn
        self._username_attribute = username_attribute
        self._at_attribute = at_attribute
        self._condition = condition
        domains = (netbios_domain, dns_domain_of(search_dn))
        self._domains = frozenset(domain.casefold() for domain in domains) if netbios_domain else frozenset()
        self._attributes = tuple(dict.fromkeys((username_attribute, at_attribute, LOGIN_NAME, *ACCOUNT_ATTRIBUTES)))

    async def find(self, submitted: str) -> DirectoryUser | NotFound:
        r"""Find a user by the name that a device sent: `alice`, `CORP\alice` or `alice@example.com`.

        Raises:
            PrimaryUnreachable: no server answered.
        """
        domain = split_username(submitted.strip()).netbios_domain
        if domain and self._domains and domain.casefold() not in self._domains:
            return NotFound(f"the domain {domain!r} before the name is not the one of this directory (ntlm_domain)")
        attribute, name = self._what_to_match(submitted.strip())
        if not name:
            return NotFound("the name is empty")
        if not _is_text(name):
            return NotFound("the name is no Unicode text, as every name in a directory is")
        wanted = equal(attribute, name)
        if self._condition is not None:
            wanted = all_of(wanted, self._condition)
        found = await self._directory.search(
            self._search_dn, Scope.SUBTREE, wanted, self._attributes, size_limit=SIZE_LIMIT
        )
        if found.result.code not in (ResultCode.SUCCESS, ResultCode.SIZE_LIMIT_EXCEEDED):
            return NotFound(explain(found.result.code, found.result.diagnostic, found.server).sentence)
        if len(found.entries) != 1 or found.result.code != ResultCode.SUCCESS:
            return NotFound(self._how_many(found.entries, attribute))
        return _checked(found.entries[0], attribute, name)

    async def find_dn(self, dn: bytes) -> DirectoryUser | NotFound:
        """Read the entry of a DN, wherever it stands; whether its user may log in is for `admits` to say.

        Args:
            dn: as a client sent it.

        Raises:
            PrimaryUnreachable: no server answered.
        """
        found = await self._directory.search(dn, Scope.BASE, present("objectClass"), self._attributes)
        if found.result.code == ResultCode.NO_SUCH_OBJECT:
            return NotFound("there is no entry with this DN, or the service account may not read it")
        if found.result.code != ResultCode.SUCCESS:
            return NotFound(explain(found.result.code, found.result.diagnostic, found.server).sentence)
        if len(found.entries) != 1:
            return NotFound("the service account may not read the entry with this DN")
        entry = found.entries[0]
        if not same_dn(entry.dn, dn):
            return NotFound(f"the directory takes the DN for {entry.dn_text}: the name is ambiguous")
        return _user(entry)

    async def admits(self, user: DirectoryUser) -> str:
        """Say why the user of an entry may not log in here; empty when nothing speaks against it.

        Raises:
            PrimaryUnreachable: no server answered.
        """
        if not is_at_or_below(user.entry.dn, self._search_dn):
            return f"{user.entry.dn_text} does not stand below {self._search_dn} (search_dn)"
        if self._condition is None:
            return ""
        found = await self._directory.search(user.entry.dn, Scope.BASE, self._condition)
        if found.result.code == ResultCode.SUCCESS and len(found.entries) == 1:
            return ""
        return f"{user.entry.dn_text} does not fulfil ldap_filter"

    def name_of(self, user: DirectoryUser) -> str:
        """Give the name by which the user of an entry is known: its username_attribute; empty when it has no one name.

        Of several values the one in the entry's own DN counts.
        """
        attribute = self._username_attribute
        values = [value.decode("utf-8", "replace") for value in user.entry.values(attribute)]
        if len(values) > 1:
            names = (parse_dn(user.entry.dn) or ((),))[0]
            naming = {value for kind, value in names if kind == attribute.lower()}
            values = [value for value in values if value in naming]
        name = values[0] if len(values) == 1 else ""
        return name if name.strip() and name.isprintable() else ""

    def _what_to_match(self, submitted: str) -> tuple[str, str]:
        name = split_username(submitted)
        if name.netbios_domain:
            return self._username_attribute, name.local
        if "@" in submitted:
            return self._at_attribute, submitted
        return self._username_attribute, submitted

    def _how_many(self, entries: tuple[Entry, ...], attribute: str) -> str:
        where = f"below {self._search_dn}"
        condition = " that fulfils ldap_filter" if self._condition is not None else ""
        if not entries:
            return f"there is no entry {where} with this {attribute}{condition}"
        return f"there is more than one entry {where} with this {attribute}: the name is ambiguous"


def _is_text(name: str) -> bool:
    """Whether a name has a form in UTF-8, in which every directory keeps its names. Source: RFC 4511 §4.1.2."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked(entry: Entry, attribute: str, name: str) -> DirectoryUser | NotFound:
    values = [value.decode("utf-8", "replace") for value in entry.values(attribute)]
    if not any(same_letters(value, name) for value in values):
        return NotFound(
            f"the directory matches the name to {entry.dn_text}, whose {attribute} is another: the name is ambiguous"
        )
    return _user(entry)


def _user(entry: Entry) -> DirectoryUser:
    login_name = (entry.first(LOGIN_NAME) or b"").decode("utf-8", "replace")
    return DirectoryUser(entry, read_account(entry.attributes), login_name)
