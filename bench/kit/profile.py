"""Where the proxy's time went, by component, out of the samples that run_proxy.py took.

A sample belongs to the innermost file that a component claims, so that a component's share holds what it calls in the
standard library, and not what it calls in other components.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.kit.processes import ROOT
from bench.kit.table import print_table

OTHER = "other"

# The first pattern that is in the path of a file claims it; files without a pattern belong to their caller.
COMPONENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("logging", ("/twisted/logger/", "/service/log", "/twisted/python/logfile")),
    ("treq: URLs, cookies, wrapping", ("/treq/", "/hyperlink/", "/idna/", "/http/cookiejar")),
    ("HTTP/1.1 of twisted.web: headers, parser", ("/twisted/web/", "/twisted/protocols/basic")),
    ("TLS: twisted.protocols, pyOpenSSL", ("/twisted/protocols/", "/OpenSSL/", "/service_identity/")),
    (
        "TCP, reactor, timers",
        (
            "/twisted/internet/tcp",
            "/twisted/internet/abstract",
            "/twisted/internet/base",
            "/twisted/internet/epoll",
            "/twisted/internet/posix",
            "/twisted/python/context",
        ),
    ),
    ("Deferreds and coroutines", ("/twisted/internet/defer", "/duoproxy/net/deadlines")),
    ("threads", ("/twisted/internet/threads", "/twisted/python/threadpool", "/twisted/_threads/", "/threading.py")),
    ("NTLM: pyspnego", ("/spnego/", "/duoproxy/net/ldap_ntlm", "/duoproxy/net/ldap_layer")),
    ("LDAP messages out: ldaptor", ("/ldaptor/",)),
    ("LDAP messages in", ("/duoproxy/ldap/framing", "/duoproxy/net/ldap_answers")),
    ("directory: connections, pool, failover", ("/duoproxy/net/ldap_", "/duoproxy/net/host_health")),
    (
        "directory: users, filters, shield",
        ("/duoproxy/ldap/", "/duoproxy/net/directory_", "/duoproxy/sections/ad_client"),
    ),
    ("Duo: signatures, JSON, answers", ("/duoproxy/duoapi/",)),
    ("Duo: calls and connections", ("/duoproxy/net/duo_", "/duoproxy/net/remembered_", "/duoproxy/net/tls")),
    ("EAP: machine, fragments, tunnel, keys", ("/duoproxy/eap/",)),
    ("EAP: conversations", ("/duoproxy/net/eap_", "/duoproxy/eap_over_radius")),
    ("RADIUS: socket, codec, duplicates", ("/duoproxy/radius/", "/duoproxy/net/")),
    ("login: flow and section", ("/duoproxy/",)),
)


def component(files: list[str]) -> tuple[str, str]:
    """Give the component of a stack (innermost file first), and the file that decided."""
    for file in files:
        for name, patterns in COMPONENTS:
            if any(pattern in file for pattern in patterns):
                return name, file
    return OTHER, files[0]


def print_profile(found: Sequence[tuple[int, list[str]]], cpu_us: float, files_listed: int) -> None:
    """Print where the time of a login went: by component, and by file.

    Args:
        found: how often each stack was seen.
        cpu_us: CPU of a login.
        files_listed: how many single files to list.
    """
    components: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for count, stack in found:
        name, file = component(stack)
        components[name] += count
        files[file] += count
    total = components.total()
    rows = [
        [name, f"{count / total:.1%}", f"{cpu_us * count / total:,.0f}"] for name, count in components.most_common()
    ]
    print_table(["component", "share", "µs a login"], [*rows, ["all", "100%", f"{cpu_us:,.0f}"]])
    rows = [
        [f"`{file.removeprefix(f'{ROOT}/').rpartition('site-packages/')[2]}`", f"{count / total:.1%}"]
        for file, count in files.most_common(files_listed)
    ]
    print_table(["file", "share"], rows)
