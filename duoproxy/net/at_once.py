"""The bridge from a callback to `async def` for work that mostly ends without waiting.

`Deferred.fromCoroutine` makes objects that refer to each other, for work that is over when it returns as for any other:
a twentieth of a step of EAP, and all of it is left to the garbage collector.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

from twisted.internet.defer import Deferred, fail

Work = Coroutine[Deferred[Any], Any, None]


def at_once(work: Work) -> Deferred[None] | None:
    """Run a coroutine until it waits or ends.

    Returns:
        None when it has ended; else what fires when it ends (a fault of it has fired it already), and whose
        cancellation cancels what it waits for.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    except Exception:  # noqa: BLE001 - whatever it is, it is in the Deferred, as with any other coroutine
        return fail()
    return Deferred.fromCoroutine(_rest(work, awaited))


def _rest(work: Work, awaited: Deferred[Any]) -> Generator[Deferred[Any], Any, None]:
    """Go on with a coroutine that waits for `awaited`."""
    try:
        while True:
            try:
                came = yield awaited
            except Exception as fault:  # noqa: BLE001 - it is for the coroutine, not for us
                awaited = work.throw(fault)
            else:
                awaited = work.send(came)
    except StopIteration:
        return
