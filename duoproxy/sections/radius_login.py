"""The shell round one RADIUS login with a password: from a verified request to `run_login`, and from its outcome to a
reply.

Shared by the radius_server_* sections that take PAP, or a proof of a password (CHAP, MS-CHAP, MS-CHAPv2). It reads the
few attributes that make a `LoginRequest`, and writes the reply attributes; what every login has round it stands in
`duoproxy.sections.login_shell`.
"""

from __future__ import annotations

from collections.abc import Sequence

from duoproxy.login.flow import run_login
from duoproxy.login.outcome import Cause, Outcome, Verdict
from duoproxy.login.parties import PrimaryAuthenticator, SecondFactor
from duoproxy.login.request import Credential, LoginRequest, PasswordProof
from duoproxy.net import radius_sentences as sentences
from duoproxy.net.log_limit import LimitedLog
from duoproxy.net.radius_client import UpstreamReply
from duoproxy.net.radius_messages import REJECT, ReceivedRequest, Reply
from duoproxy.radius.attributes import Type, all_values, first, text_attributes
from duoproxy.radius.credentials import PROOFS, CredentialKind, kinds_in, read_proof
from duoproxy.radius.packet import Attribute, Code
from duoproxy.radius.relay import SAID_OF_A_PROOF, DeviceRequest, PassThrough
from duoproxy.secret import Secret
from duoproxy.sections.contracts import Environment
from duoproxy.sections.login_shell import LoginShell, LoginShellSettings, decoded_name, hidden_characters

PROOF_REFUSED = "The device hides the password (CHAP or MS-CHAP), which nobody here can check: it must be set to PAP."
"""Reply-Message for a proof that has nobody to check it."""
_ONLY_PAP = "Only the PAP with a shared secret format is supported: set the device to PAP"
_WITH_A_PROOF = PassThrough(names=SAID_OF_A_PROOF)


class RadiusLogins(LoginShell):
    """Runs the logins of one server section."""

    def __init__(
        self,
        settings: LoginShellSettings,
        environment: Environment,
        primary: PrimaryAuthenticator,
        second_factor: SecondFactor,
    ) -> None:
        """Keep what every login needs."""
        super().__init__(settings, environment)
        self._primary = primary
        self._second_factor = second_factor
        self._limited = LimitedLog(self._log, environment.reactor.seconds)

    def start(self) -> None:
        """Begin what runs by itself; here nothing does."""

    def stop(self) -> None:
        """End it."""

    async def handle(self, received: ReceivedRequest) -> Reply | None:
        """Answer one Access-Request; None is silence."""
        login_id = self._new_login_id()
        request = self._login_request(received, login_id)
        if isinstance(request, Reply):
            return request
        started = self._environment.reactor.seconds()
        self._log_begin(request)
        outcome = await self._safely(login_id, self._run(request))
        self._log_end(request, outcome, self._environment.reactor.seconds() - started)
        return self._reply(outcome, login_id, isinstance(request.credential, PasswordProof))

    async def _run(self, request: LoginRequest) -> Outcome:
        return await run_login(request, self._settings.policy, self._primary, self._second_factor, self._tools(request))

    def _refuse_state(self, received: ReceivedRequest) -> Reply:
        """Refuse the answer to a question that is none of ours: it is never the beginning of a login."""
        device = received.device_address
        self._limited.warn("state", device, lambda: sentences.unknown_challenge_state(device))
        return REJECT

    def _login_request(self, received: ReceivedRequest, login_id: str) -> LoginRequest | Reply:
        """Read a login; a request that is none gets a reply at once."""
        attributes = received.packet.attributes
        refusal = self._refusal(received, login_id)
        if refusal is not None:
            return refusal
        user_octets = first(attributes, Type.USER_NAME) or b""
        try:
            username = decoded_name(user_octets, self._settings.pw_codec)
            credential = self._credential(received)
        except UnicodeDecodeError:
            self._say_undecodable(login_id, received.device_address)
            return REJECT
        if hidden := hidden_characters(username):
            self._say_refused(received, login_id, hidden)
            return REJECT
        return LoginRequest(
            login_id=login_id,
            username=username,
            password=credential,
            device=received.device_address,
            client_ip=self._client_ip(received),
            server_section=self._environment.section_name,
            wire=DeviceRequest(received.packet),
        )

    def _refusal(self, received: ReceivedRequest, login_id: str) -> Reply | None:
        """Refuse what is no login of this section; None when it is one."""
        attributes = received.packet.attributes
        kinds = kinds_in(attributes)
        fault = _credentials_fault(attributes, kinds, self._settings.takes_proofs)
        if not fault:
            return None
        self._say_refused(received, login_id, fault)
        if len(kinds) != 1 or kinds[0] not in PROOFS or self._settings.takes_proofs:
            return REJECT
        return Reply(Code.ACCESS_REJECT, text_attributes(Type.REPLY_MESSAGE, PROOF_REFUSED), login_id)

    def _credential(self, received: ReceivedRequest) -> Credential:
        password = received.reveal_password()
        if password is not None:
            return Secret(password.decode(self._settings.pw_codec))
        proof = read_proof(received.packet)
        if proof is None:
            raise RuntimeError("a request without a credential was taken for a login")
        return PasswordProof(proof.kind.value, proof)

    def _reply(self, outcome: Outcome, login_id: str, proof: bool = False) -> Reply | None:
        """Make the reply that ends a login (`proof`: in which the device hid the password); None is silence."""
        if outcome.verdict is Verdict.SILENCE:
            return None
        accepted = outcome.verdict is Verdict.ACCEPT
        said = text_attributes(Type.REPLY_MESSAGE, outcome.user_message) if outcome.user_message else []
        upstream = outcome.primary_wire
        decided_by_primary = accepted or outcome.cause is Cause.PASSWORD_REFUSED
        code = Code.ACCESS_ACCEPT if accepted else Code.ACCESS_REJECT
        if not (isinstance(upstream, UpstreamReply) and decided_by_primary):
            return Reply(code, said, login_id)

        def attributes(answered: ReceivedRequest) -> list[Attribute]:
            return [*said, *self._relayed(upstream, answered, accepted, _WITH_A_PROOF if proof else PassThrough())]

        return Reply(code, attributes, login_id)


def _credentials_fault(attributes: Sequence[Attribute], kinds: Sequence[CredentialKind], takes_proofs: bool) -> str:
    """Say why a request is no login; empty when it is one. Source: RFC 2865 §4.1, §5.44."""
    if len(all_values(attributes, Type.USER_NAME)) != 1:
        return "it has not exactly one User-Name. Check what the device sends"
    if len(kinds) == 1 and (kinds[0] is CredentialKind.PAP or (takes_proofs and kinds[0] in PROOFS)):
        return ""
    found = " and ".join(kind.value for kind in sorted(kinds, key=lambda kind: kind is CredentialKind.PAP))
    if takes_proofs and len(kinds) > 1:
        return f"it carries {found}, and a login has one credential. Check what the device sends"
    return f"it carries {found or 'no password'}. {_ONLY_PAP}"
