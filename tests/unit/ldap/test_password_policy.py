"""What a directory adds to a success: draft-behera-ldap-password-policy-10 §6.2."""

from __future__ import annotations

import pytest

from duoproxy.errors import RemoteProtocolError
from duoproxy.ldap.password_policy import why_no_success

MUST_CHANGE = "the password was reset and must be changed before anything else; the user has to set a new one"
EXPIRED = "the password has expired; the user has to set a new one"
GRACE = "the password has expired, and this was one of its grace logins; the user has to set a new one"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("3000", ""),
        ("3006a0048002012c", ""),  # it expires in 300 s: a success
        ("3003810102", MUST_CHANGE),
        ("3003810100", EXPIRED),
        ("3003810101", "the account is locked; look at it in the directory"),
        ("3005a003810103", GRACE),
        ("3008a003810100810102", MUST_CHANGE),
        ("3003810163", "the password policy objects (error 99); look at the account"),
    ],
)
def test_an_expired_password_or_one_that_must_be_changed_is_no_success(value: str, reason: str) -> None:
    """Only the warning that a password will expire goes with a login; what is unknown does not."""
    assert why_no_success(bytes.fromhex(value)) == reason


@pytest.mark.parametrize("value", ["", "30", "3001", "3080", "0400", "30038101", "3000ff", "3002a005"])
def test_what_cannot_be_read_is_no_yes(value: str) -> None:
    """A value of another form closes the connection."""
    with pytest.raises(RemoteProtocolError):
        why_no_success(bytes.fromhex(value))
