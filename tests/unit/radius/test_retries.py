"""A device that retries with a new Identifier and authenticator: when it is the same login."""

from __future__ import annotations

import pytest

from duoproxy.radius.attributes import vendor_attribute
from duoproxy.radius.retries import RetryTable, fingerprint
from duoproxy.secret import Secret

KEY = b"k" * 32
DEVICE = "10.0.0.1"
SESSION = [(1, b"alice"), (31, b"203.0.113.7"), (5, b"\0\0\0\x07"), vendor_attribute(9, 1, b"x")]
PASSWORD = b"correct horse,push"


def mark(attributes, password: bytes | None = PASSWORD, device: str = DEVICE, key: bytes = KEY) -> bytes | None:
    return fingerprint(key, device, attributes, password)


def test_attributes_of_the_transmission_do_not_count():
    """User-Password, Message-Authenticator, Proxy-State and Event-Timestamp may differ in a retry."""
    retried = [(80, b"m" * 16), *SESSION, (2, b"h" * 16), (33, b"proxy"), (55, b"\0\0\0\1")]
    assert mark(retried) == mark(SESSION)


@pytest.mark.parametrize(
    "other",
    [
        [*SESSION[:-1], vendor_attribute(9, 1, b"y")],
        [*SESSION, (32, b"nas")],
        SESSION[:-1],
        [SESSION[1], SESSION[0], *SESSION[2:]],
        [(1, b"Alice"), *SESSION[1:]],
        [(1, b"alice"), (31, b"203.0.113.8"), *SESSION[2:]],
        [*SESSION, (24, b"state")],
    ],
    ids=["vendor value", "one more", "one less", "order", "case of the name", "station", "state"],
)
def test_any_other_difference_makes_it_another_login(other):
    """All other attributes must be equal, octet for octet and in order."""
    assert mark(other) is not None
    assert mark(other) != mark(SESSION)


def test_password_device_and_key_count():
    """Another password, another device, and another process give other fingerprints."""
    marks = {mark(SESSION), mark(SESSION, b"other"), mark(SESSION, device="10.0.0.2"), mark(SESSION, key=b"other")}
    assert len(marks) == 4


def test_fields_cannot_slide_into_each_other():
    """The password's end and the first attribute cannot be exchanged for each other."""
    assert mark(SESSION, b"pw") != mark([(ord("w"), b""), *SESSION], b"p")


@pytest.mark.parametrize("session", [(5, b"\0\0\0\x07"), (87, b"eth0"), (44, b"0001")])
def test_session_is_named_by_station_and_port(session):
    """Calling-Station-Id and one of NAS-Port, NAS-Port-Id, Acct-Session-Id are enough."""
    assert mark([(1, b"alice"), (31, b"station"), session]) is not None


@pytest.mark.parametrize(
    "attributes",
    [
        [(1, b"alice"), (31, b"station")],
        [(1, b"alice"), (5, b"\0\0\0\x07"), (44, b"0001"), (87, b"eth0")],
        [(1, b"alice"), (31, b""), (5, b"\0\0\0\x07")],
        [(1, b"alice"), (31, b"station"), (87, b"")],
    ],
    ids=["no port", "no station", "empty station", "empty port"],
)
def test_request_that_names_no_session_has_no_fingerprint(attributes):
    """Without both, nothing tells a retry from a second login of somebody who knows the password."""
    assert mark(attributes) is None


def test_request_without_a_password_has_no_fingerprint():
    """CHAP is not answered, and EAP without State begins a conversation of its own."""
    assert mark(SESSION, None) is None
    assert mark([*SESSION, (79, b"\2\1\0\5\1")], None) is None
    assert mark([*SESSION, (79, b"\2\1\0\5\1"), (24, b"")], None) is None


STEP = [(1, b"anonymous"), (79, b"\2\7\0\6\x19\0"), (24, b"a state that nobody guesses")]


def test_step_of_an_eap_conversation_is_named_by_its_state():
    """State and EAP-Message are enough; neither station nor port is needed."""
    assert mark(STEP, None) is not None
    assert mark([(80, b"m" * 16), *STEP, (33, b"proxy")], None) == mark(STEP, None)


@pytest.mark.parametrize(
    "other",
    [
        [STEP[0], (79, b"\2\7\0\6\x19\1"), STEP[2]],
        [*STEP[:2], (24, b"another state")],
        [*STEP, (31, b"station")],
    ],
    ids=["EAP-Message", "state", "one more"],
)
def test_another_step_of_an_eap_conversation_is_not_the_same(other):
    """The rest of the request must be the same, too."""
    assert mark(other, None) not in (None, mark(STEP, None))


def test_step_with_an_empty_password_is_not_one_without():
    """A User-Password beside EAP-Message makes a request of another kind."""
    station = [*STEP, (31, b"station"), (5, b"\0\0\0\1")]
    assert mark(station, b"") != mark(station, None)


def test_retry_joins_and_the_newest_request_gets_the_answer():
    """A retry joins the login in progress; the request before it is superseded."""
    table: RetryTable[str] = RetryTable()
    login = table.receive(b"f", Secret("pw"), "first").login
    second = table.receive(b"f", Secret("pw"), "second")
    third = table.receive(b"f", Secret("pw"), "third")
    assert (second.login, second.superseded) == (login, "first")
    assert (third.login, third.superseded) == (login, "second")
    assert login.joined == 2
    assert table.finish(login) == "third"


def test_after_the_end_a_retry_is_a_login_of_its_own():
    """Only a login in progress is joined: one approval gives at most one answer."""
    table: RetryTable[str] = RetryTable()
    login = table.receive(b"f", Secret("pw"), "first").login
    table.finish(login)
    again = table.receive(b"f", Secret("pw"), "second")
    assert again.superseded is None
    assert again.login is not login


def test_other_password_never_joins():
    """The password is compared once more; a login with another one is its own, and leaves the first alone."""
    table: RetryTable[str] = RetryTable()
    first = table.receive(b"f", Secret("pw"), "first").login
    other = table.receive(b"f", Secret("guess"), "attacker")
    assert other.superseded is None
    assert other.login is not first
    assert table.finish(other.login) == "attacker"
    assert table.receive(b"f", Secret("pw"), "retry").login is first


def test_request_without_a_fingerprint_joins_nothing():
    """Two requests that name no session are two logins."""
    table: RetryTable[str] = RetryTable()
    logins = [table.receive(None, Secret("pw"), name).login for name in ("a", "b")]
    assert logins[0] is not logins[1]
    assert len(table) == 0
    assert [table.finish(login) for login in logins] == ["a", "b"]


def test_table_is_empty_when_all_logins_ended():
    """Every end gives its memory back, and ending twice harms nobody."""
    table: RetryTable[str] = RetryTable()
    first = table.receive(b"f", Secret("pw"), "first").login
    table.finish(first)
    second = table.receive(b"f", Secret("pw"), "second").login
    table.finish(first)
    assert len(table) == 1
    table.finish(second)
    assert len(table) == 0


def test_answer_to_a_challenge_is_named_by_its_state():
    """Where every State is one that was given, an answer needs no station and no port; a first request still does."""
    answer = [(1, b"alice"), (24, b"state of sixteen")]
    retried = [(80, b"m" * 16), *answer, (2, b"h" * 16)]
    marked = fingerprint(KEY, DEVICE, answer, b"push", state_is_ours=True)
    assert marked is not None
    assert marked == fingerprint(KEY, DEVICE, retried, b"push", state_is_ours=True)
    assert marked != fingerprint(KEY, DEVICE, answer, b"123456", state_is_ours=True)
    assert marked != fingerprint(KEY, DEVICE, [(1, b"alice"), (24, b"another state")], b"push", state_is_ours=True)
    assert fingerprint(KEY, DEVICE, [(1, b"alice")], b"push", state_is_ours=True) is None


def test_state_of_somebody_else_names_no_session():
    """A device may send a State that says nothing, the same with every login."""
    assert mark([(1, b"alice"), (24, b"state")]) is None


def test_a_proof_counts_with_its_challenge():
    """A CHAP login again with the same octets is the same; under another Request Authenticator it is another proof."""
    chap = [*SESSION, (3, b"p" * 17)]
    assert mark(chap, b"proof and challenge") == mark([(80, b"m" * 16), *chap], b"proof and challenge")
    assert mark(chap, b"proof and challenge") != mark(chap, b"proof, other challenge")
    assert mark(chap, b"proof and challenge") != mark([*SESSION, (3, b"q" * 17)], b"proof and challenge")
