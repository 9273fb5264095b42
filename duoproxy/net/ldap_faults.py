"""What can go wrong between this proxy and one directory server, each with cause and remedy for the log.

    LdapFault
    ├── LdapNotConnected        no connection came about: network, name, TLS, StartTLS
    │   └── LdapUntrusted           because of the server's certificate
    ├── LdapConnectionLost      it ended under a request: closed, broken off, or what came was no LDAP
    ├── LdapTimeout             no answer in time
    ├── LdapNotNow              the server says that it cannot serve at the moment
    ├── LdapTooBusy             this proxy has as much under way with the server as it allows itself
    └── ServiceBindRefused      the server refuses the service account

None of them leaves `net`: `duoproxy.net.ldap_directory` tries the next server, or raises `PrimaryUnreachable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from duoproxy.errors import DuoproxyError

if TYPE_CHECKING:
    from duoproxy.net.ldap_answers import Result


class LdapFault(DuoproxyError):
    """One server could not be asked, or gave no answer that can be used.

    Attributes:
        cause: one clause: what happened.
        remedy: one clause: what to do; may be empty.
    """

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause}; {remedy}" if remedy else cause)
        self.cause = cause
        self.remedy = remedy


class LdapNotConnected(LdapFault):
    """No connection came about; nothing of a user's was sent."""


class LdapUntrusted(LdapNotConnected):
    """The server's certificate was refused."""


class LdapConnectionLost(LdapFault):
    """The connection ended before the answer."""


class LdapTimeout(LdapFault):
    """No answer in time."""


class LdapNotNow(LdapFault):
    """The server's result says: try another time, or another server."""


class LdapTooBusy(LdapFault):
    """A limit of this proxy's own is reached."""


class ServiceBindRefused(LdapFault):
    """The server refuses the service account.

    Attributes:
        result: what it answered.
        wrong_credentials: it said that name or password are wrong, which every server of the directory would say,
            and count.
    """

    def __init__(self, result: Result, cause: str, remedy: str, *, wrong_credentials: bool) -> None:
        super().__init__(cause, remedy)
        self.result = result
        self.wrong_credentials = wrong_credentials
