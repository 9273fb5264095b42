"""The two generations of the API, `/auth/v2` and `/rest/v1`, behind one interface.

Owns how each generation spells a question and its answer. Both give the values of `duoproxy.duoapi.messages`; a value
of a wrong type, or a result that is not known, is an `UnexpectedAnswer` and never a yes. What preauth decided stands,
whatever is wrong with the words beside it: an answer that cannot be read may let a user in (`failmode`), a `deny` must
not. It must not know how a call is sent.

Source: Auth API v2, /ping /check /preauth /auth /auth_status; for v1, the calls of the vendor's Python client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

from duoproxy.duoapi.answers import UnexpectedAnswer
from duoproxy.duoapi.clock import MAX_UNIX_TIME_S
from duoproxy.duoapi.messages import (
    AuthAnswer,
    AuthQuery,
    Device,
    Factor,
    Generation,
    Preauth,
    PreauthResult,
    PromptOption,
)
from duoproxy.duoapi.signing import ApiCall, Signature
from duoproxy.duoapi.texts import MAX_TEXT_CHARACTERS, clean_text, masked_number

MAX_DEVICES = 100
MAX_PROMPT_CHARACTERS = 4000
MAX_TRANSACTION_CHARACTERS = 200

_V1_LINE = re.compile(r"[1-9][0-9]{0,2}")
_V1_FACTOR = re.compile(r"(push|phone|sms)([1-9][0-9]?)")
_WAITING = "waiting"


class ApiDialect(Protocol):
    """How one generation of the API spells questions and answers.

    The `parse_…` methods take the `response` of a good answer and raise `UnexpectedAnswer`.
    """

    @property
    def generation(self) -> Generation:
        """Which one this is."""

    @property
    def signature(self) -> Signature:
        """How its calls are signed."""

    def ping_call(self) -> ApiCall:
        """Ask whether the service is there (not signed, but a signature does no harm)."""

    def parse_ping(self, response: object) -> float | None:
        """Give the service's own time in Unix seconds, or None where the generation does not tell it."""

    def check_call(self) -> ApiCall:
        """Ask whether keys and signature are good."""

    def parse_check(self, response: object) -> None:
        """Accept the answer of `check_call`."""

    def preauth_call(self, username: str, client_ip: str | None) -> ApiCall:
        """Ask what is to be done with a user."""

    def parse_preauth(self, response: object) -> Preauth:
        """Read the answer of `preauth_call`."""

    def auth_call(self, query: AuthQuery, *, asynchronous: bool = False) -> ApiCall:
        """Ask the user; `asynchronous`: the answer names a transaction at once, instead of waiting for the user."""

    def parse_auth(self, response: object) -> AuthAnswer:
        """Read the final answer of `auth_call`."""

    def parse_transaction(self, response: object) -> str:
        """Read the name of the transaction that an asynchronous `auth_call` began."""

    def status_call(self, transaction: str) -> ApiCall:
        """Wait for news of a transaction."""

    def parse_status(self, response: object) -> AuthAnswer | None:
        """Read the answer of `status_call`; None: the user has not answered yet."""


class V2:
    """The Auth API v2."""

    generation: Final = Generation.V2
    signature: Final = Signature.V5

    def ping_call(self) -> ApiCall:
        """Spell ping."""
        return ApiCall("GET", "/auth/v2/ping", {})

    def parse_ping(self, response: object) -> float | None:
        """Read the service's time."""
        time_s = _object(response).get("time")
        if not isinstance(time_s, int) or isinstance(time_s, bool) or not 0 < time_s < MAX_UNIX_TIME_S:
            return None
        return float(time_s)

    def check_call(self) -> ApiCall:
        """Spell check."""
        return ApiCall("GET", "/auth/v2/check", {})

    def parse_check(self, response: object) -> None:
        """Accept any object: the envelope said OK."""
        _object(response)

    def preauth_call(self, username: str, client_ip: str | None) -> ApiCall:
        """Spell preauth."""
        return ApiCall("POST", "/auth/v2/preauth", _with_address({"username": username}, client_ip))

    def parse_preauth(self, response: object) -> Preauth:
        """Read result, text, devices and portal."""
        fields = _object(response)
        result = _preauth_result(fields)
        return Preauth(
            result,
            _words(fields, "status_msg"),
            _v2_devices(fields.get("devices", [])) if result is PreauthResult.AUTH else (),
            _words(fields, "enroll_portal_url") if result is PreauthResult.ENROLL else "",
        )

    def auth_call(self, query: AuthQuery, *, asynchronous: bool = False) -> ApiCall:
        """Spell auth."""
        params = {"username": query.username, "factor": query.factor.value, "async": str(int(asynchronous))}
        if query.factor is Factor.PASSCODE:
            params["passcode"] = _passcode(query)
        else:
            params["device"] = query.device_id or "auto"
        return ApiCall("POST", "/auth/v2/auth", _with_address(params, query.client_ip))

    def parse_auth(self, response: object) -> AuthAnswer:
        """Read result, status and text."""
        fields = _object(response)
        allowed = _allowed(fields)
        status = _text(fields, "status") or ("allow" if allowed else "deny")
        return AuthAnswer(allowed, status, _text(fields, "status_msg"))

    def parse_transaction(self, response: object) -> str:
        """Read txid."""
        return _transaction(response)

    def status_call(self, transaction: str) -> ApiCall:
        """Spell auth_status."""
        return ApiCall("GET", "/auth/v2/auth_status", {"txid": transaction})

    def parse_status(self, response: object) -> AuthAnswer | None:
        """Read the state; `waiting` is no answer."""
        return None if _object(response).get("result") == _WAITING else self.parse_auth(response)


class V1:
    """The REST API v1, which older applications are made for.

    It lists no devices: `factors` names what can be asked (`push1`, `phone2` …), from which devices are made. Its one
    text `status` is for people; the machine-readable status is derived from the result.
    """

    generation: Final = Generation.V1
    signature: Final = Signature.V2

    def ping_call(self) -> ApiCall:
        """Spell ping."""
        return ApiCall("GET", "/rest/v1/ping", {})

    def parse_ping(self, response: object) -> None:
        """Accept `pong`, which tells no time."""
        if response != "pong":
            raise UnexpectedAnswer("ping was not answered with pong")

    def check_call(self) -> ApiCall:
        """Spell check."""
        return ApiCall("GET", "/rest/v1/check", {})

    def parse_check(self, response: object) -> None:
        """Accept `valid`."""
        if response != "valid":
            raise UnexpectedAnswer("check was not answered with valid")

    def preauth_call(self, username: str, client_ip: str | None) -> ApiCall:
        """Spell preauth."""
        return ApiCall("POST", "/rest/v1/preauth", _with_address({"user": username}, client_ip))

    def parse_preauth(self, response: object) -> Preauth:
        """Read result, text, factors and the ready-made prompt."""
        fields = _object(response)
        result = _preauth_result(fields)
        if result is not PreauthResult.AUTH:
            return Preauth(result, _words(fields, "status"))
        return Preauth(
            result,
            _words(fields, "status"),
            _v1_devices(fields.get("factors", {})),
            prompt=_words(fields, "prompt", MAX_PROMPT_CHARACTERS),
            prompt_options=_v1_options(fields.get("factors", {})),
        )

    def auth_call(self, query: AuthQuery, *, asynchronous: bool = False) -> ApiCall:
        """Spell auth."""
        params = {"user": query.username, "factor": query.factor.value}
        if asynchronous:
            params["async"] = "1"
        if query.factor is Factor.PASSCODE:
            params["code"] = _passcode(query)
        else:
            params["phone"] = query.device_id or "phone1"
        return ApiCall("POST", "/rest/v1/auth", _with_address(params, query.client_ip))

    def parse_auth(self, response: object) -> AuthAnswer:
        """Read result and text; the status of a refusal is read from the text, in the words of v2."""
        fields = _object(response)
        text = _text(fields, "status")
        if _allowed(fields):
            return AuthAnswer(True, "allow", text)
        return AuthAnswer(False, _v1_refusal(text.casefold()), text)

    def parse_transaction(self, response: object) -> str:
        """Read txid."""
        return _transaction(response)

    def status_call(self, transaction: str) -> ApiCall:
        """Spell status."""
        return ApiCall("GET", "/rest/v1/status", {"txid": transaction})

    def parse_status(self, response: object) -> AuthAnswer | None:
        """Read the state; without a result it is not finished."""
        fields = _object(response)
        return None if fields.get("result") in (None, _WAITING) else self.parse_auth(fields)


DIALECTS: Mapping[Generation, ApiDialect] = {Generation.V1: V1(), Generation.V2: V2()}


def _object(response: object) -> Mapping[str, object]:
    if not isinstance(response, dict):
        raise UnexpectedAnswer("the answer holds no object")
    return response


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnexpectedAnswer(f"{name} is not a text")
    return clean_text(value)


def _words(fields: Mapping[str, object], name: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Words for people beside a decision; what is no text is left out, and the decision stands."""
    value = fields.get(name)
    return clean_text(value, limit) if isinstance(value, str) else ""


def _preauth_result(fields: Mapping[str, object]) -> PreauthResult:
    try:
        return PreauthResult(fields.get("result"))
    except ValueError:
        raise UnexpectedAnswer("preauth was answered with a result that is not known") from None


def _allowed(fields: Mapping[str, object]) -> bool:
    result = fields.get("result")
    if result == "allow":
        return True
    if result == "deny":
        return False
    raise UnexpectedAnswer("auth was answered with a result that is not known")


def _transaction(response: object) -> str:
    transaction = _object(response).get("txid")
    if not isinstance(transaction, str) or not 0 < len(transaction) <= MAX_TRANSACTION_CHARACTERS:
        raise UnexpectedAnswer("auth was answered without the name of a transaction")
    return transaction


def _with_address(params: dict[str, str], client_ip: str | None) -> dict[str, str]:
    return {**params, "ipaddr": client_ip} if client_ip else params


def _passcode(query: AuthQuery) -> str:
    return query.passcode.reveal_text() if query.passcode is not None else ""


def _v2_devices(listed: object) -> tuple[Device, ...]:
    if not isinstance(listed, list):
        raise UnexpectedAnswer("devices is not a list")
    return tuple(_v2_device(entry) for entry in listed[:MAX_DEVICES] if isinstance(entry, dict))


def _v2_device(entry: Mapping[str, object]) -> Device:
    """Read one device; one of another form keeps its place among the phones, and can do nothing."""
    device_id, capabilities = entry.get("device"), entry.get("capabilities", [])
    is_phone = entry.get("type") == "phone"
    if not isinstance(device_id, str) or not isinstance(capabilities, list):
        return Device("", is_phone, frozenset())
    label = masked_number(_words(entry, "number")) or _words(entry, "display_name") or _words(entry, "name")
    return Device(
        device_id,
        is_phone,
        frozenset(word for word in capabilities if isinstance(word, str)),
        label,
        _words(entry, "sms_nextcode"),
    )


def _v1_devices(factors: object) -> tuple[Device, ...]:
    """Make one phone of each number that `factors` names; a number between them that can do nothing keeps its place."""
    found: dict[int, set[str]] = {}
    for name in _object(factors).values():
        match = _V1_FACTOR.fullmatch(name) if isinstance(name, str) else None
        if match is not None:
            found.setdefault(int(match[2]), set()).add(match[1])
    numbers = range(1, max(found, default=0) + 1)
    return tuple(Device(f"phone{number}", True, frozenset(found.get(number, ()))) for number in numbers)


def _v1_refusal(words: str) -> str:
    """Whether a refusal says that SMS were sent (`sent`), or that no further answer will do (`locked_out`)."""
    if "sms" in words and "sent" in words:
        return "sent"
    return "locked_out" if "locked out" in words else "deny"


def _v1_options(factors: object) -> tuple[PromptOption, ...]:
    """Read which factor each number of the ready-made prompt stands for; `default` and unknown words are none."""
    options = []
    for line, name in _object(factors).items():
        match = _V1_FACTOR.fullmatch(name) if isinstance(name, str) else None
        if match is not None and _V1_LINE.fullmatch(line):
            options.append(PromptOption(int(line), Factor(match[1]), f"phone{match[2]}"))
    return tuple(options)
