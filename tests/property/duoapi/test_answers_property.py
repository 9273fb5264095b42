"""Whatever the service sends gives a value or this room's error, and a yes only for the literal word."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.duoapi.answers import ErrorAnswer, HttpAnswer, UnexpectedAnswer, read_answer
from duoproxy.duoapi.clock import read_date
from duoproxy.duoapi.generations import DIALECTS
from duoproxy.duoapi.messages import PreauthResult
from duoproxy.duoapi.signing import canonical_params

WORDS = st.sampled_from(
    ["result", "status", "status_msg", "devices", "factors", "allow", "deny", "auth", "enroll", "waiting", "device"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=6),
    max_leaves=12,
)
DIALECT = st.sampled_from(list(DIALECTS.values()))


@settings(max_examples=200)
@given(st.integers(100, 599), st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_answer_is_a_content_or_an_error(status, body):
    """Nothing else is raised, and nothing but HTTP 200 has a content."""
    try:
        read_answer(HttpAnswer(status, body))
    except (ErrorAnswer, UnexpectedAnswer):
        return
    assert status == 200
    assert json.loads(body)["stat"] == "OK"


@settings(max_examples=200)
@given(DIALECT, JSON)
def test_any_content_is_a_value_or_an_error(dialect, content: Any):
    """A yes comes only from the literal `allow`; a device list only from `auth`."""
    for parse in (dialect.parse_preauth, dialect.parse_auth, dialect.parse_status, dialect.parse_transaction):
        try:
            value = parse(content)
        except UnexpectedAnswer:
            continue
        if getattr(value, "allowed", False) or getattr(value, "result", None) is PreauthResult.ALLOW:
            assert content["result"] == "allow"
        if getattr(value, "devices", ()):
            assert content["result"] == "auth"


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_date_header_is_a_time_or_none(header):
    """A header can be anything."""
    value = read_date(header)
    assert value is None or isinstance(value, float)


@settings(max_examples=200)
@given(st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=12), max_size=5))
def test_canonical_parameters_decode_to_themselves(params):
    """What is signed is what the service reads, and its spelling is plain ASCII."""
    spelled = canonical_params(params)
    assert spelled.isascii()
    assert " " not in spelled
    decoded = {name: values[0] for name, values in parse_qs(spelled, keep_blank_values=True).items()}
    assert decoded == params


def test_strategies_reach_a_yes():
    """The property above is not empty: the literal word does give a yes."""
    for dialect in DIALECTS.values():
        assert dialect.parse_auth({"result": "allow"}).allowed
        with pytest.raises(UnexpectedAnswer):
            dialect.parse_auth({"result": "Allow"})
