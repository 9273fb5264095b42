"""SectionSchema: what there is to know about one kind of section before any of it runs."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from attrs import frozen

from duoproxy.config.option import Option, options_of
from duoproxy.config.option_index import OptionIndex

Listener = tuple[str, str, int]
"""(transport `udp` or `tcp`, interface or "" for all, port)"""

Finding = tuple[str, str, str]
"""(option with its number, what is wrong, what to write)"""


class Role(enum.Enum):
    """What a section does."""

    MAIN = "main"
    CLIENT = "client"
    SERVER = "server"


@frozen
class SectionSchema:
    """One kind of section.

    Attributes:
        name: the name between the brackets, without a number.
        role: `[main]`, a section that checks passwords, or a section that listens.
        summary: one sentence.
        settings_class: a `@settings` class: its options.
        doc: more text for the docs page, markdown.
        loopback_only: with such a section in the file every listener has to be on loopback (the sandbox).
        takes_client: a server section that needs a client section; its settings have the option `client`
            (`SectionName`, default None).
        needs_of_client: what its client section must offer beside checking passwords; empty: nothing.
        offers: what a client section offers to server sections that need it.
        listens: tells from the settings on what a server section listens.
        asks: tells from the settings whom a client section asks, in the same form: transport, host as written, port.
        connections: tells from the settings how many connections a server section holds open beside those of logins.
        check: finds errors that no single option shows.
        advise: finds what is doubtful; the same, as warnings.
    """

    name: str
    role: Role
    summary: str
    settings_class: type
    doc: str = ""
    loopback_only: bool = False
    takes_client: bool = False
    needs_of_client: str = ""
    offers: frozenset[str] = frozenset()
    listens: Callable[[Any], Sequence[Listener]] | None = None
    asks: Callable[[Any], Sequence[Listener]] | None = None
    connections: Callable[[Any], int] | None = None
    check: Callable[[Any], Iterable[Finding]] | None = None
    advise: Callable[[Any], Iterable[Finding]] | None = None

    @property
    def options(self) -> tuple[Option, ...]:
        """Its options in the order of their declaration."""
        return _options(self.settings_class)

    @property
    def index(self) -> OptionIndex:
        """Finds its options by the keys in a file."""
        return _index(self.settings_class)

    def option(self, name: str) -> Option | None:
        """Find an option by its name without a number."""
        return next((option for option in self.options if option.name == name), None)


@lru_cache(maxsize=256)
def _options(settings_class: type) -> tuple[Option, ...]:
    return options_of(settings_class)


@lru_cache(maxsize=256)
def _index(settings_class: type) -> OptionIndex:
    return OptionIndex(_options(settings_class))
