"""ldaptor's ProxyBase as its documentation shows it, forwarding everything: what we are measured beside.

Arguments: the port to listen on, the port of the directory, both of loopback.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from ldaptor.protocols.ldap.ldapclient import LDAPClient
from ldaptor.protocols.ldap.ldapconnector import connectToLDAPEndpoint
from ldaptor.protocols.ldap.proxybase import ProxyBase
from twisted.internet import reactor
from twisted.internet.protocol import ServerFactory


def main() -> None:
    """Listen until ended."""
    loop: Any = reactor
    listens, directory = int(sys.argv[1]), int(sys.argv[2])
    connector = partial(connectToLDAPEndpoint, loop, f"tcp:host=127.0.0.1:port={directory}", LDAPClient)

    def build() -> Any:
        proxy = ProxyBase()
        proxy.clientConnector = connector
        proxy.use_tls = False
        return proxy

    factory: Any = ServerFactory()
    factory.protocol = build
    loop.listenTCP(listens, factory, interface="127.0.0.1")
    loop.callWhenRunning(print, "ready", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
