"""The commands that an administrator types."""

from __future__ import annotations

import sys
from types import TracebackType


def _end_interrupted(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    """Say no more of Ctrl-C than that, also while the modules of a tool are still being loaded."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("\nAborted!\n")
    else:
        sys.__excepthook__(kind, fault, trace)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _end_interrupted
