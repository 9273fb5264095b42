"""The sentences about a directory's refusals, literally: cause and remedy of each."""

from __future__ import annotations

import pytest

from duoproxy.ldap.refusals import MAX_WORDS, RefusalKind, explain

HOST = "dc1.corp.example.test"
WRONG, ACCOUNT = RefusalKind.WRONG_PASSWORD, RefusalKind.ACCOUNT
NOT_NOW, MISCONFIGURED = RefusalKind.NOT_NOW, RefusalKind.MISCONFIGURED


def diagnostic_of(sub_code: str) -> str:
    """What a domain controller says when it refuses a simple bind."""
    return f"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {sub_code}, v1db1\0"


@pytest.mark.parametrize(
    ("sub_code", "kind", "sentence"),
    [
        (
            "51f",
            NOT_NOW,
            "it reaches no domain controller of the account's domain, data 51f; check ntlm_domain, and the trust "
            "between the domains",
        ),
        (
            "525",
            ACCOUNT,
            "it does not know this account, data 525; look whether the account was deleted or renamed, and whether "
            "replication works",
        ),
        (
            "52e",
            WRONG,
            "name or password is wrong, data 52e; Active Directory hides most other reasons behind this one: the "
            "security log of the domain controller has it",
        ),
        (
            "52f",
            ACCOUNT,
            "a restriction of the account forbids this kind of login, data 52f; a member of Protected Users cannot use "
            "NTLM: set auth_type=plain with transport=starttls or ldaps",
        ),
        (
            "530",
            ACCOUNT,
            "the account may not log in at this hour, data 530; change its logon hours if that is not meant",
        ),
        (
            "531",
            ACCOUNT,
            "the account may not log in from here, data 531; add the domain controller and the value of "
            "ntlm_workstation to the computers that it may log on to",
        ),
        ("532", ACCOUNT, "the password has expired, data 532; the user has to set a new one"),
        ("533", ACCOUNT, "the account is disabled, data 533; enable it if that is not meant"),
        (
            "568",
            ACCOUNT,
            "the account is in too many groups, data 568; take it out of some: Windows allows about 1000, with those "
            "that it is in through other groups",
        ),
        (
            "569",
            ACCOUNT,
            "the account may not log in over the network, data 569; grant it "
            '"Access this computer from the network" on the domain controllers',
        ),
        ("701", ACCOUNT, "the account has expired, data 701; set a later end if that is not meant"),
        (
            "773",
            ACCOUNT,
            "the password must be changed first, data 773; the user has to set a new one, at a Windows logon",
        ),
        (
            "775",
            ACCOUNT,
            "the account is locked, data 775; unlock it or wait, and look for the device that keeps sending a wrong "
            "password",
        ),
        (
            "80090346",
            MISCONFIGURED,
            "the channel binding does not fit its certificate, data 80090346; something on the way opens TLS (a "
            "gateway, a load balancer): let this machine reach it directly",
        ),
    ],
)
def test_sub_codes_of_active_directory(sub_code, kind, sentence):
    """Each sub-code has its cause and its remedy; only 52e is a password that was counted as wrong."""
    refusal = explain(49, diagnostic_of(sub_code), HOST)
    assert refusal.sentence == f"dc1.corp.example.test: {sentence}"
    assert refusal.kind is kind
    assert refusal.is_wrong_password_52e is (sub_code == "52e")
    assert explain(49, diagnostic_of(sub_code.upper()), HOST) == refusal


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (
            1,
            MISCONFIGURED,
            "it cannot do this in the state that the connection is in (operationsError), result 1; check that the "
            "service account can bind",
        ),
        (2, MISCONFIGURED, "it does not understand the request (protocolError), result 2; check host and port"),
        (
            3,
            NOT_NOW,
            "the search takes it too long (timeLimitExceeded), result 3; index the attributes that are searched",
        ),
        (
            4,
            MISCONFIGURED,
            "more entries fit than were asked for (sizeLimitExceeded), result 4; set search_dn or ldap_filter so that "
            "one entry is left",
        ),
        (
            7,
            MISCONFIGURED,
            "it does not know this kind of bind (authMethodNotSupported), result 7; set auth_type=plain with "
            "transport=starttls or ldaps",
        ),
        (
            8,
            MISCONFIGURED,
            "it takes this bind only signed or encrypted (strongerAuthRequired), result 8; set transport=starttls or "
            "ldaps, or auth_type=ntlm2",
        ),
        (
            10,
            MISCONFIGURED,
            "it names another server for this (referral), result 10; set host to the server that has search_dn",
        ),
        (
            11,
            MISCONFIGURED,
            "the search is over its limits (adminLimitExceeded), result 11; index the attributes that are searched, or "
            "set a narrower search_dn",
        ),
        (
            12,
            MISCONFIGURED,
            "it lacks an extension that the request needs (unavailableCriticalExtension), result 12; check which "
            "directory host and port lead to",
        ),
        (
            13,
            MISCONFIGURED,
            "it answers on encrypted connections only (confidentialityRequired), result 13; set transport=starttls or "
            "ldaps",
        ),
        (
            14,
            MISCONFIGURED,
            "it wants one more step of the bind than there is (saslBindInProgress), result 14; set auth_type=plain "
            "with transport=starttls or ldaps",
        ),
        (
            16,
            MISCONFIGURED,
            "the entry lacks an attribute (noSuchAttribute), result 16; check username_attribute, at_attribute and "
            "ldap_filter",
        ),
        (
            17,
            MISCONFIGURED,
            "it does not know an attribute (undefinedAttributeType), result 17; check username_attribute, "
            "at_attribute and ldap_filter",
        ),
        (
            18,
            MISCONFIGURED,
            "it cannot match an attribute so (inappropriateMatching), result 18; check username_attribute, "
            "at_attribute and ldap_filter",
        ),
        (
            19,
            ACCOUNT,
            "a rule of the directory forbids it (constraintViolation), result 19; look whether too many wrong "
            "passwords locked the account",
        ),
        (
            21,
            MISCONFIGURED,
            "a value has the wrong syntax (invalidAttributeSyntax), result 21; check username_attribute, at_attribute "
            "and ldap_filter",
        ),
        (
            32,
            MISCONFIGURED,
            "there is no such entry (noSuchObject), result 32; check search_dn, bind_dn and security_group_dn",
        ),
        (
            34,
            MISCONFIGURED,
            "it cannot read a DN (invalidDNSyntax), result 34; check search_dn, bind_dn and security_group_dn; a "
            "directory other than AD needs bind_dn",
        ),
        (
            48,
            ACCOUNT,
            "the entry has nothing to check a password with (inappropriateAuthentication), result 48; set a password "
            "for it",
        ),
        (
            49,
            WRONG,
            "name or password is wrong (invalidCredentials), result 49; a locked or expired account may be answered "
            "so, too: look at its password policy",
        ),
        (
            50,
            MISCONFIGURED,
            "it does not allow this (insufficientAccessRights), result 50; let the service account read below "
            "search_dn",
        ),
        (51, NOT_NOW, "it is busy (busy), result 51; look at its log"),
        (52, NOT_NOW, "it is shutting down or cut off (unavailable), result 52; look at its log"),
        (
            53,
            ACCOUNT,
            "it is not willing to do this (unwillingToPerform), result 53; look whether the account is locked or "
            "disabled, and at its log",
        ),
        (80, NOT_NOW, "it has a fault of its own (other), result 80; look at its log"),
        (118, MISCONFIGURED, "it answers with a result that is not known here, result 118; look at its log"),
        (-7, MISCONFIGURED, "it answers with a result that is not known here, result -7; look at its log"),
    ],
)
def test_results_of_ldap(code, kind, sentence):
    """Each result has its cause and its remedy; 49 without a sub-code counts as a wrong password, nothing else does."""
    refusal = explain(code, "", HOST)
    assert refusal.sentence == f"dc1.corp.example.test: {sentence}"
    assert refusal.kind is kind
    assert refusal.is_wrong_password_52e is (code == 49)


def test_own_words_of_a_server():
    """Where the server says more, its words stand in the sentence."""
    refusal = explain(8, "BindSimple: Transport encryption required.", "127.0.0.10")
    assert refusal.sentence == (
        "127.0.0.10: it takes this bind only signed or encrypted (strongerAuthRequired), result 8: "
        '"BindSimple: Transport encryption required."; set transport=starttls or ldaps, or auth_type=ntlm2'
    )


@pytest.mark.parametrize("code", ["0", "57", "80090308"])
def test_sub_code_that_is_not_known(code):
    """A reason that has no sentence is named as it came, and is nothing that the shield remembers."""
    refusal = explain(49, f"comment: AcceptSecurityContext error, data {code}, v1db1", HOST)
    assert refusal.sentence == (
        f"dc1.corp.example.test: it refuses the account for a reason that is not known here, data {code}: "
        f'"comment: AcceptSecurityContext error, data {code}, v1db1"; the security log of the domain controller has it'
    )
    assert refusal.kind is ACCOUNT
    assert not refusal.is_wrong_password_52e


def test_sub_code_counts_with_invalid_credentials_only():
    """`data 0` of a domain controller that wants signing is no reason of an account."""
    refusal = explain(
        8, "00002028: LdapErr: DSID-0C090202, comment: The server requires binds …, data 52e, v4563", HOST
    )
    assert refusal.kind is MISCONFIGURED
    assert not refusal.is_wrong_password_52e


def test_hostile_words_stay_on_one_line():
    """What a server says is shown printable, on one line, and cut."""
    cause = explain(53, "a\r\n\x1b[31m  b\0\u202e" + "c" * 1_000_000, HOST).cause
    assert cause.startswith('it is not willing to do this (unwillingToPerform), result 53: "a [31m b ccc')
    assert cause.isprintable()
    assert cause.endswith("…" + '"')
    assert len(cause) < MAX_WORDS + 80
