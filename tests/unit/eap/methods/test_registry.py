"""Which method a peer gets. Source: RFC 3748 §5.3.1."""

from __future__ import annotations

import pytest

from duoproxy.eap.methods.registry import MethodRegistry
from tests.unit.eap.test_authenticator import ScriptedMethod

OFFERED = MethodRegistry({25: ScriptedMethod, 21: ScriptedMethod})


def test_first_one_is_preferred():
    """The order of the registry is that of preference."""
    assert OFFERED.preferred == 25


@pytest.mark.parametrize(
    ("wanted", "proposed", "chosen"),
    [((13, 21), {25}, 21), ((21, 25), (), 21), ((25,), {25}, None), ((0,), {25}, None), ((), {25}, None)],
)
def test_a_nak_gets_the_first_wanted_type_that_is_left(wanted, proposed, chosen):
    """The peer's order counts; what was proposed before is not proposed again."""
    assert OFFERED.choose(wanted, proposed) == chosen


def test_each_conversation_has_its_own_run():
    """What a method remembers belongs to one peer."""
    assert OFFERED.make(25) is not OFFERED.make(25)


def test_a_server_without_a_method_is_an_error():
    """There must be something to offer."""
    with pytest.raises(ValueError, match="method"):
        MethodRegistry({})
