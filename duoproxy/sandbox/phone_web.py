"""The phone: one static page on which people approve, deny or report what the sandbox pushes, and its JSON calls."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from duoproxy.sandbox.accounts import ANYBODY, Account, Reaction
from duoproxy.sandbox.duo_web import send
from duoproxy.sandbox.journal import Event
from duoproxy.sandbox.loopback_web import JsonCall, JsonResource, is_loopback_host, text_field
from duoproxy.sandbox.transactions import Transaction

if TYPE_CHECKING:
    from duoproxy.sandbox.duo_runner import DuoRunner

MAX_SHOWN = 100
ANSWERS = {"approve": Reaction.APPROVE, "deny": Reaction.DENY, "fraud": Reaction.FRAUD}
_SHOWN_EVENTS = ("push", "phone", "sms", "passcode", "answer", "enrolled")


def phone_calls(runner: DuoRunner) -> dict[str, JsonCall]:
    """The calls of the page: `state`, `answer`, `enroll`."""
    service = runner.service

    def state(document: object, query: Mapping[str, str]) -> object:
        now = runner.now()
        pending = service.pending()
        known = [one.name for one in service.behaviours() if one.name != ANYBODY][:MAX_SHOWN]
        accounts = [account for name in known if (account := service.account(name)) is not None]
        recent = [event for event in service.journal.latest(MAX_SHOWN) if event.what in _SHOWN_EVENTS]
        return {
            "pending_count": len(pending),
            "pending": [_pending(one, now) for one in pending[:MAX_SHOWN]],
            "users": [_user(account) for account in accounts],
            "enrollments": [{"code": e.code, "username": e.username} for e in service.enrollments.current(now)],
            "recent": [_event(event, now) for event in reversed(recent)],
        }

    def answer(document: object, query: Mapping[str, str]) -> object:
        reaction = ANSWERS.get(text_field(document, "answer"))
        if reaction is None:
            raise ValueError(f"answer is one of: {', '.join(ANSWERS)}")
        return {"answered": runner.answer(text_field(document, "txid"), reaction)}

    def enroll(document: object, query: Mapping[str, str]) -> object:
        return {"enrolled": service.activate(text_field(document, "code"), runner.now())}

    return {"state": JsonCall("GET", state), "answer": JsonCall("POST", answer), "enroll": JsonCall("POST", enroll)}


def _pending(transaction: Transaction, now: float) -> dict[str, object]:
    """A push or call as the page shows it."""
    return {
        "txid": transaction.txid,
        "username": transaction.username,
        "factor": transaction.factor,
        "device": transaction.device,
        "age_s": int(now - transaction.begun_at),
        "details": transaction.details,
    }


def _event(event: Event, now: float) -> dict[str, object]:
    """Something that happened, as the page shows it."""
    return {
        "number": event.number,
        "age_s": int(now - event.at),
        "what": event.what,
        "username": event.username,
        "detail": event.detail,
    }


def _user(account: Account) -> dict[str, object]:
    """A user as the page shows it."""
    return {
        "username": account.behaviour.name,
        "behaviour": account.describe(),
        "passcode": account.behaviour.passcode or (account.current_passcode if account.takes_passcodes() else ""),
        "sms_codes": list(account.sms_codes),
    }


class PhoneResource(Resource):
    """`/phone/`: the page, and its calls below."""

    isLeaf = True

    def __init__(self, runner: DuoRunner) -> None:
        Resource.__init__(self)
        self._page = importlib.resources.files("duoproxy.sandbox").joinpath("phone.html").read_bytes()
        self._policy = content_security_policy(self._page)
        self._calls = JsonResource(phone_calls(runner))

    def render(self, request: Request) -> int:
        """Give the page, or hand a call on."""
        if request.postpath not in ([], [b""]):
            return self._calls.render(request)
        request.setHeader("content-security-policy", self._policy)
        request.setHeader("x-content-type-options", "nosniff")
        request.setHeader("referrer-policy", "no-referrer")
        if request.method not in (b"GET", b"HEAD"):
            send(request, 405, b"", "text/plain")
        elif not is_loopback_host(request):
            send(request, 403, b"This page is for loopback names only.\n", "text/plain")
        else:
            send(request, 200, self._page, "text/html; charset=utf-8")
        return NOT_DONE_YET


def content_security_policy(page: bytes) -> str:
    """A policy that lets the page run its own script and style, found by their hashes, and nothing else."""
    hashes = {
        tag: " ".join(f"'sha256-{_sha256(text)}'" for text in re.findall(rb"<%b>(.*?)</%b>" % (tag, tag), page, re.S))
        for tag in (b"script", b"style")
    }
    return (
        f"default-src 'none'; script-src {hashes[b'script']}; style-src {hashes[b'style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _sha256(text: bytes) -> str:
    """The digest as a policy writes it."""
    return base64.b64encode(hashlib.sha256(text).digest()).decode("ascii")
