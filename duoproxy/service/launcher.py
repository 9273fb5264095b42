"""Who started this process and waits to hear how that went: the terminal of `twistd`, or `authproxyctl start`.

twistd becomes a daemon before sections start, and lets the command end with status 0 as soon as the reactor runs. Here
the command ends when every section has started, or with status 1 and the sentence of what was wrong. For that its pipe
to the daemon, which the plugin finds in twistd's own settings (`statusPipe`), is used a little later than twistd would.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

MAX_PIPE_OCTETS: Final = 100
"""Octets that twistd reads of what a start reports."""
_STANDARD_ERROR: Final = 2
_STARTED: Final = b"0"
_FAILED: Final = b"1 "


class Launcher:
    """Reports once how the start went."""

    def __init__(self, twistd_settings: MutableMapping[str, Any] | None = None, standard_error: int = -1) -> None:
        """Keep who is to be told.

        Args:
            twistd_settings: where twistd keeps its pipe.
            standard_error: a descriptor of the terminal's standard error that is ours; -1: none.
        """
        self._twistd_settings = twistd_settings
        self._standard_error = standard_error
        self._pipe = -1

    def take_over(self) -> None:
        """Take twistd's pipe, if it has become a daemon; to be called before twistd itself says that all went well."""
        settings = self._twistd_settings
        if settings is not None and settings.get("statusPipe") is not None:
            self._pipe = settings["statusPipe"]
            settings["statusPipe"] = None

    def started(self) -> None:
        """Say that every section has started."""
        self._end(_STARTED)

    def failed(self, sentence: str) -> None:
        """Say why the start failed."""
        _write(self._standard_error, f"{sentence}\n".encode())
        self._end((_FAILED + sentence.encode("ascii", "backslashreplace"))[:MAX_PIPE_OCTETS])

    def _end(self, report: bytes) -> None:
        _write(self._pipe, report)
        for descriptor in (self._pipe, self._standard_error):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._pipe = self._standard_error = -1


def launcher_of(options: Mapping[str, Any]) -> Launcher:
    """Make what reports to twistd, whose settings are the parent of the plugin's options."""
    parent = getattr(options, "parent", None)
    try:
        kept = os.dup(_STANDARD_ERROR)  # a daemon's own goes to /dev/null
    except OSError:
        kept = -1
    return Launcher(parent, kept)


def _write(descriptor: int, octets: bytes) -> None:
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            os.write(descriptor, octets)
