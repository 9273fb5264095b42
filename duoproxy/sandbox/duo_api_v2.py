"""The calls of `/auth/v2` as the stand-in service answers them. Source: Duo Auth API v2."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from duoproxy.sandbox.accounts import SandboxDevice, Standing
from duoproxy.sandbox.duo_api import MAX_AUTH_WAIT_S, MAX_STATUS_WAIT_S, ApiWait, Call, CallContext, invalid, missing
from duoproxy.sandbox.enrollments import ENROLLMENT_LIFETIME_S
from duoproxy.sandbox.transactions import Transaction

MAX_DETAILS = 20
FACTORS = ("auto", "push", "phone", "sms", "passcode")


def time_of_service(context: CallContext) -> object:
    """`ping` and `check`: the service's clock."""
    return {"time": int(context.wall_time)}


def preauth(context: CallContext) -> object:
    """`preauth`: what to do with a user."""
    username = _username(context)
    standing, text = context.service.standing(username)
    if standing is Standing.ACTIVE:
        account = context.service.account(username)
        devices = [_device(one, account.next_sms_digit()) for one in account.devices] if account else []
        return {"result": "auth", "status_msg": text, "devices": devices}
    if standing is Standing.BYPASS:
        return {"result": "allow", "status_msg": text}
    if standing is Standing.ENROLL:
        code = context.service.enroll(username, context.now).code
        return {"result": "enroll", "status_msg": text, "enroll_portal_url": _portal(context, code)}
    return {"result": "deny", "status_msg": text}


def auth(context: CallContext) -> object | ApiWait:
    """`auth`: prove the second factor; at once, blocking, or (`async=1`) as a transaction to ask about."""
    username, factor = _username(context), context.required("factor")
    if factor not in FACTORS:
        raise invalid("factor")
    device = context.required("device") if factor in ("push", "phone", "sms") else context.parameters.get("device", "")
    transaction = context.service.begin(
        username,
        factor,
        context.now,
        device_id=device or "auto",
        passcode=context.parameters.get("passcode", ""),
        details=push_details(context.parameters),
    )
    if context.flag("async"):
        return {"txid": transaction.txid}
    return _answered(transaction) if not transaction.is_pending else _wait(context, transaction, MAX_AUTH_WAIT_S)


def auth_status(context: CallContext) -> object | ApiWait:
    """`auth_status`: where a transaction stands; the same state is not told twice in a row, news are waited for."""
    transaction = context.service.transaction(context.required("txid"))
    if transaction is None:
        raise invalid("txid")
    if transaction.is_pending and transaction.reported is transaction.status:
        return _wait(context, transaction, MAX_STATUS_WAIT_S)
    transaction.reported = transaction.status
    return _answered(transaction)


def enroll(context: CallContext) -> object:
    """`enroll`: an activation code for a new user."""
    lifetime = context.parameters.get("valid_secs", str(int(ENROLLMENT_LIFETIME_S)))
    if not lifetime.isdecimal() or not 1 <= int(lifetime[:9]) <= 2_592_000:
        raise invalid("valid_secs")
    username = context.parameters.get("username") or f"new-user-{int(context.wall_time)}"
    one = context.service.enroll(username, context.now, float(lifetime))
    return {
        "activation_barcode": _portal(context, one.code),
        "activation_code": f"duo://{one.code}",
        "activation_url": _portal(context, one.code),
        "expiration": int(context.wall_time + one.expires_at - context.now),
        "user_id": one.user_id,
        "username": one.username,
    }


def enroll_status(context: CallContext) -> object:
    """`enroll_status`: whether the activation code was used."""
    code = context.required("activation_code").removeprefix("duo://")
    return context.service.enroll_status(context.required("user_id"), code, context.now)


def push_details(parameters: Mapping[str, str]) -> dict[str, str]:
    """What a push shows beside: the address, and the pairs of `pushinfo`."""
    pairs = parse_qsl(parameters.get("pushinfo", ""), keep_blank_values=True)[:MAX_DETAILS]
    details = {name[:64]: value[:256] for name, value in pairs}
    for name in ("ipaddr", "type", "display_username"):
        if parameters.get(name):
            details[name] = parameters[name][:256]
    return details


def _username(context: CallContext) -> str:
    """The user that `username` or `user_id` names.

    Raises:
        InvalidCall: neither or both are there, or the identifier is nobody's.
    """
    username, user_id = context.parameters.get("username", ""), context.parameters.get("user_id", "")
    if bool(username) == bool(user_id):
        raise missing("username") if not username else invalid("user_id")
    if username:
        return username
    found = context.service.username_of(user_id)
    if found is None:
        raise invalid("user_id")
    return found


def _portal(context: CallContext, code: str) -> str:
    """Where a user enrolls: the phone page."""
    return f"{context.base_url}/phone/#enroll={code}"


def _device(device: SandboxDevice, next_digit: str) -> dict[str, object]:
    """A device in the words of the API."""
    if not device.kind.is_phone:
        return {"device": device.device_id, "type": "token", "name": "0", "display_name": "Token (0)"}
    described: dict[str, object] = {
        "device": device.device_id,
        "type": "phone",
        "name": "",
        "number": device.number,
        "display_name": f"Phone ({device.number})",
        "capabilities": list(device.kind.capabilities),
    }
    if next_digit and device.can("sms"):
        described["sms_nextcode"] = next_digit
    return described


def _answered(transaction: Transaction) -> object:
    """The state of an attempt in the words of the API."""
    return {
        "result": transaction.result,
        "status": transaction.status.value,
        "status_msg": transaction.status_message,
    }


def _wait(context: CallContext, transaction: Transaction, at_most_s: float) -> ApiWait:
    """Answer when the user has."""
    return ApiWait(transaction, context.now + at_most_s, _answered)


CALLS = {
    ("v2", "ping"): Call("GET", time_of_service, signed=False),
    ("v2", "check"): Call("GET", time_of_service),
    ("v2", "preauth"): Call("POST", preauth),
    ("v2", "auth"): Call("POST", auth),
    ("v2", "auth_status"): Call("GET", auth_status),
    ("v2", "enroll"): Call("POST", enroll),
    ("v2", "enroll_status"): Call("POST", enroll_status),
}
