"""The memory of a process that runs for months: what lives as long is not looked at again, what was freed goes back.

Python's garbage collector looks at everything that there is, every thousand logins or so. Most of it is what the start
has loaded: nothing is found there, and nobody is answered meanwhile.

The C library keeps what is freed below anything that is still in use: after a flood of TLS handshakes hundreds of
megabytes, for good. It gives them back when it is told to. What Python itself allocates goes back without.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final

TRIM_AFTER: Final = 250
"""So many conversations must be gone, of about 60 KiB each. It takes up to 0.1 s, in which nobody is answered."""


def set_aside() -> None:
    """Let the garbage collector pass over, for good, everything that the start has left."""
    gc.collect()
    gc.freeze()


def trim_heap() -> None:
    """Give freed memory back; where the C library has no `malloc_trim` (musl has none) nothing happens."""
    try:
        # Only here: ctypes may want memory that can be written and run, which systemd's sandbox need not allow.
        import ctypes

        trim = ctypes.CDLL(None).malloc_trim
    except (ImportError, AttributeError, OSError, MemoryError):
        return
    trim(ctypes.c_size_t(0))


class HeapWatch:
    """Tells when so much is gone that giving memory back is worth its time; it is fed numbers and has no clock."""

    def __init__(self, trim: Callable[[], None] = trim_heap) -> None:
        """Begin with nothing; `trim` gives memory back."""
        self._trim = trim
        self._most = 0

    def seen(self, count: int) -> None:
        """Take how many conversations there are, again and again; give memory back when `TRIM_AFTER` are gone."""
        self._most = max(self._most, count)
        if self._most - count >= TRIM_AFTER:
            self._trim()
            self._most = count
