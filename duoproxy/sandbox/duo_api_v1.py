"""The calls of `/rest/v1` as the stand-in service answers them: the words of the vendor's auth_v1 client."""

from __future__ import annotations

from collections.abc import Iterator

from duoproxy.sandbox.accounts import Account, SandboxDevice, Standing
from duoproxy.sandbox.duo_api import MAX_AUTH_WAIT_S, MAX_STATUS_WAIT_S, ApiWait, Call, CallContext, invalid
from duoproxy.sandbox.duo_api_v2 import push_details
from duoproxy.sandbox.transactions import Transaction

_WORDS = ("push", "phone", "sms")


def ping(context: CallContext) -> object:
    """`ping`."""
    return "pong"


def check(context: CallContext) -> object:
    """`check`: the credentials are right, or it would not have come here."""
    return "valid"


def preauth(context: CallContext) -> object:
    """`preauth`: what to do with a user; for `auth` with the ready-made prompt and its numbers."""
    username = context.required("user")
    standing, text = context.service.standing(username)
    if standing is Standing.ACTIVE:
        account = context.service.account(username)
        return _choices(account) if account is not None else {"result": "deny", "status": text}
    if standing is Standing.ENROLL:
        code = context.service.enroll(username, context.now).code
        return {"result": "enroll", "status": f"{text}: {context.base_url}/phone/#enroll={code}"}
    return {"result": "allow" if standing is Standing.BYPASS else "deny", "status": text}


def auth(context: CallContext) -> object | ApiWait:
    """`auth`: prove the second factor; at once, blocking, or (`async=1`) as a transaction to ask about."""
    username = context.required("user")
    factor, device_id, passcode = _factor(context, username)
    transaction = context.service.begin(
        username,
        factor,
        context.now,
        device_id=device_id,
        passcode=passcode,
        details=push_details(context.parameters),
    )
    if context.flag("async"):
        return {"txid": transaction.txid}
    if transaction.is_pending:
        return ApiWait(transaction, context.now + MAX_AUTH_WAIT_S, _answered)
    return _answered(transaction)


def status(context: CallContext) -> object | ApiWait:
    """`status`: where a transaction stands; `result` is there when it is finished."""
    transaction = context.service.transaction(context.required("txid"))
    if transaction is None:
        raise invalid("txid")
    if transaction.is_pending and transaction.reported is transaction.status:
        return ApiWait(transaction, context.now + MAX_STATUS_WAIT_S, _answered)
    transaction.reported = transaction.status
    return _answered(transaction)


def _factor(context: CallContext, username: str) -> tuple[str, str, str]:
    """Factor, device and passcode that a request names.

    Raises:
        InvalidCall: it names none that there is.
    """
    factor = context.required("factor")
    if factor == "passcode":
        return factor, "auto", context.required("code")
    if factor == "auto":
        word = context.required("auto").strip().lower()
        stem = word.rstrip("0123456789")
        if stem not in (*_WORDS, "auto"):
            return "passcode", "auto", word
        return stem, _device_id(context, username, word[len(stem) :]), ""
    if factor not in _WORDS:
        raise invalid("factor")
    phone = context.parameters.get("phone", "phone1").lower()
    return factor, _device_id(context, username, "" if phone == "auto" else phone.removeprefix("phone")), ""


def _device_id(context: CallContext, username: str, number: str) -> str:
    """The device behind the number of `phone2`; `auto` when no number is given.

    Raises:
        InvalidCall: the user has no such phone.
    """
    if not number:
        return "auto"
    account = context.service.account(username)
    phones = account.phones() if account is not None else ()
    if not number.isdecimal() or not 1 <= int(number[:4]) <= len(phones):
        raise invalid("phone")
    return phones[int(number) - 1].device_id


def _choices(account: Account) -> object:
    """The prompt and its numbers."""
    options = list(_options(account))
    lines, factors = [], dict[str, str]()
    if options:
        factors["default"] = next((word for word, _, _ in options if word.startswith("push")), options[0][0])
    for number, (word, device, text) in enumerate(options, 1):
        factors[str(number)] = word
        next_digit = account.next_sms_digit()
        hint = f" (next code starts with: {next_digit})" if word.startswith("sms") and next_digit else ""
        lines.append(f" {number}. {text} {device.number}{hint}")
    return {"result": "auth", "prompt": _prompt(account.behaviour.name, lines), "factors": factors}


def _options(account: Account) -> Iterator[tuple[str, SandboxDevice, str]]:
    """One entry for each phone and what it can do: the word (`push1`), the phone, the text of the prompt."""
    texts = {"push": "Duo Push to", "phone": "Phone call to", "sms": "SMS passcodes to"}
    for number, phone in enumerate(account.phones(), 1):
        for capability, text in texts.items():
            if phone.can(capability):
                yield f"{capability}{number}", phone, text


def _prompt(username: str, lines: list[str]) -> str:
    """The prompt as the service writes it."""
    head = f"Duo two-factor login for {username}\n\n"
    if not lines:
        return head + "Enter a passcode.\n\nPasscode: "
    return (
        head
        + "Enter a passcode or select one of the following options:\n\n"
        + "\n".join(lines)
        + f"\n\nPasscode or option (1-{len(lines)}): "
    )


def _answered(transaction: Transaction) -> object:
    """The state of an attempt in the words of this generation."""
    if transaction.is_pending:
        return {"status": transaction.status_message}
    return {"result": transaction.result, "status": transaction.status_message}


CALLS = {
    ("v1", "ping"): Call("GET", ping, signed=False),
    ("v1", "check"): Call("GET", check),
    ("v1", "preauth"): Call("POST", preauth),
    ("v1", "auth"): Call("POST", auth),
    ("v1", "status"): Call("GET", status),
}
