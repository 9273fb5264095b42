"""What Active Directory (and Samba) puts into answers and entries: sub-codes, SIDs, FILETIME, the state of an account.

Owns the formats and no judgement: what a sub-code means to people stands in `refusals`, when an account locks in
`lockout_policy`. Values come from entries as octets; one that cannot be read is None, as one that is not there: rights
and replication make both ordinary.

Source: MS-ADA1 to MS-ADA3; MS-DTYP §2.3.3, §2.4.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from duoproxy.errors import Disposition, RemoteProtocolError

Attributes = Mapping[str, Sequence[bytes]]
"""The attributes of an entry; names compare without case."""

_SUB_CODE = re.compile(r"(?:^|[\s,])data ([0-9a-fA-F]{1,8})(?![0-9A-Za-z])")
_INTEGER = re.compile(rb"-?[0-9]{1,20}")
_SID_TEXT = re.compile(r"S-1-([0-9]{1,15})((?:-[0-9]{1,10}){1,15})")

MAX_SUB_AUTHORITIES = 15
_SID_HEADER_BYTES = 8
_SUB_AUTHORITY_BYTES = 4

NEVER = 0x7FFF_FFFF_FFFF_FFFF
"""The FILETIME of what never comes; 0 means the same in accountExpires."""

TICKS_PER_SECOND = 10_000_000
UNIX_EPOCH_TICKS = 116_444_736_000_000_000

ACCOUNT_ATTRIBUTES = (
    "objectSid",
    "primaryGroupID",
    "pwdLastSet",
    "lockoutTime",
    "badPwdCount",
    "badPasswordTime",
    "msDS-ResultantPSO",
)
"""What a search for a user asks for, so that `read_account` has what it reads."""


def sub_code(diagnostic: str) -> str | None:
    """Find the sub-code of a refused bind in diagnosticMessage (`… error, data 52e, v1db1`).

    Returns:
        hex digits in lower case, without leading zeros; None when there is none, as in other directories.
    """
    match = _SUB_CODE.search(diagnostic)
    return f"{int(match[1], 16):x}" if match else None


def decode_sid(octets: bytes) -> str:
    """Read a binary SID, as objectSid holds it, into `S-1-5-21-…`.

    Raises:
        RemoteProtocolError: REJECT: no revision 1, or its length is not what its count says.

    Source: MS-DTYP §2.4.2.2.
    """
    _check_sid(octets)
    authority = int.from_bytes(octets[2:8], "big")
    parts = [octets[at : at + _SUB_AUTHORITY_BYTES] for at in range(_SID_HEADER_BYTES, len(octets), 4)]
    return "-".join(["S-1", str(authority), *(str(int.from_bytes(part, "little")) for part in parts)])


def encode_sid(text: str) -> bytes:
    """Write a SID in binary.

    Raises:
        ValueError: `text` is no `S-1-…` with 1 to 15 sub-authorities, or a number is out of its range.

    Source: MS-DTYP §2.4.2.1, §2.4.2.2.
    """
    match = _SID_TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no SID")
    subs = [int(part) for part in match[2][1:].split("-")]
    try:
        tail = b"".join(sub.to_bytes(_SUB_AUTHORITY_BYTES, "little") for sub in subs)
        return bytes((1, len(subs))) + int(match[1]).to_bytes(6, "big") + tail
    except OverflowError:
        raise ValueError(f"a number in {text!r} is out of its range") from None


def primary_group_sid(object_sid: bytes, primary_group_id: int) -> bytes:
    """Give the SID of an account's primary group, which neither memberOf nor member names.

    Args:
        object_sid: of the account.
        primary_group_id: its primaryGroupID: the RID of a group of the same domain (513: Domain Users).

    Raises:
        RemoteProtocolError: REJECT: `object_sid` is no SID with a RID, or `primary_group_id` is none.

    Source: MS-ADA3 (primaryGroupID), MS-DTYP §2.4.2.2.
    """
    _check_sid(object_sid)
    if not 0 <= primary_group_id < 2**32 or object_sid[1] == 0:
        raise RemoteProtocolError("primaryGroupID makes no SID with objectSid", Disposition.REJECT)
    return object_sid[:-_SUB_AUTHORITY_BYTES] + primary_group_id.to_bytes(_SUB_AUTHORITY_BYTES, "little")


def _check_sid(octets: bytes) -> None:
    if len(octets) < _SID_HEADER_BYTES or octets[0] != 1 or octets[1] > MAX_SUB_AUTHORITIES:
        raise RemoteProtocolError("objectSid is no SID", Disposition.REJECT)
    if len(octets) != _SID_HEADER_BYTES + octets[1] * _SUB_AUTHORITY_BYTES:
        raise RemoteProtocolError("the length of objectSid is not what its count says", Disposition.REJECT)


def filetime_to_unix_s(ticks: int) -> float | None:
    """Turn a FILETIME (100 ns since 1601, UTC) into seconds since 1970; None for 0 and for never.

    Source: MS-DTYP §2.3.3.
    """
    if ticks <= 0 or ticks >= NEVER:
        return None
    return (ticks - UNIX_EPOCH_TICKS) / TICKS_PER_SECOND


def unix_s_to_filetime(seconds: float) -> int:
    """Turn seconds since 1970 into a FILETIME."""
    return round(seconds * TICKS_PER_SECOND) + UNIX_EPOCH_TICKS


def read_integer(attributes: Attributes, name: str) -> int | None:
    """Read an attribute with one integer; None when it is not there, has several values, or is no 64-bit integer."""
    values = _values(attributes, name)
    if len(values) != 1 or not _INTEGER.fullmatch(values[0]):
        return None
    number = int(values[0])
    return number if -(2**63) <= number < 2**63 else None


def _values(attributes: Attributes, name: str) -> Sequence[bytes]:
    folded = name.lower()
    return next((values for key, values in attributes.items() if key.lower() == folded), ())


@frozen
class AccountFacts:
    """What an entry says of its account; None for what could not be read.

    Attributes:
        pwd_last_set: FILETIME; 0: the password must be changed.
        lockout_time: FILETIME of the moment of locking; 0 or None: not locked.
        bad_pwd_count: wrong passwords so far, as the server counts that was asked: it is not replicated.
        bad_password_time: FILETIME of the last wrong password, of that server too.
        primary_group_id: RID of the primary group.
        resultant_pso: DN of the fine-grained password policy that holds for it; empty for none, as far as can be read.
    """

    pwd_last_set: int | None = None
    lockout_time: int | None = None
    bad_pwd_count: int | None = None
    bad_password_time: int | None = None
    primary_group_id: int | None = None
    resultant_pso: bytes = b""

    @property
    def was_locked(self) -> bool:
        """Whether the account was locked and has not logged in since; the lock may have run out."""
        return bool(self.lockout_time)


def read_account(attributes: Attributes) -> AccountFacts:
    """Read the facts about an account from its entry."""
    return AccountFacts(
        pwd_last_set=read_integer(attributes, "pwdLastSet"),
        lockout_time=read_integer(attributes, "lockoutTime"),
        bad_pwd_count=read_integer(attributes, "badPwdCount"),
        bad_password_time=read_integer(attributes, "badPasswordTime"),
        primary_group_id=read_integer(attributes, "primaryGroupID"),
        resultant_pso=next(iter(_values(attributes, "msDS-ResultantPSO")), b""),
    )
