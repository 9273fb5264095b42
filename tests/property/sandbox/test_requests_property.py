"""Whatever is sent to the stand-in Duo service: an answer of the API."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.sandbox.accounts import MAX_DELAY_S, MAX_DEVICES_PER_USER, parse_behaviour
from tests.fuzz.targets import sandbox_calls, sandbox_signature
from tests.fuzz.targets.sandbox_calls import WORDS

quick = settings(max_examples=200, deadline=None)
texts = st.text(max_size=8) | st.sampled_from(
    ["alice", "auto", "push", "1", "phone1", "123456", "Basic =", "localhost:1"]
)
parameters = st.dictionaries(
    st.sampled_from(["username", "user", "factor", "device", "txid", "async", "code"]) | texts, texts
)
headers = st.lists(
    st.builds("{}: {}".format, st.sampled_from(["authorization", "date", "x-duo-date", "host", "content-type"]), texts),
    max_size=6,
).map("\n".join)


@quick
@given(st.sampled_from(["GET", "POST", ""]), texts, texts, headers, texts | parameters.map(json.dumps))
def test_any_unsigned_request_is_refused(method: str, path: str, query: str, head: str, body: str) -> None:
    """Whatever its headers are; what our client signs with the same parameters is taken."""
    parts = (method, f"/{path}", query, head, body)
    sandbox_signature.target("\0".join(part.replace("\0", "") for part in parts).encode("utf-8", "replace"))


@quick
@given(parameters)
def test_any_parameters_are_read_as_our_client_signed_them(sent: dict[str, str]) -> None:
    """In query, form and JSON body."""
    sandbox_signature.target(b"POST\0/\0\0content-type: application/json\0" + json.dumps(sent).encode())


paths = st.sampled_from([word.decode() for word in WORDS if word.startswith(b"/")])
calls = st.lists(st.builds(lambda path, sent: path + json.dumps(sent), paths, parameters), max_size=8)


@settings(max_examples=100, deadline=None)
@given(calls)
def test_any_calls_in_any_order_are_answered(lines: list[str]) -> None:
    """The API's, the phone page's and the controls': an answer or ValueError."""
    sandbox_calls.target("\n".join(lines).encode())


behaviours = st.lists(
    st.sampled_from(
        ["alice", "*", "phone", "push", "passcode", "deny", "approve-after", "2", "-1", "nan", "1e9", "bypass"]
    ),
    max_size=6,
).map(" ".join) | st.text(max_size=20)


@quick
@given(behaviours)
def test_any_line_describes_a_user_or_is_refused(line: str) -> None:
    """Every number is within its bounds, also one that is none (`nan`)."""
    try:
        behaviour = parse_behaviour(line)
    except ValueError:
        return
    assert 0 < len(behaviour.devices) <= MAX_DEVICES_PER_USER
    assert behaviour.delay_s is None or 0 <= behaviour.delay_s <= MAX_DELAY_S
    assert behaviour.describe()
