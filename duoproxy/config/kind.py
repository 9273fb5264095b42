"""Kind: how the text of an option becomes a value, and what a kind needs to know for that.

A kind knows nothing of sections, lines or severities: it says what is wrong with a text and what to write instead.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from attrs import Factory, frozen

from duoproxy.errors import DuoproxyError

ValueT = TypeVar("ValueT")


class ValueParseError(DuoproxyError):
    """A text is not a value of its kind.

    Attributes:
        what: one clause: what is wrong.
        remedy: one clause that begins with a verb: what to write.
        wants_example: whether ", such as EXAMPLE" may be added to the remedy.
    """

    def __init__(self, what: str, remedy: str, *, wants_example: bool = True) -> None:
        super().__init__(f"{what}. {remedy}.")
        self.what = what
        self.remedy = remedy
        self.wants_example = wants_example


class Reach(enum.Enum):
    """How far a value is followed to where it points: files, environment, credentials."""

    SERVICE = "service"
    """This is the service: everything has to be there."""
    SHELL = "shell"
    """An administrator checks the file: what only the service's account or environment has gives a warning."""
    NOTHING = "nothing"
    """The file is a copy from elsewhere: nothing but the file itself is looked at."""


class KnownAttribute(Protocol):
    """What a dictionary says about one RADIUS attribute."""

    @property
    def attribute_id(self) -> Any:
        """Vendor and number."""


class AttributeDictionary(Protocol):
    """The part of `duoproxy.radius.dictionary.Dictionary` that options need."""

    def find(self, name: str, /) -> KnownAttribute | None:
        """Look an attribute up by name, number or `Vendor-Id:Type`."""

    def suggestions(self, name: str, /) -> list[str]:
        """Name the attributes that `name` may be a slip of."""


@frozen
class ParseContext:
    """What surrounds the value that is parsed.

    Attributes:
        folder: folder of the configuration file; relative paths start here.
        environ: the environment, for `env:NAME` and `credential:NAME`.
        dictionary: RADIUS attribute names, or None where no option needs them.
        made_files: files that a section of this configuration makes when it starts.
        client_sections: names of the client sections of the file.
        reach: how far values are followed.
        reads_as: the user with whose rights files that are named are read; None: those of this process.
        warnings: (what, remedy) pairs; kinds add to it with `warn`.
    """

    folder: Path
    environ: Mapping[str, str] = Factory(dict)
    dictionary: AttributeDictionary | None = None
    made_files: frozenset[Path] = frozenset()
    client_sections: frozenset[str] = frozenset()
    reach: Reach = Reach.SERVICE
    reads_as: int | None = None
    warnings: list[tuple[str, str]] = Factory(list)

    def warn(self, what: str, remedy: str) -> None:
        """Note something doubtful about a value that can be used."""
        self.warnings.append((what, remedy))

    @property
    def lends_environment(self) -> bool:
        """Whether a secret may be taken from the environment of this process.

        Not where root looks at a configuration of somebody else's: that could name any variable of root's shell, and
        have it sent somewhere as a password. A service that root starts has been given its environment by root.
        """
        return self.reach is Reach.SERVICE or self.reads_as is None

    @property
    def follows_files(self) -> bool:
        """Whether files that are named are looked at."""
        return self.reach is not Reach.NOTHING

    def path(self, text: str) -> Path:
        """Resolve a file name of the configuration against its folder."""
        return self.folder / text


class Kind(Generic[ValueT]):
    """How a text becomes a value. Kinds are immutable and shared.

    Attributes:
        secret: the text must never be shown.
        ends_at_comment: no value of this kind has a `;` or `#`, so that a trailing comment can be told from it.
    """

    secret: ClassVar[bool] = False

    @property
    def ends_at_comment(self) -> bool:
        """Whether a trailing comment can be cut off (with a warning)."""
        return False

    def parse(self, text: str, context: ParseContext) -> ValueT:
        """Read the value.

        Args:
            text: what stands right of the `=`, outer blanks removed; never empty unless `accepts_empty`.
            context: what surrounds it.

        Raises:
            ValueParseError: with what is wrong and what to write.
        """
        raise NotImplementedError

    @property
    def distinct(self) -> bool:
        """Whether the values of one numbered option have to differ."""
        return False

    @property
    def accepts_empty(self) -> bool:
        """Whether nothing right of the `=` is a value."""
        return False

    def describe(self) -> str:
        """Say for the docs what may be written, in a few words."""
        raise NotImplementedError

    def show(self, value: ValueT) -> str:
        """Write a value (a default) as it would stand in the file."""
        return str(value)

    def completions(self) -> tuple[str, ...]:
        """Values that an editor can offer; empty when there is no short list."""
        return ()
