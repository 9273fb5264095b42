"""Names, SIDs and the shield, for any values."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.errors import Disposition, RemoteProtocolError
from duoproxy.ldap.active_directory import (
    AccountFacts,
    decode_sid,
    encode_sid,
    filetime_to_unix_s,
    primary_group_sid,
    read_account,
    sub_code,
    unix_s_to_filetime,
)
from duoproxy.ldap.lockout_policy import LockoutPolicy, second_attempt_is_safe
from duoproxy.ldap.lockout_shield import SHIELD_S, LockoutShield
from duoproxy.ldap.names import escape_dn_value, parse_dn, same_dn, split_username
from duoproxy.ldap.refusals import explain
from duoproxy.secret import Secret

quick = settings(max_examples=200, deadline=None)
odd_text = st.text(
    st.one_of(st.sampled_from(' \\,+="<>;#*()\0aA0é'), st.characters(exclude_categories=["Cs"])), max_size=30
)
sids = st.builds(
    lambda authority, subs: "-".join(["S-1", str(authority), *map(str, subs)]),
    st.integers(0, 2**48 - 1),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=15),
)


@quick
@given(st.lists(st.one_of(odd_text, st.binary(max_size=20)), min_size=1, max_size=4))
def test_escaped_values_come_back_from_a_dn(values):
    """Whatever stands in a value, it ends where it was meant to end, and is what it was."""
    dn = ",".join(f"cn={escape_dn_value(value)}" for value in values)
    texts = [value if isinstance(value, str) else value.decode("utf-8", "surrogateescape") for value in values]
    assert parse_dn(dn) == tuple((("cn", text),) for text in texts)
    assert same_dn(dn, dn.replace("cn=", "CN ="))


@quick
@given(odd_text)
def test_any_text_is_a_dn_or_none(text):
    """Reading any text ends, and what is read is the same entry as itself."""
    assert same_dn(text, text)
    assert parse_dn(text) is None or same_dn(text, f" {text}")
    name = split_username(text)
    assert name.local in text
    assert bool(name.local) == bool(text)


@quick
@given(odd_text, odd_text)
def test_same_dn_is_symmetric(first, second):
    """Neither side of a comparison is special."""
    first, second = f"cn={escape_dn_value(first)},dc=x", f"CN={escape_dn_value(second)},DC=X"
    assert same_dn(first, second) == same_dn(second, first)


@quick
@given(sids, st.integers(0, 2**32 - 1))
def test_sid_comes_back(text, rid):
    """decode∘encode is the identity, and the primary group differs in the last part only."""
    octets = encode_sid(text)
    assert decode_sid(octets) == text
    assert decode_sid(primary_group_sid(octets, rid)) == f"{text.rpartition('-')[0]}-{rid}"


@quick
@given(st.binary(max_size=80))
def test_any_octets_are_a_sid_or_refused(octets):
    """Any objectSid gives a text or RemoteProtocolError with REJECT."""
    try:
        end: object = decode_sid(octets)[:4]
    except RemoteProtocolError as fault:
        end = fault.disposition
    assert end in ("S-1-", Disposition.REJECT)


@quick
@given(st.integers(0, 2**33))
def test_moment_comes_back(seconds):
    """A FILETIME of whole seconds is exact."""
    assert filetime_to_unix_s(unix_s_to_filetime(seconds)) == seconds


@quick
@given(st.integers(-(2**31), 2**31), st.text(max_size=400))
def test_any_answer_is_explained(code, diagnostic):
    """Any result with any text gives one printable sentence; only 49 can be a wrong password."""
    refusal = explain(code, diagnostic, "dc1")
    assert refusal.sentence.isprintable()
    assert len(refusal.sentence) < 600
    assert code == 49 or not refusal.is_wrong_password_52e
    found = sub_code(diagnostic)
    assert found is None or int(found, 16) >= 0


names = st.sampled_from(["badPwdCount", "lockoutTime", "badPasswordTime", "objectSid", "pwdLastSet"])
values = st.lists(st.one_of(st.binary(max_size=25), st.integers(-(2**70), 2**70).map(lambda n: str(n).encode())))


@quick
@given(st.dictionaries(names, values), st.integers(0, 20) | st.none(), st.floats(0, 4e9))
def test_any_entry_gives_an_answer(entry, threshold, now):
    """Whatever an entry holds, the rule answers, and never True where two more could reach the threshold of a count."""
    account = read_account(entry)
    safe = second_attempt_is_safe(account, LockoutPolicy(threshold), now)
    assert safe in (True, False, None)
    if safe and threshold:
        assert account.bad_pwd_count is not None
        assert account.bad_pwd_count + 2 < threshold


@quick
@given(st.integers(0, 1000), st.integers(1, 12), st.floats(0, 1e6))
def test_locking_takes_more_than_one_login(count, threshold, age_s):
    """If a second attempt is called safe, the account does not lock by two wrong ones, wherever the window ends."""
    account = AccountFacts(bad_pwd_count=count, bad_password_time=unix_s_to_filetime(2e9 - age_s))
    if second_attempt_is_safe(account, LockoutPolicy(threshold, 1800.0), 2e9):
        began_anew = age_s > 1800
        assert (0 if began_anew else count) + 2 < threshold


steps = st.lists(
    st.tuples(
        st.sampled_from(["login", "login", "login", "success", "reset"]),
        st.integers(0, 3),
        st.integers(0, 7),
        st.floats(0, 30),
    ),
    max_size=60,
)


@quick
@given(steps, st.integers(1, 8))
def test_shield_refuses_what_was_refused_and_nothing_else(script, room):
    """In any order of events: never without a refusal in the last 60 s, and the bounds hold."""
    shield, now = LockoutShield(bytes(32), max_refusals=room, max_refusals_per_user=3), 0.0
    refused_at: dict[tuple[int, int], float] = {}
    marks = dict.fromkeys(range(4), 0)
    for event, user, password, wait_s in script:
        now += wait_s
        dn = f"CN={user}"
        if event != "login":
            marks[user] += event == "reset"
            if event == "success":
                shield.note_success(dn)
            refused_at = {key: at for key, at in refused_at.items() if key[0] != user}
            continue
        if shield.refused_before("ad_client", dn, Secret(str(password)), marks[user], None, now):
            assert now - refused_at[user, password] < SHIELD_S
        else:
            shield.note_refusal("ad_client", dn, Secret(str(password)), marks[user], None, now)
            refused_at[user, password] = now
        assert len(shield) <= room
