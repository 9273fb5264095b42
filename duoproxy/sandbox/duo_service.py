"""A stand-in for the Duo service, as a state machine: users, pushes, calls, codes, lock-out.

No socket, clock or randomness of its own: `now` (seconds) and `random_bytes` are arguments. What the API makes of it is
`duo_api`'s business. NOT SECURE, by design: for trying things out and for tests.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from duoproxy.sandbox.accounts import (
    ANYBODY,
    MAX_NAME_CHARACTERS,
    Account,
    Behaviour,
    DeviceKind,
    RandomBytes,
    Reaction,
    SandboxDevice,
    Standing,
    make_account,
)
from duoproxy.sandbox.enrollments import ENROLLMENT_LIFETIME_S, Enrollment, Enrollments
from duoproxy.sandbox.journal import Journal
from duoproxy.sandbox.transactions import (
    REACTION_ENDS,
    TEXT_ACTIVE,
    TEXT_ALLOW,
    TEXT_DISABLED,
    TEXT_ENROLL,
    TEXT_LOCKED,
    TEXT_PASSCODE,
    TEXT_SENT,
    Status,
    Transaction,
)

PUSH_LIFETIME_S = 60.0
MAX_ACCOUNTS = 50_000
MAX_PENDING = 20_000
MAX_FINISHED = 10_000
MAX_DUE = 4 * MAX_PENDING


class BadParameter(ValueError):
    """A call names something that is not there or cannot be done; the text is the parameter's name."""


class TooManyPending(Exception):
    """`MAX_PENDING` users are being asked already."""


class DuoService:
    """The state of the stand-in service.

    Args:
        behaviours: the users; `*` is every name that is not listed. A name that is nobody's is told to enroll.
        random_bytes: as `os.urandom`.
        lockout_after: failed attempts until an account is locked; 0 for never.
    """

    def __init__(self, behaviours: Iterable[Behaviour], random_bytes: RandomBytes, lockout_after: int = 10) -> None:
        self._random_bytes = random_bytes
        self._lockout_after = lockout_after
        self._behaviours: dict[str, Behaviour] = {}
        self._accounts: dict[str, Account] = {}
        self._pending: dict[str, Transaction] = {}
        self._finished: dict[str, Transaction] = {}
        self._due: list[tuple[float, int, str, Reaction]] = []
        self._due_count = 0
        self.enrollments = Enrollments()
        self.journal = Journal()
        for behaviour in behaviours:
            self.define_user(behaviour)

    # --- users -------------------------------------------------------------------------------------------------------

    def define_user(self, behaviour: Behaviour) -> None:
        """Add a user, or replace one with all that it had."""
        key = _key(behaviour.name)
        if key not in self._behaviours and len(self._behaviours) >= MAX_ACCOUNTS:
            raise TooManyPending
        self._behaviours[key] = behaviour
        self._accounts.pop(key, None)

    def behaviours(self) -> tuple[Behaviour, ...]:
        """The users that were defined, in that order."""
        return tuple(self._behaviours.values())

    def account(self, username: str) -> Account | None:
        """The account of `username`, made when it is first asked for; None for nobody's name."""
        key = _key(username)
        account = self._accounts.get(key)
        behaviour = self._behaviours.get(key) or self._behaviours.get(ANYBODY)
        if account is None and behaviour is not None and 0 < len(username) <= MAX_NAME_CHARACTERS:
            if len(self._accounts) >= MAX_ACCOUNTS:
                del self._accounts[next(iter(self._accounts))]
            account = self._accounts[key] = make_account(behaviour, username.strip(), self._random_bytes)
        return account

    def username_of(self, user_id: str) -> str | None:
        """The name behind a `DU…` identifier, or None."""
        return next((a.behaviour.name for a in self._accounts.values() if a.user_id == user_id), None)

    def standing(self, username: str) -> tuple[Standing, str]:
        """What preauth says of `username`: the standing and the text for the user."""
        account = self.account(username)
        standing = account.standing if account is not None else Standing.ENROLL
        return standing, _STANDING_TEXTS[standing]

    # --- attempts ----------------------------------------------------------------------------------------------------

    def begin(
        self,
        username: str,
        factor: str,
        now: float,
        *,
        device_id: str = "auto",
        passcode: str = "",
        details: dict[str, str] | None = None,
    ) -> Transaction:
        """Begin an attempt; it may be finished at once (passcode, sms, an account that is not active).

        Args:
            username: who.
            factor: `auto`, `push`, `phone`, `sms` or `passcode`.
            now: seconds.
            device_id: `DP…`, or `auto` for the first device that can do it.
            passcode: for `passcode`.
            details: what the push shows beside.

        Raises:
            BadParameter: no such user, factor or device, or a device that cannot do it.
            TooManyPending: `MAX_PENDING` are waiting.
        """
        account = self.account(username)
        if account is None:
            raise BadParameter("username")
        if account.standing is not Standing.ACTIVE:
            return self._finish_new(account, factor, now, *_STANDING_ENDS[account.standing])
        if factor == "passcode":
            return self._try_passcode(account, passcode, now)
        device = _pick_device(account, factor, device_id)
        if factor == "auto":
            factor = "push" if device.can("push") else "phone"
        if factor == "sms":
            account.new_sms_batch(self._random_bytes)
            self.journal.note_asked(account.behaviour.name, "sms", now, device.number)
            return self._finish_new(account, "sms", now, Status.SENT, TEXT_SENT, device.number)
        return self._ask(account, factor, device, details or {}, now)

    def _try_passcode(self, account: Account, passcode: str, now: float) -> Transaction:
        """Compare a passcode."""
        if not passcode:
            raise BadParameter("passcode")
        self.journal.note_asked(account.behaviour.name, "passcode", now, "")
        if account.use_passcode(passcode, self._random_bytes):
            account.failures = 0
            return self._finish_new(account, "passcode", now, Status.ALLOW, TEXT_ALLOW)
        self._count_failure(account)
        return self._finish_new(account, "passcode", now, Status.DENY, TEXT_PASSCODE)

    def _ask(
        self, account: Account, factor: str, device: SandboxDevice, details: dict[str, str], now: float
    ) -> Transaction:
        """Push or call, and set when the simulated person reacts and when the service gives up."""
        if len(self._pending) >= MAX_PENDING:
            raise TooManyPending
        status, text = (
            (Status.PUSHED, "Pushed a login request to your device...")
            if factor == "push"
            else (Status.CALLING, f"Dialing {device.number}...")
        )
        name = account.behaviour.name
        transaction = Transaction(self._new_txid(), name, factor, device.number, now, status, text, details)
        self._pending[transaction.txid] = transaction
        self.journal.note_asked(account.behaviour.name, factor, now, device.number)
        reaction, delay_s = account.behaviour.reaction, account.behaviour.delay_s
        if reaction not in (Reaction.ASK, Reaction.IGNORE):
            self._set_due(now + (delay_s or 0.0), transaction.txid, reaction)
        lifetime_s = delay_s if reaction is Reaction.IGNORE and delay_s is not None else PUSH_LIFETIME_S
        self._set_due(now + lifetime_s, transaction.txid, Reaction.IGNORE)
        return transaction

    def transaction(self, txid: str) -> Transaction | None:
        """The attempt of that name, while it is remembered."""
        return self._pending.get(txid) or self._finished.get(txid)

    def pending(self) -> tuple[Transaction, ...]:
        """The attempts for which the user is being asked, oldest first."""
        return tuple(self._pending.values())

    def answer(self, txid: str, reaction: Reaction, now: float) -> Transaction | None:
        """The person at the phone answers; None when that attempt is not waiting (any more)."""
        transaction = self._pending.get(txid)
        if transaction is None or reaction is Reaction.ASK:
            return None
        account = self.account(transaction.username)
        if account is not None and reaction is Reaction.APPROVE:
            account.failures = 0
        elif account is not None:
            self._count_failure(account)
        self._finish(transaction, now, *REACTION_ENDS[reaction])
        self.journal.note("answer", transaction.username, now, transaction.status.value)
        return transaction

    def next_timeout(self) -> float | None:
        """When `timeout` has to be called next, in seconds; None when nothing is waited for."""
        while self._due and self._due[0][2] not in self._pending:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def timeout(self, now: float) -> list[Transaction]:
        """Let happen what is due; give the attempts that ended."""
        ended = []
        while self._due and self._due[0][0] <= now:
            _, _, txid, reaction = heapq.heappop(self._due)
            transaction = self.answer(txid, reaction, now)
            if transaction is not None:
                ended.append(transaction)
        return ended

    # --- enrolling ---------------------------------------------------------------------------------------------------

    def enroll(self, username: str, now: float, lifetime_s: float = ENROLLMENT_LIFETIME_S) -> Enrollment:
        """Let `username` enroll a smartphone with an activation code; the same code while it is good.

        Raises:
            BadParameter: the user has devices already.
        """
        if _key(username) not in self._behaviours and self.account(username) is None:
            self.define_user(Behaviour(username, Standing.ENROLL))
        account = self.account(username)
        if account is None or account.standing is not Standing.ENROLL:
            raise BadParameter("username")
        return self.enrollments.open(username, account.user_id, now, lifetime_s, self._random_bytes)

    def activate(self, code: str, now: float) -> bool:
        """The user activates a phone with `code`; false when the code is not good (any more)."""
        enrollment = self.enrollments.use(code, now)
        if enrollment is None:
            return False
        key = _key(enrollment.username)
        self._behaviours[key] = behaviour = Behaviour(enrollment.username)
        account = make_account(behaviour, enrollment.username, self._random_bytes)
        account.user_id = enrollment.user_id
        self._accounts[key] = account
        self.journal.note("enrolled", enrollment.username, now)
        return True

    def enroll_status(self, user_id: str, code: str, now: float) -> str:
        """`waiting`, `success` or `invalid`. Source: Auth API v2, /enroll_status."""
        if self.enrollments.is_open(code, user_id, now):
            return "waiting"
        username = self.username_of(user_id)
        return "success" if username is not None and self.standing(username)[0] is Standing.ACTIVE else "invalid"

    # --- small parts -------------------------------------------------------------------------------------------------

    def _new_txid(self) -> str:
        """A name for an attempt, in the form of the service's."""
        octets = self._random_bytes(16).hex()
        return "-".join((octets[:8], octets[8:12], octets[12:16], octets[16:20], octets[20:]))

    def _set_due(self, at: float, txid: str, reaction: Reaction) -> None:
        """Remember that something happens at `at`; forget what was answered meanwhile when that grows long."""
        if len(self._due) >= MAX_DUE:
            self._due = [entry for entry in self._due if entry[2] in self._pending]
            heapq.heapify(self._due)
        self._due_count += 1
        heapq.heappush(self._due, (at, self._due_count, txid, reaction))

    def _count_failure(self, account: Account) -> None:
        """Count a failed attempt; lock the account when it was one too many."""
        account.failures += 1
        if self._lockout_after and account.failures >= self._lockout_after:
            account.standing = Standing.LOCKED

    def _finish_new(
        self, account: Account, factor: str, now: float, status: Status, text: str, device: str = ""
    ) -> Transaction:
        """Make an attempt that ends as it begins."""
        transaction = Transaction(self._new_txid(), account.behaviour.name, factor, device, now, status, text)
        self._finish(transaction, now, status, text)
        return transaction

    def _finish(self, transaction: Transaction, now: float, status: Status, text: str) -> None:
        """End an attempt, and remember it for a while."""
        self._pending.pop(transaction.txid, None)
        transaction.status, transaction.status_message, transaction.finished_at = status, text, now
        if len(self._finished) >= MAX_FINISHED:
            del self._finished[next(iter(self._finished))]
        self._finished[transaction.txid] = transaction


_STANDING_TEXTS = {
    Standing.ACTIVE: TEXT_ACTIVE,
    Standing.BYPASS: TEXT_ACTIVE,
    Standing.ENROLL: TEXT_ENROLL,
    Standing.LOCKED: TEXT_LOCKED,
    Standing.DISABLED: TEXT_DISABLED,
}
_STANDING_ENDS = {
    Standing.BYPASS: (Status.BYPASS, TEXT_ALLOW),
    Standing.ENROLL: (Status.DENY, TEXT_ENROLL),
    Standing.LOCKED: (Status.LOCKED_OUT, TEXT_LOCKED),
    Standing.DISABLED: (Status.DENY, TEXT_DISABLED),
}


def _key(username: str) -> str:
    """User names are compared without case and outer blanks, as the service does."""
    return username.strip().lower()


def _pick_device(account: Account, factor: str, device_id: str) -> SandboxDevice:
    """The device for a factor.

    Raises:
        BadParameter: no such factor or device, or the device cannot do it.
    """
    if factor not in ("auto", "push", "phone", "sms"):
        raise BadParameter("factor")
    wanted = ("push", "phone") if factor == "auto" else (factor,)
    candidates = [d for d in account.devices if device_id in ("auto", d.device_id)]
    for capability in wanted:
        for device in candidates:
            if device.can(capability) and device.kind is not DeviceKind.TOKEN:
                return device
    raise BadParameter("device")
