"""Linux capabilities of this process: read them, and keep only some.

Python has no call for them; these are the four calls to the C library that a change of user needs. They change the
calling thread only, so they belong before the first thread is started.

Source: capabilities(7), capset(2), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import Final

CAP_NET_BIND_SERVICE: Final = 10
"""To listen on ports below 1024."""

_PR_SET_KEEPCAPS: Final = 8
_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
# _LINUX_CAPABILITY_VERSION_3: two sets of 32 bits for each of effective, permitted, inheritable.
_VERSION_3: Final = 0x20080522
_MAX_CAPABILITIES: Final = 64

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def permitted_capabilities() -> frozenset[int]:
    """Give the numbers of the capabilities that this process may use.

    Raises:
        OSError: the kernel does not say.
    """
    sets = (_Sets * 2)()
    _checked(_libc.capget(ctypes.byref(_Header(_VERSION_3, 0)), sets))
    bits = sets[0].permitted | sets[1].permitted << 32
    return frozenset(number for number in range(_MAX_CAPABILITIES) if bits >> number & 1)


def set_capabilities(kept: Iterable[int]) -> None:
    """Give up every capability but these; none is inherited by another program.

    Raises:
        OSError: one of them was not permitted.
    """
    bits = sum(1 << number for number in kept)
    sets = (_Sets * 2)()
    for index in (0, 1):
        half = bits >> 32 * index & 0xFFFFFFFF
        sets[index] = _Sets(half, half, 0)
    _checked(_libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), sets))


def bound_capabilities(kept: Iterable[int]) -> None:
    """Make every capability but these unreachable, also for a program with the set-user-ID bit.

    Raises:
        OSError: the process has no CAP_SETPCAP.
    """
    wanted = frozenset(kept)
    for number in range(_MAX_CAPABILITIES):
        if number not in wanted and _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            _checked(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0))


def keep_capabilities_over_change_of_user(keep: bool) -> None:
    """Say whether the permitted capabilities stay when root becomes another user.

    Raises:
        OSError: the kernel refuses.
    """
    _checked(_libc.prctl(_PR_SET_KEEPCAPS, int(keep), 0, 0, 0))


def forbid_new_privileges() -> None:
    """Make set-user-ID bits and file capabilities void for this process and its children, for ever.

    Raises:
        OSError: the kernel refuses.
    """
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
