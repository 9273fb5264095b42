"""The fuzz target of challenges, for any sequence of requests that Hypothesis finds worth a try."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import challenge_answers, radius_credentials

TEXTS = st.sampled_from([b"pencil", b"pencil,push", b"111", b"push", b"1", b"424242", b"000000", b""]) | st.binary(
    max_size=30
)
REQUESTS = st.tuples(st.integers(0, 255), st.integers(0, 255), TEXTS)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 7), st.lists(REQUESTS, max_size=12))
def test_nobody_gets_in_without_both_factors(chosen: int, requests: list[tuple[int, int, bytes]]) -> None:
    """Whatever States are made up, stolen, used again or too late."""
    made = [bytes((where, kind)) + text for where, kind, text in requests]
    challenge_answers.target(bytes((chosen,)) + b"".join(bytes((len(one),)) + one for one in made))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(radius_credentials.WORDS) | st.binary(max_size=60), max_size=8))
def test_credentials_are_a_value_or_our_error(pieces: list[bytes]) -> None:
    """A proof is whole, and reads the same from its own attributes."""
    radius_credentials.target(b"\0" + b"".join(pieces))
