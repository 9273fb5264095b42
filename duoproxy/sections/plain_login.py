"""The logins of a server section whose protocol says name and password, and hears yes or no.

For sections of other packages above all: it brings the log lines, events and steps, the limits and the refusals that
every login here has, so that a new protocol needs a port and a line format only. RADIUS and LDAP have their own.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from duoproxy.login.ends import reject
from duoproxy.login.flow import run_login
from duoproxy.login.outcome import Cause, Outcome
from duoproxy.login.parties import SecondFactor
from duoproxy.login.policy import LoginPolicy
from duoproxy.login.request import LoginRequest
from duoproxy.secret import Secret
from duoproxy.sections.contracts import ClientSection, Environment
from duoproxy.sections.duo_server_options import DuoServerSettings, exempt_usernames, failmode
from duoproxy.sections.login_record import LoginRecord
from duoproxy.sections.login_shell import MAX_USERNAME_OCTETS, hidden_characters

_GONE = "The client closed its connection before the login had an end."


class PlainLogins(LoginRecord):
    """Runs the logins of one server section. How many there can be at once the section decides, by its connections."""

    def __init__(
        self,
        settings: DuoServerSettings,
        environment: Environment,
        client: ClientSection,
        second_factor: SecondFactor,
    ) -> None:
        """Keep what every login needs.

        Args:
            settings: of the server section.
            environment: of the server section.
            client: checks the passwords.
            second_factor: as `make_duo_client` makes it.
        """
        checks = client.checks_passwords
        name = client.environment.section_name
        super().__init__(environment, ikey=settings.ikey, client_section=name, checks_passwords=checks)
        self._client = client
        self._second_factor = second_factor
        self._policy = LoginPolicy(
            failmode=failmode(settings), exempt_usernames=exempt_usernames(settings), checks_passwords=checks
        )
        self._running: set[Deferred[Outcome]] = set()

    @property
    def pending(self) -> int:
        """How many logins have no end yet."""
        return len(self._running)

    def begin(self, username: str, password: Secret, device: str, client_ip: str | None = None) -> Deferred[Outcome]:
        """Begin one login.

        Args:
            username: as the device sent it.
            password: the text in the password field; a factor may stand behind a comma.
            device: address of whom the answer goes to.
            client_ip: the user's own address, for Duo; None when nobody says it.

        Returns:
            the outcome. Who cancels it (the device is gone) gets the CancelledError.
        """
        name = self._environment.section_name
        request = LoginRequest(self._new_login_id(), username, password, device, client_ip, name)
        running = Deferred.fromCoroutine(self._login(request))
        self._running.add(running)
        return running.addBoth(self._ended, running)

    def _ended(self, result: Outcome, running: Deferred[Outcome]) -> Outcome:
        self._running.discard(running)
        return result

    def stop(self) -> None:
        """Refuse what is pending (`Cause.SHUTDOWN`)."""
        self.shut_down()
        for running in tuple(self._running):
            running.cancel()

    async def _login(self, request: LoginRequest) -> Outcome:
        clock = self._environment.reactor.seconds
        started = clock()
        self._log_begin(request)
        try:
            outcome = await self._safely(request.login_id, self._run(request))
        except CancelledError:
            self._log_end(request, reject(Cause.CLIENT_GONE, detail=_GONE), clock() - started)
            raise
        self._log_end(request, outcome, clock() - started)
        return outcome

    async def _run(self, request: LoginRequest) -> Outcome:
        unfit = _unfit(request.username)
        if unfit:
            return reject(Cause.BAD_REQUEST, detail=unfit)
        return await run_login(request, self._policy, self._client, self._second_factor, self._tools(request))


def _unfit(username: str) -> str:
    """Say why nobody can have this name; empty when somebody can."""
    if not username.strip():
        return "there is no name"
    if len(username.encode("utf-8", "surrogatepass")) > MAX_USERNAME_OCTETS:
        return "the name is too long"
    return hidden_characters(username)
