"""What Active Directory puts into answers and entries."""

from __future__ import annotations

import datetime

import pytest

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.active_directory import (
    NEVER,
    AccountFacts,
    decode_sid,
    encode_sid,
    filetime_to_unix_s,
    primary_group_sid,
    read_account,
    read_integer,
    sub_code,
    unix_s_to_filetime,
)

# Domain Users of some domain, as an entry shows it.
SID = bytes.fromhex("0105000000000005150000003a8d7a6fa5d2c18f9e3ec1b001020000")


@pytest.mark.parametrize(
    ("diagnostic", "code"),
    [
        ("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1", "52e"),
        ("8009030C: LdapErr: DSID-0C0904DC, comment: AcceptSecurityContext error, data 773, v1db1\0", "773"),
        ("80090346: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 80090346, v4563", "80090346"),
        ("… error, data 52E, v1db1", "52e"),
        ("… error, data 0, v1db1", "0"),
        ("… error, data 00000532, v1db1", "532"),
        ("data 533", "533"),
        ("", None),
        ("Invalid credentials", None),
        ("metadata 52e", None),
        ("no data became known", None),
        ("data 123456789", None),
    ],
)
def test_sub_codes(diagnostic, code):
    """The hex number after `data` is the sub-code; other directories have none."""
    assert sub_code(diagnostic) == code


def test_sid_in_text_and_octets():
    """The authority is big-endian, each sub-authority little-endian."""
    text = "S-1-5-21-1870302522-2411844261-2965454494-513"
    assert decode_sid(SID) == text
    assert encode_sid(text) == SID
    assert decode_sid(bytes.fromhex("010100000000000100000000")) == "S-1-1-0"


def test_primary_group():
    """The primary group's SID is the account's, with primaryGroupID for its last part."""
    account = encode_sid("S-1-5-21-1-2-3-1104")
    assert decode_sid(primary_group_sid(account, 513)) == "S-1-5-21-1-2-3-513"
    assert decode_sid(primary_group_sid(account, 2**32 - 1)) == "S-1-5-21-1-2-3-4294967295"


@pytest.mark.parametrize("octets", [b"", SID[:7], SID[:-1], SID + b"\0", b"\2" + SID[1:], b"\1\x10" + bytes(70)])
def test_what_is_no_sid(octets):
    """A SID of another revision or length is refused, not read."""
    with pytest.raises(RemoteProtocolError) as refused:
        decode_sid(octets)
    assert refused.value.disposition is Disposition.REJECT
    with pytest.raises(RemoteProtocolError):
        primary_group_sid(octets, 513)


@pytest.mark.parametrize("rid", [-1, 2**32])
def test_primary_group_outside_its_range(rid):
    """A RID has 32 bits, and replaces one that is there."""
    with pytest.raises(RemoteProtocolError):
        primary_group_sid(SID, rid)
    with pytest.raises(RemoteProtocolError):
        primary_group_sid(b"\1\0" + bytes(6), 513)


@pytest.mark.parametrize(
    "text", ["", "S-1-5", "S-2-5-1", "S-1-5-4294967296", "S-1-281474976710656-1", "S-1-5" + "-1" * 16]
)
def test_text_that_is_no_sid(text):
    """What cannot be written as a SID is refused."""
    with pytest.raises(ValueError, match=r"SID|range"):
        encode_sid(text)


def test_filetime():
    """100 ns since 1601; 0 and the largest number mean never."""
    moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert filetime_to_unix_s(132223104000000000) == moment
    assert unix_s_to_filetime(moment) == 132223104000000000
    assert filetime_to_unix_s(116444736000000000) == 0.0
    assert [filetime_to_unix_s(ticks) for ticks in (0, -1, NEVER)] == [None] * 3


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ([b"3"], 3),
        ([b"-18000000000"], -18000000000),
        ([b"9223372036854775807"], NEVER),
        ([], None),
        ([b"1", b"2"], None),
        ([b""], None),
        ([b"1x"], None),
        ([b"9223372036854775808"], None),
        ([b"9" * 5000], None),
    ],
)
def test_integer_attributes(values, number):
    """One integer of 64 bits, under its name in any case, or nothing."""
    assert read_integer({"BADPWDCOUNT": values}, "badPwdCount") == number
    assert read_integer({}, "badPwdCount") is None


def test_facts_of_an_entry():
    """Every fact is read where it stands; what is not there is None."""
    entry = {
        "objectSid": [SID],
        "PwdLastSet": [b"132223104000000000"],
        "lockoutTime": [b"0"],
        "badPwdCount": [b"2"],
        "badPasswordTime": [b"132223104000000001"],
        "primaryGroupID": [b"513"],
        "msDS-ResultantPSO": [b"CN=Strict,CN=Password Settings Container,CN=System,DC=corp"],
    }
    assert read_account(entry) == AccountFacts(
        132223104000000000, 0, 2, 132223104000000001, 513, entry["msDS-ResultantPSO"][0]
    )
    assert read_account({}) == AccountFacts()


def test_lock_of_an_account():
    """A lockoutTime other than 0 says that the account was locked and has not logged in since."""
    assert AccountFacts(lockout_time=132223104000000000).was_locked
    assert not AccountFacts(lockout_time=0).was_locked
    assert not AccountFacts().was_locked
