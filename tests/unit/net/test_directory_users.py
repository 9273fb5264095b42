r"""Finding a user: `alice`, `CORP\alice`, `alice@corp.example`; exactly one entry, and really that one."""

from __future__ import annotations

from typing import Any, cast

import pytest

from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.active_directory import ACCOUNT_ATTRIBUTES
from duoproxy.net.directory_users import SIZE_LIMIT, DirectoryUser, NotFound, UserFinder
from duoproxy.net.ldap_answers import Result
from duoproxy.net.ldap_directory import Directory
from duoproxy.net.ldap_filters import parse_filter
from duoproxy.testing import run_now
from tests.unit.net.fake_directory import ALICE, BASE_DN, FakeDirectory


@pytest.fixture
def directory() -> FakeDirectory:
    made = FakeDirectory()
    made.add(
        ALICE,
        sAMAccountName="alice",
        userPrincipalName="alice@corp.example",
        mail="a.aermel@example.com",
        badPwdCount=3,
        department="Sales",
    )
    made.add(f"CN=Bob,CN=Users,{BASE_DN}", sAMAccountName="bob", userPrincipalName="bob@corp.example")
    return made


def find(directory: FakeDirectory, submitted: str, condition: str = "", **changes: str) -> DirectoryUser | NotFound:
    settings: dict[str, Any] = {
        "search_dn": BASE_DN,
        "username_attribute": "sAMAccountName",
        "at_attribute": "userPrincipalName",
        **changes,
    }
    parsed = parse_filter(condition) if condition else None
    return run_now(UserFinder(cast(Directory, directory), condition=parsed, **settings).find(submitted))


def dn_of(found: DirectoryUser | NotFound) -> str:
    assert isinstance(found, DirectoryUser), found
    return found.entry.dn_text


def reason_of(found: DirectoryUser | NotFound) -> str:
    assert isinstance(found, NotFound), found
    return found.reason


@pytest.mark.parametrize("submitted", ["alice", "ALICE", " alice ", "CORP\\alice", "corp.example\\Alice"])
def test_a_name_with_or_without_its_domain_is_looked_for_in_username_attribute(
    directory: FakeDirectory, submitted: str
) -> None:
    r"""user and DOMAIN\user, case aside; what stands before the backslash is not searched."""
    assert dn_of(find(directory, submitted)) == ALICE


def test_a_name_with_an_at_sign_is_looked_for_whole_in_at_attribute(directory: FakeDirectory) -> None:
    """user@domain; at_attribute=mail is used in the wild."""
    assert dn_of(find(directory, "Alice@Corp.Example")) == ALICE
    assert dn_of(find(directory, "a.aermel@example.com", at_attribute="mail")) == ALICE
    assert "userPrincipalName" in reason_of(find(directory, "a.aermel@example.com"))


def test_another_username_attribute(directory: FakeDirectory) -> None:
    """username_attribute=uid, as in OpenLDAP and FreeIPA; there is no login name for NTLM then."""
    directory.add("uid=carol,CN=Users,DC=corp,DC=example", uid="carol")
    found = find(directory, "carol", username_attribute="uid")
    assert dn_of(found).startswith("uid=carol")
    assert isinstance(found, DirectoryUser)
    assert found.login_name == ""


def test_what_the_entry_says_of_the_account_is_read_with_it(directory: FakeDirectory) -> None:
    """One search gives the entry, the account's own name, and what the lock-out rules need."""
    found = find(directory, "alice")
    assert isinstance(found, DirectoryUser)
    assert (found.login_name, found.account.bad_pwd_count) == ("alice", 3)
    [(base, attributes)] = directory.searches
    assert base == BASE_DN
    assert {*ACCOUNT_ATTRIBUTES, "sAMAccountName", "userPrincipalName"} == set(attributes)


@pytest.mark.parametrize("submitted", ["älice", "álice", "ｂｏｂ", "\ufb01ona", "fran\u212a", "\u017ftrauss", "strauß"])
def test_a_name_that_only_the_directory_takes_for_another_is_ambiguous(
    directory: FakeDirectory, submitted: str
) -> None:
    """Directories also match without accents and width, and ligatures; Duo does not, and would judge a stranger."""
    for name in ("fiona", "frank", "strauss"):
        directory.add(f"CN={name},CN=Users,{BASE_DN}", sAMAccountName=name)
    assert reason_of(find(directory, submitted)).endswith("whose sAMAccountName is another: the name is ambiguous")


def test_two_entries_with_one_name_are_ambiguous(directory: FakeDirectory) -> None:
    """Exactly one entry, or nobody; more than two are not even fetched."""
    for number in range(5):
        directory.add(f"CN=Bob {number},CN=Users,{BASE_DN}", sAMAccountName="bob")
    assert reason_of(find(directory, "bob")) == (
        "there is more than one entry below DC=corp,DC=example with this sAMAccountName: the name is ambiguous"
    )
    assert SIZE_LIMIT == 2


@pytest.mark.parametrize(
    ("submitted", "condition", "reason"),
    [
        ("zoe", "", "there is no entry below DC=corp,DC=example with this sAMAccountName"),
        ("zoe@x", "", "there is no entry below DC=corp,DC=example with this userPrincipalName"),
        (
            "bob",
            "(department=Sales)",
            "there is no entry below DC=corp,DC=example with this sAMAccountName that fulfils ldap_filter",
        ),
        ("", "", "the name is empty"),
        ("   ", "", "the name is empty"),
    ],
)
def test_nobody_is_found(directory: FakeDirectory, submitted: str, condition: str, reason: str) -> None:
    """The log says where was looked, and for what."""
    assert reason_of(find(directory, submitted, condition)) == reason


def test_an_empty_name_is_never_searched(directory: FakeDirectory) -> None:
    """Nothing is asked for it."""
    find(directory, " ")
    assert directory.searches == []


@pytest.mark.parametrize("submitted", ["CORP\\alice", "corp\\alice", "corp.example\\alice"])
def test_the_domain_before_the_name_may_be_the_one_of_the_directory(directory: FakeDirectory, submitted: str) -> None:
    """By its NetBIOS name or its DNS name, case aside."""
    assert dn_of(find(directory, submitted, netbios_domain="CORP")) == ALICE


def test_a_name_of_another_domain_is_nobody_here(directory: FakeDirectory) -> None:
    r"""OTHER\alice is not our alice, whom the device and Duo would take for somebody else."""
    reason = reason_of(find(directory, "OTHER\\alice", netbios_domain="CORP"))
    assert reason == "the domain 'OTHER' before the name is not the one of this directory (ntlm_domain)"


@pytest.mark.parametrize("name", ["\ud800", "alice\udc80", "CORP\\ali\udfffce"])
def test_a_name_that_is_no_unicode_text_is_never_searched(directory: FakeDirectory, name: str) -> None:
    """A name without a form in UTF-8 is nobody's."""
    assert reason_of(find(directory, name)) == "the name is no Unicode text, as every name in a directory is"
    assert directory.searches == []


def test_ldap_filter_is_a_further_condition(directory: FakeDirectory) -> None:
    """Who fulfils it is found as before."""
    assert dn_of(find(directory, "alice", "(|(department=Sales)(department=HR))")) == ALICE


@pytest.mark.parametrize(
    "submitted",
    ["*", "alice)(objectClass=*", "a*", "\\2a", "al\\69ce", "*)(|(sAMAccountName=*", "alice\0", "(" * 200, "%61lice"],
)
def test_what_is_typed_is_a_value_and_no_filter(directory: FakeDirectory, submitted: str) -> None:
    """Wildcards, parentheses, escapes and NUL find nobody but who is called so."""
    assert isinstance(find(directory, submitted), NotFound)


@pytest.mark.parametrize("name", ["Smith, John", "o'hara (jr.)", "grüße", "日本", "x" * 200, "a\\b*c"])
def test_odd_names_are_found(directory: FakeDirectory, name: str) -> None:
    """Commas, parentheses, non-ASCII, 200 characters, and the sign of a filter."""
    entry = directory.add(f"CN=odd,CN=Users,{BASE_DN}", sAMAccountName=name)
    submitted = f"CORP\\{name}" if "\\" in name else name
    assert dn_of(find(directory, submitted)) == entry.dn


def test_a_search_that_is_refused_says_why(directory: FakeDirectory) -> None:
    """The sentence of the result, for the log."""
    directory.search_result = Result(32, "", "no such thing")
    assert reason_of(find(directory, "alice")).startswith("dc1:389: there is no such entry (noSuchObject), result 32")


def test_a_directory_that_is_away_is_no_answer(directory: FakeDirectory) -> None:
    """It is not the same as an unknown user."""
    directory.unreachable = True
    with pytest.raises(PrimaryUnreachable):
        find(directory, "alice")


# ── whom a bind names ────────────────────────────────────────────────────────────────────────────────────────────


def finder(directory: FakeDirectory, condition: str = "", **changes: str) -> UserFinder:
    settings: dict[str, Any] = {
        "search_dn": BASE_DN,
        "username_attribute": "sAMAccountName",
        "at_attribute": "userPrincipalName",
        **changes,
    }
    parsed = parse_filter(condition) if condition else None
    return UserFinder(cast(Directory, directory), condition=parsed, **settings)


def user_of(directory: FakeDirectory, dn: str = ALICE) -> DirectoryUser:
    found = run_now(finder(directory).find_dn(dn.encode()))
    assert isinstance(found, DirectoryUser)
    return found


def test_dn_is_read_wherever_it_stands(directory: FakeDirectory) -> None:
    """Also outside search_dn; the spelling does not matter."""
    elsewhere = finder(directory, search_dn=f"OU=Staff,{BASE_DN}")
    found = run_now(elsewhere.find_dn(ALICE.lower().replace(",dc=", ", dc=").encode()))
    assert dn_of(found) == ALICE


def test_dn_without_an_entry_is_nobody(directory: FakeDirectory) -> None:
    """noSuchObject, as for one that the service account may not read."""
    assert "there is no entry with this DN" in reason_of(
        run_now(finder(directory).find_dn(b"CN=Nobody," + ALICE.encode()))
    )


def test_dn_that_cannot_be_asked_is_nobody(directory: FakeDirectory) -> None:
    """Another result of the search."""
    directory.search_result = Result(50, "", "no")
    assert reason_of(run_now(finder(directory).find_dn(ALICE.encode())))


@pytest.mark.parametrize(
    ("condition", "changes", "reason"),
    [
        ("", {}, ""),
        ("(department=Sales)", {}, ""),
        ("(department=Marketing)", {}, "does not fulfil ldap_filter"),
        ("", {"search_dn": f"OU=Staff,{BASE_DN}"}, f"does not stand below OU=Staff,{BASE_DN} (search_dn)"),
    ],
)
def test_conditions_hold_for_an_entry(directory: FakeDirectory, condition: str, changes: Any, reason: str) -> None:
    """search_dn and ldap_filter."""
    said = run_now(finder(directory, condition, **changes).admits(user_of(directory)))
    assert (bool(said), reason in said) == (bool(reason), True)


@pytest.mark.parametrize(
    ("values", "name"),
    [(("alice",), "alice"), ((), ""), ((" ",), ""), (("a", "b"), ""), (("a\u200bb",), "")],
)
def test_name_of_an_entry_is_its_one_name(directory: FakeDirectory, values: tuple[str, ...], name: str) -> None:
    """None, several, or characters that cannot be seen: no name."""
    directory.entries[-2].set("sAMAccountName", *values)
    assert finder(directory).name_of(user_of(directory)) == name


def test_of_several_names_the_one_in_the_dn_counts(directory: FakeDirectory) -> None:
    """uid=erin, whose entry also has the uid of somebody else."""
    dn = f"uid=erin,{BASE_DN}"
    directory.add(dn, uid=["alice", "erin"])
    by_uid = finder(directory, username_attribute="uid")
    found = run_now(by_uid.find_dn(dn.encode()))
    assert isinstance(found, DirectoryUser)
    assert by_uid.name_of(found) == "erin"
