"""What each end of a login means, and what an administrator does about it. Pure: for `duoproxy-explain`.

The line of a login has more where there is more to say (behind its bar); this is what is always true of a cause.
docs/reply-messages.md says what the user is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from duoproxy.login.outcome import Cause


@frozen
class Advice:
    """Words about one cause.

    Attributes:
        meaning: one sentence: what happened.
        remedy: what to do; empty when there is nothing to do.
    """

    meaning: str
    remedy: str = ""


_BYPASS: Final = "Nothing, if that is meant."

ADVICE: Mapping[Cause, Advice] = MappingProxyType(
    {
        Cause.APPROVED: Advice("Password and second factor were both right."),
        Cause.DUO_BYPASS: Advice(
            "The password was right, and Duo itself let the user in without a second factor.",
            f"{_BYPASS} Otherwise look at the user's status, and the policies of the application, in Duo.",
        ),
        Cause.EXEMPT_USER: Advice(
            "The user is named in exempt_username_n, and was let in without a second factor.",
            f"{_BYPASS} Otherwise take the name out of the section.",
        ),
        Cause.EXEMPT_PRIMARY_BIND: Advice(
            "It was the first bind of an LDAP connection, which exempt_primary_bind leaves without a second factor.",
            f"{_BYPASS} Otherwise name the account of the application in exempt_ou_n, and write "
            "exempt_primary_bind=false.",
        ),
        Cause.EXEMPT_OU: Advice(
            "The entry stands at or below a DN of exempt_ou_n, and was let in without a second factor.",
            f"{_BYPASS} Otherwise take that DN out of the section.",
        ),
        Cause.JOINED_BIND: Advice(
            "The same LDAP bind had been approved a moment before, so nobody was asked again (join_binds_s).", _BYPASS
        ),
        Cause.FAILMODE_SAFE: Advice(
            "Duo could not be reached before the user was asked, and failmode=safe let the user in on the password.",
            "Find out why Duo could not be reached: authproxy_connectivity_tool tells. Write failmode=secure if nobody "
            "shall be let in so.",
        ),
        Cause.PRIMARY_ONLY: Advice(
            "Somebody had made logins primary-only for a while, and the password was right.",
            "Look with authproxy_primary_only status whether that is still wanted.",
        ),
        Cause.PRIMARY_ONLY_REFUSED: Advice(
            "Logins were primary-only, but this section checks no password: there was nothing to go by.",
            "End it with authproxy_primary_only stop, or let the device do without the second login for that time.",
        ),
        Cause.BAD_REQUEST: Advice(
            "The request named no user, or carried something other than was expected.",
            "Check what the device sends: PAP, and a User-Name.",
        ),
        Cause.PASSWORD_REFUSED: Advice(
            "The password was wrong, or the account may not log in. Duo was not asked.",
            "If the user is sure of the password: compare the shared secrets of the device and of the proxy, and look "
            "at the account where passwords are checked.",
        ),
        Cause.PRIMARY_UNREACHABLE: Advice(
            "Nobody could check the password: no server gave a valid answer.",
            "Check that the servers of the client section run and can be reached: authproxy_connectivity_tool tells.",
        ),
        Cause.DUO_DENIED: Advice(
            "The password was right, but Duo refuses this user: disabled, locked out, or by a policy.",
            "Look at the user, and at the authentication log, in Duo's admin panel.",
        ),
        Cause.NOT_ENROLLED: Advice(
            "The password was right, but Duo does not know the user by this name.",
            "Enroll the user in Duo, or add the name that the device sends as an alias, or change the policy for new "
            "users.",
        ),
        Cause.NO_USABLE_FACTOR: Advice(
            "No device of the user could do what was asked for.",
            "Look at the user's devices in Duo; activate Duo Mobile, or let the user append a passcode.",
        ),
        Cause.FACTOR_MISSING: Advice(
            "No second factor was entered where one was needed.",
            "Tell the user to append a comma and push, phone, sms or a passcode to the password, or to answer the "
            "prompt.",
        ),
        Cause.FACTOR_REFUSED: Advice(
            "The second factor was not proven: the push was denied or not answered, or the passcode was wrong.",
            "Ask the user. A push that the user did not cause means that somebody else knows the password: change it.",
        ),
        Cause.TOO_MANY_QUESTIONS: Advice(
            "So many pushes or calls to this user wait for an answer that no further one was made.",
            "Ask the user. Who began none of them has a password that somebody else knows: change it.",
        ),
        Cause.CODES_SENT: Advice(
            "New passcodes were sent by SMS, which lets nobody in.", "The user logs in again with one of them."
        ),
        Cause.BACKED_OFF: Advice(
            "The device logged in by itself after a request that was not approved, so nobody was asked again yet.",
            "Tell the user to type push, or to remove the password that the device has stored.",
        ),
        Cause.PROMPT_UNANSWERED: Advice(
            "The user was shown a prompt and did not come back.",
            "If that happens to many: set the time-out of the device to 60 s or more.",
        ),
        Cause.FAILMODE_SECURE: Advice(
            "Duo could not be reached before the user was asked, and failmode=secure rejects then.",
            "Find out why: authproxy_connectivity_tool tells. For a long outage there is authproxy_primary_only.",
        ),
        Cause.DUO_REFUSED_US: Advice(
            "Duo refused the proxy itself: wrong keys, clock, kind of application, or too many requests.",
            "Compare ikey, skey and api_host with the application's page in Duo, and look at the clock of this "
            "machine.",
        ),
        Cause.ANSWER_LOST: Advice(
            "The connection to Duo was lost while the user was being asked, so the answer is not known.",
            "The user logs in again. If it happens often, something on the way ends connections that are quiet: set "
            "its idle time-out to 180 s or more.",
        ),
        Cause.CLIENT_GONE: Advice(
            "The LDAP client closed its connection before the login had an end.",
            "If the user was being asked by then, set the time-out of the client to 60 s or more.",
        ),
        Cause.SHUTDOWN: Advice("The proxy was stopped while the user was being asked.", "The user logs in again."),
        Cause.FAULT: Advice(
            "A fault in duoproxy itself.", "Please report it with the lines of this login in authproxy.log."
        ),
    }
)

UNFINISHED: Final = Advice(
    "The login has no end yet: the user, a directory or Duo is being waited for.", "Ask again in a minute."
)
NO_LOGIN: Final = Advice(
    "The request was refused before it became a login, or nothing more came.",
    "The steps above say why, and what to do.",
)
UNKNOWN: Final = Advice("This version of duoproxy-explain does not know that end.", "Use the tool of the same version.")


def advice_for(cause: str) -> Advice:
    """Give the words about a cause by its name in the log."""
    try:
        return ADVICE[Cause(cause)]
    except (ValueError, KeyError):
        return UNKNOWN
