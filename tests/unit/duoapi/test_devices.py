"""Which factor goes to which device. Source: reference rules on device numbers and the automatic choice."""

from __future__ import annotations

import pytest

from duoproxy.duoapi.devices import automatic, usable
from duoproxy.duoapi.messages import Device, Factor

TOKEN = Device("DT", False, frozenset())
OLD_PHONE = Device("DP1", True, frozenset({"phone", "sms"}))
SMARTPHONE = Device("DP2", True, frozenset({"auto", "push", "phone", "sms", "mobile_otp"}))
DEVICES = (TOKEN, OLD_PHONE, SMARTPHONE)


def test_factor_without_number_goes_to_the_first_device_that_can_do_it():
    """`push` is the first push-capable device."""
    assert usable(DEVICES, Factor.PUSH) is SMARTPHONE
    assert usable(DEVICES, Factor.PHONE) is OLD_PHONE


def test_number_counts_all_phones_and_no_tokens():
    """The device number counts the user's phones as Duo lists them, whatever they can do."""
    assert usable(DEVICES, Factor.PUSH, 2) is SMARTPHONE
    assert usable(DEVICES, Factor.PHONE, 1) is OLD_PHONE


def test_named_phone_that_cannot_do_the_factor_is_not_replaced_by_another():
    """`push1` on a phone without push is no push at all."""
    assert usable(DEVICES, Factor.PUSH, 1) is None


@pytest.mark.parametrize("number", [0, -1, 3, 99])
def test_number_beyond_the_list_names_no_device(number):
    """A number that no phone has names none; -1 is not the last one."""
    assert usable(DEVICES, Factor.PHONE, number) is None


@pytest.mark.parametrize("number", [None, 1])
def test_passcode_needs_no_device(number):
    """A passcode goes to no device."""
    assert usable(DEVICES, Factor.PASSCODE, number) is None


def test_auto_is_push_before_phone():
    """`auto` is the best factor out of band: push, else phone."""
    assert automatic(DEVICES, ("auto",)) == (Factor.PUSH, SMARTPHONE)
    assert automatic((TOKEN, OLD_PHONE), ("auto",)) == (Factor.PHONE, OLD_PHONE)


def test_order_of_factors_is_the_preference():
    """The first of `factors` that a device can do is taken."""
    assert automatic(DEVICES, ("phone", "push")) == (Factor.PHONE, OLD_PHONE)
    assert automatic((OLD_PHONE,), ("push", "phone")) == (Factor.PHONE, OLD_PHONE)


@pytest.mark.parametrize("factors", [("passcode",), ("sms",), (), ("nonsense",)])
def test_passcode_and_sms_are_never_automatic(factors):
    """Nothing is chosen that the user has to type or that lets nobody in."""
    assert automatic(DEVICES, factors) is None


def test_user_without_a_capable_device_gets_none():
    """A hardware token alone can do nothing out of band."""
    assert automatic((TOKEN,), ("auto", "push", "phone")) is None
