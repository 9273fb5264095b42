"""What this machine lacks when it cannot open a connection: descriptors, memory, ports.

It is told from an outage of the other side, since others can bring it about: any user of the machine can take all local
ports, and with `failmode=safe` an outage lets in.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Final

from twisted.internet.error import ConnectError, DNSLookupError

from duoproxy.net.deadlines import Expired

LACKING_HERE: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE}
)
"""As numbers of the system. The last two: a free local port."""
LOOK_UP_DESCRIPTORS: Final = 4
"""That a look-up takes at once: of files that the system reads for it, and a socket."""


def lacking_here(fault: Exception) -> int | None:
    """Say what this machine lacked, as a number of the system; None: nothing that is known.

    A name that was not found, or no answer at all, says nothing of that, so it is tried whether a look-up has what it
    needs: Twisted forgets one that fails for lack of a descriptor. Of a host with several addresses it tells what
    happened at the last one, so it is tried whether there is a port as well.
    """
    if isinstance(fault, DNSLookupError | Expired):
        return lacking_for_look_up()
    if not isinstance(fault, ConnectError):
        return None
    return fault.osError if is_lack(fault.osError) else _lacking(socket.SOCK_STREAM)


def is_lack(number: object) -> bool:
    """Tell whether a number of the system is a lack; without IPv6 no address of it "can be assigned", which is none."""
    return number in LACKING_HERE and (number != errno.EADDRNOTAVAIL or _speaks_ipv6())


def lacking_for_look_up() -> int | None:
    """Say what a look-up would lack now, as a number of the system; None: nothing."""
    return _lacking(*[socket.SOCK_DGRAM] * LOOK_UP_DESCRIPTORS)


def _speaks_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
            trial.bind(("::1", 0))
    except OSError as fault:
        return fault.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _lacking(*kinds: socket.SocketKind) -> int | None:
    """Say what this machine lacks for sockets of these kinds, with a port each."""
    try:
        with contextlib.ExitStack() as trial:
            for kind in kinds:
                trial.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", 0))
    except OSError as fault:
        return fault.errno if fault.errno in LACKING_HERE else None
    return None
