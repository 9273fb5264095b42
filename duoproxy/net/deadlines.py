"""A wait that ends: by its result, by its deadline, or because the one who waits was cancelled.

Owns the telling apart of the three, which endpoints of different make report differently.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

_T = TypeVar("_T")


class Expired(Exception):
    """The deadline came first; what was waited for has been cancelled."""


async def within(reactor: IReactorTime, limit_s: float, awaited: Deferred[_T]) -> _T:
    """Wait for a Deferred, for so long.

    Args:
        reactor: gives time.
        limit_s: seconds; 0 or less: it has to be there already.
        awaited: is cancelled when it comes too late, or when the caller is cancelled; what it gives then is dropped.

    Raises:
        Expired: the deadline came first.
        CancelledError: the caller was cancelled, whatever `awaited` makes of a cancellation.
    """
    outer: Deferred[_T] = Deferred(lambda _: give_up())
    given_up = expired = False

    def give_up() -> None:
        nonlocal given_up
        given_up = True
        awaited.cancel()

    def expire() -> None:
        nonlocal expired
        expired = True
        outer.cancel()

    def forward(result: _T | Failure) -> None:
        if given_up:
            return
        if isinstance(result, Failure):
            outer.errback(result)
        else:
            outer.callback(result)

    awaited.addBoth(forward)
    timer = reactor.callLater(max(0.0, limit_s), expire)
    try:
        return await outer
    except Exception as fault:
        if expired:
            raise Expired from fault
        raise
    finally:
        if timer.active():
            timer.cancel()
