"""Accounts of the stand-in Duo service: who there is, with which devices, and how each one behaves.

A behaviour is one line of words, as `[sandbox_duo]` has it after `user_1 =`: a name, any number of devices, and how the
person at the phone reacts. `alice push`, `carol passcode 424242`, `ivan approve-after 2`, `judy phone push`.
Knows nothing of logins that are in progress.
"""

from __future__ import annotations

import base64
import enum
from collections import deque
from collections.abc import Callable

from attrs import define, evolve, field, frozen

MAX_NAME_CHARACTERS = 256
MAX_DEVICES_PER_USER = 10
MAX_DELAY_S = 600.0
SMS_CODES_PER_BATCH = 10
PASSCODE_DIGITS = 6
SMS_CODE_DIGITS = 7
ANYBODY = "*"

RandomBytes = Callable[[int], bytes]


class Standing(enum.Enum):
    """What the service thinks of an account before any factor is tried."""

    ACTIVE = "active"
    BYPASS = "bypass"
    ENROLL = "enroll"
    LOCKED = "locked"
    DISABLED = "disabled"


class Reaction(enum.Enum):
    """What the simulated person does about a push or a call."""

    ASK = "ask"
    APPROVE = "approve"
    DENY = "deny"
    FRAUD = "fraud"
    IGNORE = "ignore"


class DeviceKind(enum.Enum):
    """The sorts of devices that a behaviour can name; the value is the word."""

    SMARTPHONE = "push"
    PLAIN_PHONE = "phone"
    SMS_PHONE = "sms"
    TOKEN = "passcode"

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the API says that such a device can do."""
        return _CAPABILITIES[self]

    @property
    def is_phone(self) -> bool:
        """Whether device numbers (`push2`) count it."""
        return self is not DeviceKind.TOKEN


_CAPABILITIES = {
    DeviceKind.SMARTPHONE: ("auto", "push", "sms", "phone", "mobile_otp"),
    DeviceKind.PLAIN_PHONE: ("auto", "sms", "phone"),
    DeviceKind.SMS_PHONE: ("sms",),
    DeviceKind.TOKEN: (),
}
_KINDS = {kind.value: kind for kind in DeviceKind}
_STANDINGS = {
    "bypass": Standing.BYPASS,
    "enroll": Standing.ENROLL,
    "locked": Standing.LOCKED,
    "disabled": Standing.DISABLED,
}
_REACTIONS = {
    "approve-after": Reaction.APPROVE,
    "deny-after": Reaction.DENY,
    "fraud-after": Reaction.FRAUD,
    "deny": Reaction.DENY,
    "fraud": Reaction.FRAUD,
    "timeout": Reaction.IGNORE,
}
WORDS = (*_KINDS, *_STANDINGS, *_REACTIONS)


@frozen
class Behaviour:
    """How one user of the sandbox behaves.

    Attributes:
        name: the user name; `*` stands for every name that is not listed.
        standing: what preauth makes of it.
        devices: in the order in which the service lists them.
        passcode: a code that always works, or empty.
        reaction: what the person does about a push or a call.
        delay_s: seconds until then; for IGNORE: until the service gives up (None: its usual time).
    """

    name: str
    standing: Standing = Standing.ACTIVE
    devices: tuple[DeviceKind, ...] = (DeviceKind.SMARTPHONE,)
    passcode: str = ""
    reaction: Reaction = Reaction.ASK
    delay_s: float | None = None

    def describe(self) -> str:
        """Say in a few words what happens when this user logs in."""
        if self.standing is not Standing.ACTIVE:
            return _STANDING_SENTENCES[self.standing]
        if self.reaction is Reaction.ASK:
            return self._describe_devices()
        return _REACTION_SENTENCES[self.reaction].format(
            delay=f"after {self.delay_s:g} s" if self.delay_s else "at once"
        )

    def _describe_devices(self) -> str:
        """Say what the user has to do, from the devices and the fixed passcode."""
        if self.passcode:
            return f"appends the passcode to the password: PASSWORD,{self.passcode}"
        if DeviceKind.SMARTPHONE in self.devices:
            return "gets a push: answer it on the phone page"
        if DeviceKind.PLAIN_PHONE in self.devices:
            return "gets a call: answer it on the phone page"
        return "appends a passcode from the phone page to the password"


_STANDING_SENTENCES = {
    Standing.BYPASS: "is let in without a second factor",
    Standing.ENROLL: "has no device yet and is told to enroll",
    Standing.LOCKED: "is locked out",
    Standing.DISABLED: "is disabled",
}
_REACTION_SENTENCES = {
    Reaction.APPROVE: "approves by itself {delay}",
    Reaction.DENY: "denies by itself {delay}",
    Reaction.FRAUD: "reports a fraud by itself {delay}",
    Reaction.IGNORE: "never answers, so that the login times out",
}


def parse_behaviour(text: str) -> Behaviour:
    """Read one line such as `judy phone push approve-after 2`.

    Raises:
        ValueError: it cannot be read; the text says what is wrong.
    """
    name, *words = text.split()[:32] or [""]
    if not name or len(name) > MAX_NAME_CHARACTERS:
        raise ValueError(f"a user name of 1 to {MAX_NAME_CHARACTERS} characters is missing")
    standing, reaction, delay_s, passcode = Standing.ACTIVE, Reaction.ASK, None, ""
    devices: list[DeviceKind] = []
    words.reverse()
    while words:
        word = words.pop().lower()
        if word in _KINDS:
            devices.append(_KINDS[word])
            if word == DeviceKind.TOKEN.value and words and words[-1].isdecimal():
                passcode = words.pop()
        elif word in _STANDINGS:
            standing = _STANDINGS[word]
        elif word in _REACTIONS:
            reaction, delay_s = _REACTIONS[word], _pop_delay(word, words)
        else:
            raise ValueError(f"'{word}' is not one of: {', '.join(WORDS)}")
    if len(devices) > MAX_DEVICES_PER_USER:
        raise ValueError(f"a user has at most {MAX_DEVICES_PER_USER} devices")
    return Behaviour(name, standing, tuple(devices) or Behaviour(name).devices, passcode, reaction, delay_s)


def _pop_delay(word: str, words: list[str]) -> float | None:
    """Take the number of seconds that follows `word` from `words` (reversed); some words need one."""
    try:
        delay_s = float(words[-1]) if words else None
    except ValueError:
        delay_s = None
    if delay_s is None:
        if word.endswith("-after"):
            raise ValueError(f"'{word}' needs a number of seconds, such as '{word} 2'")
        return None if word == "timeout" else 0.0
    words.pop()
    if not 0 <= delay_s <= MAX_DELAY_S:
        raise ValueError(f"'{word}' takes 0 to {MAX_DELAY_S:g} seconds")
    return delay_s


@frozen
class SandboxDevice:
    """One device, as the service lists it.

    Attributes:
        device_id: `DP…` for phones, `DH…` for tokens.
        kind: its sort.
        number: masked telephone number; empty for tokens.
    """

    device_id: str
    kind: DeviceKind
    number: str = ""

    def can(self, capability: str) -> bool:
        """Whether it can do `push`, `phone` or `sms`."""
        return capability in self.kind.capabilities


@define
class Account:
    """One user, with what changes over time.

    Attributes:
        behaviour: how it behaves.
        user_id: `DU…`.
        devices: what it has.
        standing: now; begins as the behaviour says.
        failures: failed attempts since the last success.
        current_passcode: what its app or token shows; each code works once.
        sms_codes: codes of the last batch that were not used.
    """

    behaviour: Behaviour
    user_id: str
    devices: tuple[SandboxDevice, ...]
    standing: Standing
    current_passcode: str
    failures: int = 0
    sms_codes: deque[str] = field(factory=lambda: deque[str](maxlen=SMS_CODES_PER_BATCH))

    def describe(self) -> str:
        """Say in a few words what happens now when this user logs in."""
        if self.standing is not self.behaviour.standing:
            return _STANDING_SENTENCES.get(self.standing, "may log in")
        return self.behaviour.describe()

    def phones(self) -> tuple[SandboxDevice, ...]:
        """The phones in the service's order, which is what device numbers count."""
        return tuple(device for device in self.devices if device.kind.is_phone)

    def next_sms_digit(self) -> str:
        """The first digit of the next SMS code, or empty."""
        return self.sms_codes[0][0] if self.sms_codes else ""

    def takes_passcodes(self) -> bool:
        """Whether an app or a token of this user makes codes."""
        return any(device.can("mobile_otp") or device.kind is DeviceKind.TOKEN for device in self.devices)

    def use_passcode(self, code: str, random_bytes: RandomBytes) -> bool:
        """Whether `code` is right; a code that was used is spent, the fixed one never is."""
        if self.behaviour.passcode and code == self.behaviour.passcode:
            return True
        if self.takes_passcodes() and code == self.current_passcode:
            self.current_passcode = random_digits(PASSCODE_DIGITS, random_bytes)
            return True
        if code in self.sms_codes:
            while self.sms_codes.popleft() != code:
                pass
            return True
        return False

    def new_sms_batch(self, random_bytes: RandomBytes) -> None:
        """Replace the batch of codes; each begins with its place in the batch, as the service's do."""
        self.sms_codes.clear()
        for place in range(1, SMS_CODES_PER_BATCH + 1):
            self.sms_codes.append(f"{place % 10}{random_digits(SMS_CODE_DIGITS - 1, random_bytes)}")


def make_account(behaviour: Behaviour, name: str, random_bytes: RandomBytes) -> Account:
    """Make the account of `name` with the devices that `behaviour` lists."""
    kinds = () if behaviour.standing is Standing.ENROLL else behaviour.devices
    return Account(
        behaviour=evolve(behaviour, name=name),
        user_id=random_id("DU", random_bytes),
        devices=tuple(_make_device(kind, place, random_bytes) for place, kind in enumerate(kinds)),
        standing=behaviour.standing,
        current_passcode=random_digits(PASSCODE_DIGITS, random_bytes),
    )


def _make_device(kind: DeviceKind, place: int, random_bytes: RandomBytes) -> SandboxDevice:
    """Make one device; phones get a number out of the range that is kept free for fiction."""
    if not kind.is_phone:
        return SandboxDevice(random_id("DH", random_bytes), kind)
    return SandboxDevice(random_id("DP", random_bytes), kind, f"XXX-XXX-{100 + place:04d}")


def random_digits(count: int, random_bytes: RandomBytes) -> str:
    """A text of `count` decimal digits."""
    return f"{int.from_bytes(random_bytes(8), 'big') % 10**count:0{count}d}"


def random_id(prefix: str, random_bytes: RandomBytes) -> str:
    """An identifier of 20 upper-case characters, as the service's."""
    return (prefix + base64.b32encode(random_bytes(12)).decode("ascii").rstrip("="))[:20]
