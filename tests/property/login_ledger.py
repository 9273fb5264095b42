"""What must happen, kept as plain lists: a naive account of every request, login, push and reply.

It knows the sentences of the specification and nothing of how the proxy keeps them. Facts come in (a datagram arrives,
the password is checked, a user is asked, a reply leaves); whatever contradicts a sentence becomes a line in `faults`.

    Identical octets belong to the request in progress, and for 30 s after it to its reply.
    A request that names its session joins the login in progress at that device with the same password and the same
    story; the newest request gets the answer, superseded ones get silence.
    (A superseded request is forgotten 30 s later; a copy of it that comes then is the newest again.)
    Every other request is a login of its own: one password check, at most one push.
    An Access-Accept needs the right password and either an approval of this login or a bypass event of this login.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import define, field

from tests.property import plain_radius as radius
from tests.property.login_terminals import HOSTS, Endpoint, Request, Terminals

REMEMBERED_S = 30.0


@define(eq=False)
class Login:
    """One login at the proxy.

    Attributes:
        first: the request that began it.
        newest: the request that is to be answered.
        garbled: it came from a device with another secret, so that its password is noise.
        checks: how often its password was checked.
        login_id: the proxy's name for it.
        pushes: how often its user was asked.
        approved: its user said yes.
        bypass: the bypass that it is entitled to.
        bypass_logged: the bypass event that was logged for it.
        over: what becomes of it is decided.
        verdict: then: the code of the reply, or None for silence.
        answered: its reply was sent.
    """

    first: Entry
    newest: Entry
    garbled: bool = False
    checks: int = 0
    login_id: str = ""
    pushes: int = 0
    approved: bool = False
    bypass: str = ""
    bypass_logged: str = ""
    over: bool = False
    verdict: int | None = None
    answered: bool = False

    @property
    def user(self) -> str:
        """Who logs in."""
        return self.first.request.terminal.user

    @property
    def is_owed(self) -> bool:
        """Whether a reply is due: decided, not silence, and its Identifier not used for something newer."""
        return self.over and self.verdict is not None and not self.answered and not self.newest.replaced


@define(eq=False)
class Entry:
    """A request as it came from one source.

    Attributes:
        request: which.
        source: where it came from (a replay may come from elsewhere).
        done_at: when it was answered or superseded.
        reply: what answered it.
        replaced: its device used the Identifier again meanwhile.
    """

    request: Request
    source: Endpoint
    done_at: float | None = None
    reply: bytes | None = None
    replaced: bool = False


@define
class Ledger:
    """The account.

    Attributes:
        terminals: who may have sent what.
        joins: whether `join_retries` is on.
        faults: what must not have happened.
        accepts: distinct Access-Accepts per user.
        entitlements: approvals and logged bypasses per user.
    """

    terminals: Terminals
    joins: bool = True
    faults: list[str] = field(factory=list)
    logins: list[Login] = field(factory=list)
    accepts: Counter[str] = field(factory=Counter)
    entitlements: Counter[str] = field(factory=Counter)
    _entries: dict[tuple[Endpoint, bytes], Entry] = field(factory=dict)
    _proved: set[str] = field(factory=set)
    _repeat: Entry | None = None
    _repeats: int = 0

    def open_logins(self) -> list[Login]:
        """Those that are not decided yet."""
        return [login for login in self.logins if not login.over]

    def is_silent(self, request: Request) -> bool:
        """Whether the same octets again would be met with silence although nothing is in progress for them."""
        entry = self._entries.get((request.source, request.octets))
        return entry is not None and entry.done_at is not None and entry.reply is None

    # ── a datagram arrives ─────────────────────────────────────────────────────────────────────────────────────

    def arrives(self, source: Endpoint, octets: bytes, now: float) -> None:
        """Note what a datagram is, before the proxy sees it."""
        self._forget(now)
        request = self.terminals.by_octets[octets]
        device, signed = HOSTS.get(source[0]), request.terminal.device.signs
        if device is None:
            return  # a stranger
        garbled = device is not request.terminal.device
        if garbled and (signed or source[0] in self._proved):
            return  # the Message-Authenticator does not fit, or is missing where it never was
        if signed:
            self._proved.add(source[0])
        known = self._entries.get((source, octets))
        if known is not None:
            self._repeat = known
        else:
            self._takes(Entry(request, source), now, signed, garbled)

    def _takes(self, entry: Entry, now: float, signed: bool, garbled: bool) -> None:
        for older in self._entries.values() if signed else ():
            if (older.source, older.request.identifier) == (entry.source, entry.request.identifier):
                older.replaced, older.reply = True, None
        self._entries[entry.source, entry.request.octets] = entry
        login = None if garbled else self._in_progress(entry)
        if login is None:
            self.logins.append(Login(entry, entry, garbled))
        else:
            login.newest.done_at = now
            login.newest = entry

    def _in_progress(self, entry: Entry) -> Login | None:
        terminal, host = entry.request.terminal, entry.source[0]
        if not (self.joins and terminal.names_its_session):
            return None
        for login in self.open_logins():
            first = login.first
            if (first.request.terminal.story, first.source[0], login.garbled) == (terminal.story, host, False):
                return login
        return None

    def _forget(self, now: float) -> None:
        self._entries = {
            key: entry
            for key, entry in self._entries.items()
            if entry.done_at is None or entry.done_at + REMEMBERED_S > now
        }

    # ── the login goes on ──────────────────────────────────────────────────────────────────────────────────────

    def password_checked(self, authenticator: bytes, host: str, login_id: str) -> Login | None:
        """The primary is asked: there must be a login that waits for it."""
        for login in self.open_logins():
            first = login.first
            if (first.request.authenticator, first.source[0], login.checks) == (authenticator, host, 0):
                login.checks, login.login_id = 1, login_id
                return login
        self.faults.append(f"a password check that no login waits for, from {host}")
        return None

    def user_asked(self, login: Login) -> None:
        """A push is sent."""
        login.pushes += 1
        if login.pushes > 1 or not login.first.request.terminal.has_password or login.over:
            self.faults.append(f"push {login.pushes} of a login of {login.user}")

    def user_approves(self, login: Login) -> None:
        """The user says yes."""
        login.approved = True
        self.entitlements[login.user] += 1

    def event_logged(self, event: Mapping[str, object]) -> None:
        """An authentication event is written."""
        login = next((each for each in self.logins if each.login_id == event["login_id"]), None)
        if login is None:
            self.faults.append(f"an event of no login: {event}")
        elif event["bypass_reason"]:
            login.bypass_logged = str(event["bypass_reason"])
            self.entitlements[login.user] += 1
            if login.bypass_logged != login.bypass:
                self.faults.append(f"bypass {login.bypass_logged} of {login.user}, entitled to {login.bypass or None}")

    def decided(self, login: Login, verdict: int | None, now: float, bypass: str = "") -> None:
        """What becomes of a login is known: its newest request is owed `verdict`, or silence."""
        if login.over:
            self.faults.append(f"a second end of a login of {login.user}")
        login.over, login.verdict, login.bypass, login.newest.done_at = True, verdict, bypass, now

    def stops(self, now: float) -> None:
        """The proxy stops: whoever waits is owed a reject."""
        for login in self.open_logins():
            self.decided(login, radius.ACCESS_REJECT, now)

    # ── a reply leaves ─────────────────────────────────────────────────────────────────────────────────────────

    def replied(self, reply: bytes, destination: Endpoint, now: float) -> None:
        """Find what a reply answers, and whether it may."""
        fitting = [e for e in self._entries.values() if e.source == destination and _fits(e, reply)]
        if len(fitting) != 1:
            self.faults.append(f"a reply to {destination} that fits {len(fitting)} requests")
            return
        entry = fitting[0]
        if entry is self._repeat and entry.reply is not None:
            self._repeats += 1
            if reply != entry.reply:
                self.faults.append("identical octets got another reply than the first time")
            return
        login = next((each for each in self.logins if each.newest is entry and not each.answered), None)
        if login is None:
            self.faults.append(f"a reply (code {reply[0]}) to a request that is owed none")
            return
        if login.garbled and not login.over and reply[0] == radius.ACCESS_REJECT:
            self.decided(login, radius.ACCESS_REJECT, now)  # noise need not be a password that can be checked
        self._answers(login, entry, reply)

    def _answers(self, login: Login, entry: Entry, reply: bytes) -> None:
        if not login.is_owed or login.verdict != reply[0]:
            self.faults.append(f"code {reply[0]} for {login.user}, owed {login.verdict if login.is_owed else None}")
        if reply[0] == radius.ACCESS_ACCEPT:
            self.accepts[login.user] += 1
            terminal = entry.request.terminal
            if not terminal.has_password or not (login.approved or login.bypass_logged):
                self.faults.append(f"an Accept for {login.user} without both factors and without a bypass event")
        states = [value for number, value in radius.attributes_of(reply) if number == radius.PROXY_STATE]
        if states != entry.request.proxy_states():
            self.faults.append("Proxy-State did not come back as it was")
        login.answered, entry.reply = True, reply

    def settles(self) -> None:
        """The proxy has done what it can do for now: whatever is owed must have been given."""
        for login in self.logins:
            if login.is_owed:
                self.faults.append(f"no reply to {login.user}, owed {login.verdict}")
            if not login.checks and not login.garbled:
                self.faults.append(f"nobody checked the password of a login of {login.user}")
        wanted = 0 if self._repeat is None or self._repeat.reply is None else 1
        if self._repeats != wanted:
            self.faults.append(f"{self._repeats} repeated replies to identical octets, not {wanted}")
        self._repeat, self._repeats = None, 0


def _fits(entry: Entry, reply: bytes) -> bool:
    device = HOSTS[entry.source[0]]
    return radius.reply_fits(reply, entry.request.octets, device.secret)
