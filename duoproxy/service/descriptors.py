"""The limit of open files: raised as far as pending logins need, or said in a warning and kept to.

A process that runs out of descriptors cannot reach Duo any more. That is no outage, but `failmode` could take it for
one, and whoever sends many logins could bring it about: so there are never more than there are descriptors for.
"""

from __future__ import annotations

import resource

DESCRIPTORS_BESIDE_LOGINS = 512


def raise_descriptor_limit(max_pending_logins: int, connections: int = 0) -> str:
    """Raise the soft limit (and, where allowed, the hard one) so that each pending login can hold a connection.

    Args:
        max_pending_logins: the option.
        connections: which sections hold open beside those of logins.

    Returns:
        an empty text, or the sentence for the log when the limit stays too low.
    """
    needed = max_pending_logins + connections + DESCRIPTORS_BESIDE_LOGINS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return ""
    for limits in (
        (needed, max(needed, hard)),
        (needed if hard == resource.RLIM_INFINITY else min(needed, hard), hard),
    ):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
        except (ValueError, OSError):
            continue
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return ""
    others = f" with {connections} connections of LDAP (max_connections) and [http_proxy]" if connections else ""
    fitting = logins_that_fit(max_pending_logins, connections)
    return (
        f"The limit of open files is {soft}, but max_pending_logins={max_pending_logins}{others} needs {needed}: "
        f"set LimitNOFILE={needed} in the systemd unit (or ulimit -n), or lower max_pending_logins in [main]. Until "
        f"then at most {fitting} logins wait at once, and further ones are rejected."
    )


def logins_that_fit(max_pending_logins: int, connections: int = 0) -> int:
    """Say how many logins may wait at once under the limit that holds now; at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return max_pending_logins
    kept_free = min(connections + DESCRIPTORS_BESIDE_LOGINS, soft // 2)
    return max(1, min(max_pending_logins, soft - kept_free))
