"""Kinds of values that need nothing but their own text: words, numbers, choices, lists."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from duoproxy.config.kind import Kind, ParseContext, ValueParseError
from duoproxy.config.problems import quoted

TRUE_WORDS = frozenset({"true", "yes", "on", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "0"})
MAX_LIST_ITEMS = 1000
"""Items of one comma list."""
NO_CLIENT_SECTION_REMEDY = (
    "Add the section that checks passwords: [ad_client] or [radius_client], or [duo_only_client] where the device has "
    "checked them"
)

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?")
_CODEC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_CODEC_PROBE = "".join(map(chr, range(0x20, 0x7F)))
_UNFIT_CODECS = frozenset({"raw-unicode-escape"})

ItemT = TypeVar("ItemT")


class Text(Kind[str]):
    """Any text, as it stands."""

    def __init__(
        self, described: str = "text", *, empty: bool = False, max_chars: int = 1024, pattern: str = ""
    ) -> None:
        """Describe the text.

        Args:
            described: what it is, for docs and errors ("a user name").
            empty: nothing at all is a value.
            max_chars: the longest text.
            pattern: a regular expression that the whole text must match.
        """
        self._described = described
        self._empty = empty
        self._max_chars = max_chars
        self._pattern = re.compile(pattern) if pattern else None

    @property
    def accepts_empty(self) -> bool:
        """Whether nothing right of the `=` is a value."""
        return self._empty

    def parse(self, text: str, context: ParseContext) -> str:
        """Give the text back."""
        if len(text) > self._max_chars:
            raise ValueParseError(f"the value has {len(text)} characters", f"Write at most {self._max_chars}")
        if self._pattern and not self._pattern.fullmatch(text):
            raise ValueParseError(f"{quoted(text)} is not {self._described}", f"Write {self._described}")
        return text

    def describe(self) -> str:
        """Say what may be written."""
        return self._described


class Boolean(Kind[bool]):
    """True or false, in any case."""

    @property
    def ends_at_comment(self) -> bool:
        """A boolean has no `;` or `#`."""
        return True

    def parse(self, text: str, context: ParseContext) -> bool:
        """Read true or false."""
        word = text.lower()
        if word not in TRUE_WORDS | FALSE_WORDS:
            raise ValueParseError(
                f"{quoted(text)} is neither true nor false", "Write true or false", wants_example=False
            )
        return word in TRUE_WORDS

    def describe(self) -> str:
        """Say what may be written."""
        return "true or false"

    def show(self, value: bool) -> str:
        """Write it as in a file."""
        return "true" if value else "false"

    def completions(self) -> tuple[str, ...]:
        """Offer both."""
        return ("true", "false")


class FalseOnly(Boolean):
    """An option of the original that cannot be had here: `false` is accepted, `true` is refused with the reason."""

    def __init__(self, what: str, remedy: str) -> None:
        """Say why it cannot be true, and what to do instead."""
        self._what = what
        self._remedy = remedy

    def parse(self, text: str, context: ParseContext) -> bool:
        """Read false."""
        if super().parse(text, context):
            raise ValueParseError(self._what, self._remedy, wants_example=False)
        return False

    def describe(self) -> str:
        """Say what may be written."""
        return "false"

    def completions(self) -> tuple[str, ...]:
        """Offer the one value."""
        return ("false",)


class Integer(Kind[int]):
    """A whole number within bounds."""

    def __init__(self, minimum: int = 0, maximum: int = 2**31 - 1) -> None:
        """Set the bounds, both included."""
        self.minimum = minimum
        self.maximum = maximum

    @property
    def ends_at_comment(self) -> bool:
        """A number has no `;` or `#`."""
        return True

    def parse(self, text: str, context: ParseContext) -> int:
        """Read a whole number."""
        remedy = f"Write {self.describe()}"
        if not _INTEGER.fullmatch(text):
            raise ValueParseError(f"{quoted(text)} is not a whole number", remedy)
        number = int(text)
        if not self.minimum <= number <= self.maximum:
            size = "small" if number < self.minimum else "large"
            raise ValueParseError(f"{text} is too {size}", remedy)
        return number

    def describe(self) -> str:
        """Say what may be written."""
        return f"a number from {self.minimum} to {self.maximum}"


class Seconds(Kind[float]):
    """A span of time in seconds, with decimals if need be."""

    def __init__(self, minimum: float = 0, maximum: float = 86400) -> None:
        """Set the bounds in seconds, both included."""
        self.minimum = minimum
        self.maximum = maximum

    @property
    def ends_at_comment(self) -> bool:
        """A number has no `;` or `#`."""
        return True

    def parse(self, text: str, context: ParseContext) -> float:
        """Read a number of seconds."""
        remedy = f"Write {self.describe()}"
        if not _DECIMAL.fullmatch(text):
            raise ValueParseError(f"{quoted(text)} is not a number of seconds", remedy)
        seconds = float(text)
        if not (math.isfinite(seconds) and self.minimum <= seconds <= self.maximum):
            size = "small" if seconds < self.minimum else "large"
            raise ValueParseError(f"{text} is too {size}", remedy)
        return seconds

    def describe(self) -> str:
        """Say what may be written."""
        return f"a number of seconds from {self.minimum:g} to {self.maximum:g}"

    def show(self, value: float) -> str:
        """Write it as in a file: whole seconds without a point."""
        return f"{value:g}"


class Choice(Kind[str]):
    """One of a few words, in any case; the value is the word as declared."""

    def __init__(self, *words: str, refused: Mapping[str, tuple[str, str]] = MappingProxyType({})) -> None:
        """List the words.

        Args:
            words: what may be written.
            refused: words of the original, in small letters, that cannot be had here: what is wrong, and the remedy.
        """
        self._words = {word.lower(): word for word in words}
        self._refused = refused

    @property
    def ends_at_comment(self) -> bool:
        """No word has a `;` or `#`."""
        return True

    def parse(self, text: str, context: ParseContext) -> str:
        """Read one of the words."""
        if text.lower() in self._refused:
            raise ValueParseError(*self._refused[text.lower()], wants_example=False)
        if text.lower() not in self._words:
            raise ValueParseError(
                f"{quoted(text)} is not one of the choices", f"Write {self.describe()}", wants_example=False
            )
        return self._words[text.lower()]

    def describe(self) -> str:
        """Say what may be written."""
        return one_of(tuple(self._words.values()))

    def completions(self) -> tuple[str, ...]:
        """Offer the words."""
        return tuple(self._words.values())


class CommaList(Kind[tuple[ItemT, ...]]):
    """Several values of one kind between commas; the order is kept, a repeated one is an error."""

    def __init__(self, item: Kind[ItemT]) -> None:
        """Set the kind of each item."""
        self.item = item

    @property
    def ends_at_comment(self) -> bool:
        """A list ends at a comment if its items do."""
        return self.item.ends_at_comment

    def parse(self, text: str, context: ParseContext) -> tuple[ItemT, ...]:
        """Read the items."""
        parts = [part.strip() for part in text.split(",")]
        if len(parts) > MAX_LIST_ITEMS:
            raise ValueParseError(
                f"the list has {len(parts)} items", f"Write at most {MAX_LIST_ITEMS}", wants_example=False
            )
        if "" in parts:
            raise ValueParseError("there is nothing between two commas", f"Write {self.describe()}")
        values: list[Any] = []
        for part in parts:
            value = self.item.parse(part, context)
            if value in values:
                raise ValueParseError(f"{quoted(part)} stands in the list twice", "Write it once", wants_example=False)
            values.append(value)
        return tuple(values)

    def describe(self) -> str:
        """Say what may be written."""
        return f"a comma list of: {self.item.describe()}"

    def show(self, value: tuple[ItemT, ...]) -> str:
        """Write it as in a file."""
        return ",".join(self.item.show(item) for item in value)

    def completions(self) -> tuple[str, ...]:
        """Offer the items."""
        return self.item.completions()


class Codec(Kind[str]):
    """A character encoding of passwords that Python knows; the value is its canonical name."""

    @property
    def ends_at_comment(self) -> bool:
        """No encoding has a `;` or `#` in its name."""
        return True

    def parse(self, text: str, context: ParseContext) -> str:
        """Look the encoding up; it has to be one in which ASCII characters are their own octets."""
        remedy = "Write the name of a character encoding: utf-8, latin-1, cp1252"
        try:
            name = codecs.lookup(text).name if _CODEC_NAME.fullmatch(text) else ""
        except (LookupError, ValueError, ImportError):
            name = ""
        if not name:
            raise ValueParseError(f"{quoted(text)} is not a known character encoding", remedy, wants_example=False)
        try:
            fits = name not in _UNFIT_CODECS and _CODEC_PROBE.encode(name) == _CODEC_PROBE.encode("ascii")
        except (LookupError, ValueError):
            fits = False
        if not fits:
            raise ValueParseError(f"{quoted(text)} is not fit for passwords", remedy, wants_example=False)
        return name

    def describe(self) -> str:
        """Say what may be written."""
        return "a character encoding (utf-8, latin-1, cp1252 …)"

    def completions(self) -> tuple[str, ...]:
        """Offer the usual ones."""
        return ("utf-8", "latin-1", "cp1252")


class SectionName(Kind[str]):
    """The name of a client section of the same file."""

    @property
    def ends_at_comment(self) -> bool:
        """No section name has a `;` or `#`."""
        return True

    def parse(self, text: str, context: ParseContext) -> str:
        """Find the section."""
        name = text.strip("[] ").lower()
        if name not in context.client_sections:
            known = ", ".join(sorted(context.client_sections))
            remedy = f"Write one of: {known}" if known else NO_CLIENT_SECTION_REMEDY
            raise ValueParseError(f"{quoted(text)} is not a client section of this file", remedy, wants_example=False)
        return name

    def describe(self) -> str:
        """Say what may be written."""
        return "the name of a client section"


def one_of(words: tuple[str, ...]) -> str:
    """Join words: "safe or secure"; "auto, push or phone"."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
