"""Whatever comes back to duoproxy-login."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import login_exchange
from tests.unit.radius import vectors

REPLIES = [vectors.RFC2865_7_1_ACCEPT, vectors.RFC2865_7_3_CHALLENGE, vectors.RFC2865_7_3_REJECT]


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=120)
    | st.builds(lambda reply, more: reply + more, st.sampled_from(REPLIES), st.binary(max_size=9))
)
def test_any_datagram_is_an_end_or_none_of_ours(datagram: bytes) -> None:
    """An accept is authentic; whatever is wrong with a reply is said in one clause."""
    login_exchange.target(datagram)
