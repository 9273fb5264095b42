"""Groups: direct members, the primary group, groups in groups by rule and by climbing, circles, bounds."""

from __future__ import annotations

from typing import cast

import pytest

from duoproxy.errors import PrimaryUnreachable
from duoproxy.ldap.active_directory import encode_sid, read_account
from duoproxy.net import directory_groups
from duoproxy.net.directory_groups import ACTIVE_DIRECTORY_OID, GroupCheck, top_of_tree
from duoproxy.net.directory_users import DirectoryUser
from duoproxy.net.ldap_answers import Entry, Result
from duoproxy.net.ldap_directory import Directory
from duoproxy.testing import run_now
from tests.unit.net.fake_directory import ALICE, BASE_DN, FakeDirectory

DOMAIN_SID = "S-1-5-21-1-2-3"
NOBODY_ELSE = f"CN=Bob,CN=Users,{BASE_DN}"


def active_directory() -> FakeDirectory:
    made = FakeDirectory(root_dse={"supportedCapabilities": [ACTIVE_DIRECTORY_OID, b"1.2.3"]})
    made.add(ALICE, objectClass="user")
    return made


def openldap() -> FakeDirectory:
    made = FakeDirectory()
    made.add(ALICE, objectClass="person")
    return made


BOTH = pytest.mark.parametrize("make", [active_directory, openldap])


def user(**attributes: bytes) -> DirectoryUser:
    values = {name.lower(): (value,) for name, value in attributes.items()}
    return DirectoryUser(Entry(ALICE.encode(), values), read_account(values), "alice")


def admits(directory: FakeDirectory, *groups: str, nested: bool = False, who: DirectoryUser | None = None) -> bool:
    return run_now(GroupCheck(cast(Directory, directory), groups, nested=nested).admits(who or user()))


def test_without_groups_everybody_is_admitted_and_nothing_is_asked() -> None:
    """security_group_dn is optional."""
    directory = openldap()
    assert admits(directory)
    assert directory.searches == []


@BOTH
def test_a_direct_member_is_admitted(make) -> None:
    """Any of the groups will do."""
    directory = make()
    other, vpn = directory.add_group("Other", NOBODY_ELSE), directory.add_group("VPN Users", NOBODY_ELSE, ALICE)
    assert admits(directory, vpn)
    assert admits(directory, other, vpn)
    assert not admits(directory, other)


def test_group_tests_ask_for_no_attributes() -> None:
    """A group of 100,000 members is not fetched."""
    directory = openldap()
    admits(directory, directory.add_group("VPN Users", ALICE))
    assert [attributes for _, attributes in directory.searches] == [()]


def test_a_unique_member_is_a_member() -> None:
    """groupOfUniqueNames, as other directories have it."""
    directory = openldap()
    group = directory.add(f"CN=VPN,OU=Groups,{BASE_DN}", objectClass="groupOfUniqueNames", uniqueMember=[ALICE])
    assert admits(directory, group.dn)


@pytest.mark.parametrize(("rid", "expected"), [(513, True), (514, False)])
def test_the_primary_group_counts_although_it_lists_nobody(rid: int, expected: bool) -> None:
    """It is found by its SID: that of the user with primaryGroupID in place of the last part."""
    directory = active_directory()
    users = directory.add_group("Domain Users", objectSid=encode_sid(f"{DOMAIN_SID}-513"))
    who = user(objectSid=encode_sid(f"{DOMAIN_SID}-1101"), primaryGroupID=str(rid).encode())
    assert admits(directory, users, who=who) is expected


@pytest.mark.parametrize("sid", [b"", b"\x01", b"\x01\x05" + bytes(6), b"\x02\x01" + bytes(10)])
def test_a_broken_sid_is_no_membership(sid: bytes) -> None:
    """A value that is none is as one that is not there."""
    directory = active_directory()
    group = directory.add_group("Domain Users", objectSid=encode_sid(f"{DOMAIN_SID}-513"))
    assert not admits(directory, group, who=user(objectSid=sid, primaryGroupID=b"513"))


@BOTH
def test_groups_in_groups_count_only_when_they_are_meant_to(make) -> None:
    """nested_groups=false is what the original does: direct members."""
    directory = make()
    inner = directory.add_group("Inner", ALICE)
    outer = directory.add_group("Outer", directory.add_group("Middle", inner))
    assert not admits(directory, outer)
    assert admits(directory, outer, nested=True)
    assert not admits(directory, directory.add_group("Empty"), nested=True)


def test_active_directory_is_asked_by_its_matching_rule() -> None:
    """One question, however deep; whether the server has the rule is asked once."""
    directory = active_directory()
    outer = directory.add_group("Outer", directory.add_group("Inner", ALICE))
    check = GroupCheck(cast(Directory, directory), (outer,), nested=True)
    for _ in range(2):
        assert run_now(check.admits(user()))
    assert [base for base, _ in directory.searches] == [outer, "", ALICE, outer, ALICE]


def test_a_primary_group_inside_a_group_counts_with_nested_groups() -> None:
    """The chain starts at the user and at the primary group."""
    directory = active_directory()
    sid = encode_sid(f"{DOMAIN_SID}-513")
    outer = directory.add_group("Outer", directory.add_group("Domain Users", objectSid=sid))
    who = user(objectSid=encode_sid(f"{DOMAIN_SID}-1101"), primaryGroupID=b"513")
    assert admits(directory, outer, nested=True, who=who)
    assert not admits(directory, outer, who=who)


def test_circles_of_groups_end() -> None:
    """Each group is asked for once."""
    directory = openldap()
    first, second = f"CN=First,OU=Groups,{BASE_DN}", f"CN=Second,OU=Groups,{BASE_DN}"
    directory.add_group("First", second, ALICE)
    directory.add_group("Second", first, "CN=Second,OU=Groups," + BASE_DN)
    wanted = directory.add_group("Wanted")
    assert not admits(directory, wanted, nested=True)
    assert len(directory.searches) < 10


def _chain(directory: FakeDirectory, length: int) -> str:
    """Groups in each other, alice in the innermost; the DN of the outermost."""
    member = ALICE
    for number in range(length):
        member = directory.add_group(f"G{number}", member)
    return member


def test_climbing_ends_at_a_depth() -> None:
    """MAX_DEPTH levels, not more; who stands deeper is not admitted."""
    directory = openldap()
    assert admits(directory, _chain(directory, directory_groups.MAX_DEPTH), nested=True)
    deeper = openldap()
    assert not admits(deeper, _chain(deeper, directory_groups.MAX_DEPTH + 1), nested=True)


def test_climbing_ends_at_a_number_of_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAX_GROUPS_EXPANDED groups, not more; the answer is no then."""
    monkeypatch.setattr(directory_groups, "MAX_GROUPS_EXPANDED", 5)
    directory = openldap()
    inner = [directory.add_group(f"G{number}", ALICE) for number in range(5)]
    outer = directory.add_group("Outer", inner[0])
    assert not admits(directory, outer, nested=True)


def test_many_groups_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No filter grows without bound."""
    monkeypatch.setattr(directory_groups, "MAX_GROUPS_PER_QUERY", 2)
    directory = openldap()
    inner = [directory.add_group(f"G{number}", ALICE) for number in range(5)]
    assert admits(directory, directory.add_group("Outer", inner[4]), nested=True)
    assert [base for base, _ in directory.searches].count(BASE_DN.lower()) == 1 + 3


def test_a_search_for_groups_that_is_refused_admits_nobody() -> None:
    """What cannot be seen is no membership."""
    directory = openldap()
    group = directory.add_group("VPN Users", ALICE)
    directory.search_result = Result(50)
    assert not admits(directory, group, nested=True)


def test_a_directory_that_is_away_is_no_answer() -> None:
    """It is not the same as a refusal."""
    directory = openldap()
    directory.unreachable = True
    with pytest.raises(PrimaryUnreachable):
        admits(directory, "CN=x,DC=corp,DC=example")


def test_groups_that_are_not_there_are_named() -> None:
    """For the start: a slip in security_group_dn locks everybody out."""
    directory = openldap()
    there, gone = directory.add_group("There"), f"CN=Gone,OU=Groups,{BASE_DN}"
    assert run_now(GroupCheck(cast(Directory, directory), (there, gone), nested=False).missing()) == [gone]


@pytest.mark.parametrize(
    ("dn", "top"),
    [
        (f"CN=VPN Users,OU=Groups,{BASE_DN}", BASE_DN),
        ("cn=vpn,ou=groups, dc=corp, dc=example", "dc=corp,dc=example"),
        ("cn=vpn,o=Example", "o=Example"),
        ("cn=vpn,o=Example\\, Inc.", "o=Example\\, Inc."),
        (BASE_DN, BASE_DN),
        ("no dn", ""),
    ],
)
def test_the_top_of_a_tree(dn: str, top: str) -> None:
    """Where groups that hold groups are looked for: the DC= parts, or the last part."""
    assert top_of_tree(dn).lower() == top.lower()
