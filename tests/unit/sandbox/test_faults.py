"""Outages of the sandbox on demand."""

from __future__ import annotations

import pytest

from duoproxy.sandbox.faults import MAX_FAULTS, Fault, FaultKind, Faults, fault_from_json


def test_a_fault_hits_as_often_as_it_counts_and_only_its_calls() -> None:
    """The first fault that fits a request is taken; when its count is over, it is gone."""
    faults = Faults()
    once = Fault(FaultKind.STATUS, frozenset({"preauth"}), count=1)
    always = Fault(FaultKind.HANG, generation="v1")
    faults.set([once, always])
    assert faults.take("auth", "v2") is None
    assert faults.take("preauth", "v1") is once
    assert faults.take("preauth", "v1") is always
    assert faults.take("preauth", "v2") is None
    assert faults.current() == ((always, None),)


def test_a_reset_ends_everything() -> None:
    """Faults, the wrong clock and refused generations."""
    faults = Faults()
    faults.set([Fault(FaultKind.CLOSE)])
    faults.clock_offset_s = 5.0
    faults.refused = {"v2": 403}
    faults.reset()
    assert (faults.take("check", "v2"), faults.clock_offset_s, faults.refused) == (None, 0.0, {})


def test_faults_are_bounded() -> None:
    """No more than MAX_FAULTS are kept."""
    faults = Faults()
    faults.set(Fault(FaultKind.HANG) for _ in range(MAX_FAULTS + 5))
    assert len(faults.current()) == MAX_FAULTS


def test_a_fault_is_read_from_json() -> None:
    """The document names kind, calls, count, seconds, status, code."""
    document = {"kind": "status", "status": 429, "calls": ["auth"], "count": 2, "generation": "v2"}
    fault = fault_from_json(document)
    assert fault == Fault(FaultKind.STATUS, frozenset({"auth"}), 2, 0.0, 429, 0, "v2")
    assert fault.error_code() == 42901
    assert fault_from_json({"kind": "status", "status": 401, "code": 40105}).error_code() == 40105


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ([], "a fault is an object"),
        ({"kind": "explode"}, "kind is one of: refuse, close, status"),
        ({"kind": ["hang"]}, "kind is one of"),
        ({"kind": "hang", "calls": "auth"}, "calls is a list"),
        ({"kind": "hang", "count": 0}, "count is a whole number from 1"),
        ({"kind": "slow", "seconds": "long"}, "seconds is a number from 0 to 600"),
        ({"kind": "slow", "seconds": float("nan")}, "seconds is a number"),
        ({"kind": "status", "status": True}, "status is a number from 100 to 599"),
    ],
)
def test_a_document_that_is_no_fault_says_why(document: object, what: str) -> None:
    """The sentence says what to write."""
    with pytest.raises(ValueError, match="^" + what):
        fault_from_json(document)
