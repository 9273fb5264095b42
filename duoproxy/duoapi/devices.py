"""Which factor can be used on which of a user's devices.

Owns the two ways to pick a device: the one that a user names (`push`, `phone2`) and the automatic choice of a section's
`factors`. It must not know how a user spells a factor, nor how the API spells a device.
"""

from __future__ import annotations

from collections.abc import Sequence

from duoproxy.duoapi.messages import Device, Factor

# `auto` is the best factor that needs nothing typed, in this order; sms is never automatic, for it lets nobody in.
_AUTOMATIC = {"auto": (Factor.PUSH, Factor.PHONE), "push": (Factor.PUSH,), "phone": (Factor.PHONE,)}


def usable(devices: Sequence[Device], factor: Factor, number: int | None = None) -> Device | None:
    """Give the device on which a factor can be used, or None.

    Args:
        devices: as Duo lists them.
        factor: PUSH, PHONE or SMS; for PASSCODE there is no device, so the answer is None.
        number: None for the first device that can do it; else the number of a phone, counting from 1 all phones
            that Duo lists, whatever they can do.
    """
    if number is not None:
        phones = [device for device in devices if device.is_phone]
        devices = phones[number - 1 : number] if number > 0 else []
    if factor is Factor.PASSCODE:
        return None
    return next((device for device in devices if factor.value in device.capabilities), None)


def automatic(devices: Sequence[Device], factors: Sequence[str]) -> tuple[Factor, Device] | None:
    """Give the first of `factors` that one of the devices can do, with the device; None when there is none.

    Args:
        devices: as Duo lists them.
        factors: out of `auto`, `push`, `phone`, in order of preference; any other word (`passcode`, `sms`) is never
            chosen for a user.
    """
    for word in factors:
        for factor in _AUTOMATIC.get(word, ()):
            device = usable(devices, factor)
            if device is not None:
                return factor, device
    return None
