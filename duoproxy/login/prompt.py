"""The prompt for the second factor: its text, and what an answer to it means.

Three layouts for three kinds of devices; the service's own prompt, where it sends one, is shown as it is. The rest of
an answer's grammar (words, passcodes appended to a password) stands in `duoproxy.login.factors`.
"""

from __future__ import annotations

import enum
import html
import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from duoproxy.duoapi.messages import Device, Factor, Preauth, PromptOption
from duoproxy.login.factors import TypedFactor, parse_factor_word
from duoproxy.secret import Secret

MAX_OPTIONS = 20
MAX_LABEL_CHARACTERS = 40
MAX_NAME_CHARACTERS = 64
MAX_PASSCODE_OCTETS = 128

_OFFERED = {Factor.PUSH: "Duo Push to", Factor.PHONE: "Phone call to", Factor.SMS: "SMS passcodes to"}
_NUMBER = re.compile(r"[1-9][0-9]{0,2}")


class PromptFormat(enum.Enum):
    """The layouts of a prompt. Source: option `prompt_format`."""

    CONSOLE = "console"
    SHORT = "short"
    HTML = "html"


@frozen
class Prompt:
    """A prompt as the user sees it.

    Attributes:
        text: in its layout.
        options: what its numbers stand for.
        layout: its layout.
    """

    text: str
    options: tuple[PromptOption, ...]
    layout: PromptFormat

    def with_notice(self, notice: str) -> str:
        """The text, with a sentence before it that says what became of the last answer."""
        if self.layout is PromptFormat.SHORT:
            return f"{notice} {self.text}"
        if self.layout is PromptFormat.HTML:
            return in_layout(notice, self.layout) + self.text
        return f"{notice}\n\n{self.text}"


@frozen
class _Line:
    """One option, with the words for it in each layout."""

    option: PromptOption
    sentence: str
    word: str


def build_prompt(
    username: str, preauth: Preauth, layout: PromptFormat = PromptFormat.CONSOLE, *, next_codes: bool = True
) -> Prompt:
    """Make the prompt for a user whom Duo wants to be asked.

    Args:
        username: as Duo knows the user.
        preauth: the devices, or the service's own prompt.
        layout: how it looks.
        next_codes: whether the first digit of the next SMS passcode is shown; it is out of date once codes were sent.
    """
    if preauth.prompt:
        own = preauth.prompt
        text = f"<pre>{html.escape(own)}</pre>" if layout is PromptFormat.HTML else own
        return Prompt(text, preauth.prompt_options, layout)
    lines = tuple(_lines(preauth.devices, next_codes))
    text = _WRITERS[layout](_shortened(username, MAX_NAME_CHARACTERS), lines)
    return Prompt(text, tuple(line.option for line in lines), layout)


def parse_answer(answer: Secret, prompt: Prompt) -> TypedFactor | PromptOption:
    """Read an answer: a number of the prompt, a word (`push`, `phone2`, `sms`, `auto`), else a passcode."""
    text = answer.reveal_text().strip()
    if _NUMBER.fullmatch(text):
        for option in prompt.options:
            if option.number == int(text):
                return option
    return parse_word_or_passcode(answer)


def parse_word_or_passcode(answer: Secret) -> TypedFactor:
    """Read an answer to a question without numbers; whatever is no word goes to Duo as a passcode."""
    text = answer.reveal_text().strip()
    return parse_factor_word(text) or TypedFactor(Factor.PASSCODE, passcode=Secret(text))


def is_sendable(passcode: Secret) -> bool:
    """Whether a passcode can be one: text, and not longer than any."""
    if len(passcode) > MAX_PASSCODE_OCTETS:
        return False
    try:
        passcode.reveal().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def in_layout(text: str, layout: PromptFormat) -> str:
    """Give a text that stands alone in the layout of the prompts."""
    return f"<p>{html.escape(text)}</p>" if layout is PromptFormat.HTML else text


def _lines(devices: Sequence[Device], next_codes: bool) -> Iterator[_Line]:
    """One line for each device and what it can do, at most `MAX_OPTIONS`; the others can still be asked for by word."""
    number, phone = 0, 0
    for device in devices:
        phone += device.is_phone
        for factor, offer in _OFFERED.items():
            if factor.value not in device.capabilities or number == MAX_OPTIONS:
                continue
            number += 1
            ordinal = str(phone) if device.is_phone and phone > 1 else ""
            sentence = f"{offer} {_label(device, phone)}{_next_code(device, factor, next_codes)}"
            yield _Line(PromptOption(number, factor, device.device_id), sentence, f"{factor.value}{ordinal}")


def _label(device: Device, phone: int) -> str:
    if device.label:
        return _shortened(device.label, MAX_LABEL_CHARACTERS)
    return f"phone {phone}" if device.is_phone else "your device"


def _next_code(device: Device, factor: Factor, shown: bool) -> str:
    digit = device.sms_next_code[:1]
    return f" (next code starts with: {digit})" if shown and factor is Factor.SMS and digit else ""


def _shortened(text: str, limit: int) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _console(name: str, lines: Sequence[_Line]) -> str:
    head = f"Duo two-factor login for {name}\n\n{_instruction(lines)}\n\n"
    listed = "".join(f" {line.option.number}. {line.sentence}\n" for line in lines)
    return head + (f"{listed}\n" if lines else "") + _question(lines)


def _short(name: str, lines: Sequence[_Line]) -> str:
    if not lines:
        return _question(lines)
    return " ".join(f"{line.option.number}:{line.word}" for line in lines) + ", or passcode: "


def _html(name: str, lines: Sequence[_Line]) -> str:
    items = "".join(f"<li>{html.escape(line.sentence)}</li>" for line in lines)
    head = f"<p>Duo two-factor login for {html.escape(name)}</p><p>{_instruction(lines)}</p>"
    return head + (f"<ol>{items}</ol>" if lines else "") + f"<p>{_question(lines)}</p>"


def _instruction(lines: Sequence[_Line]) -> str:
    return "Enter a passcode or select one of the following options:" if lines else "Enter a passcode."


def _question(lines: Sequence[_Line]) -> str:
    return f"Passcode or option (1-{len(lines)}): " if lines else "Passcode: "


_WRITERS = {PromptFormat.CONSOLE: _console, PromptFormat.SHORT: _short, PromptFormat.HTML: _html}
