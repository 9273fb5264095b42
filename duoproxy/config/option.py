"""option and settings: an option of a section is declared once, as a typed field of a settings class.

    @settings
    class RadiusClientSettings:
        '''Options of [radius_client].'''

        host: Mapping[int, str] = option(HostOrAddress(), numbered=Numbering.FIRST_BARE, help="…", example="10.1.2.3")
        retries: int = option(Integer(1, 100), default=3, help="Tries per host.")

The field name is the option name (of numbered options: without the number). Parsing, checks, docs, the sample file and
masking all read the `Option` values that `options_of` gives.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast, dataclass_transform

import attrs

from duoproxy.config.kind import Kind

MAX_OPTION_NUMBER: Final = 9999
"""The largest n of `name_n`."""

_METADATA_KEY: Final = "duoproxy.option"
SettingsT = TypeVar("SettingsT")


class Required(enum.Enum):
    """Stands in place of a default: the option must be written."""

    REQUIRED = "required"


REQUIRED: Final = Required.REQUIRED


class Numbering(enum.Enum):
    """How an option that may be given several times is numbered."""

    NONE = "none"
    FROM_ONE = "from one"
    """`radius_ip_1`, `radius_ip_2` …"""
    FIRST_BARE = "first bare"
    """`host`, `host_2` …; the bare one has the number 1."""


@attrs.frozen
class OldName:
    """Another name under which the option is read, for files written for the original.

    Attributes:
        name: the other name.
        values: what a value (lower case) of the other name means; empty: the same.
    """

    name: str
    values: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Option:
    """The declaration of one option.

    Attributes:
        name: as it is written in the file; without the number for numbered ones.
        kind: how its text becomes a value.
        default: its value when it is not written, or `REQUIRED`; of numbered options with `one_per`: for each number.
        help: one or more sentences for the docs.
        unit: unit of a number (`seconds`).
        numbered: whether and how it is numbered.
        since: the version of duoproxy that brought it, "" for the first.
        example: a value as it would be written, for docs and error messages.
        restricts: it restricts who gets in, so that a near miss of its name is an error and not a warning.
        inherited: a value in `[main]` holds for this section too.
        paired_with: another numbered option; a number of one of the two needs the same number of the other.
        one_per: another numbered option of the class, declared before: this one has a value for each of its numbers.
            A missing one is the default or, for a required option, the value of number 1.
        old_names: other names under which it is read.
    """

    name: str
    kind: Kind[Any]
    default: Any
    help: str
    unit: str = ""
    numbered: Numbering = Numbering.NONE
    since: str = ""
    example: str = ""
    restricts: bool = False
    inherited: bool = True
    paired_with: str = ""
    one_per: str = ""
    old_names: tuple[OldName, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it must be written (numbered ones: at least once)."""
        return self.default is REQUIRED

    @property
    def is_numbered(self) -> bool:
        """Whether it may be given several times, told apart by a number."""
        return self.numbered is not Numbering.NONE

    def key(self, number: int = 1) -> str:
        """Write its name with a number, as it stands in the file."""
        if self.numbered is Numbering.NONE or (self.numbered is Numbering.FIRST_BARE and number == 1):
            return self.name
        return f"{self.name}_{number}"

    def number_in(self, key: str) -> int | None:
        """Tell which number of this option a key (lower case) names; None when it names another option."""
        if key == self.name:
            return None if self.numbered is Numbering.FROM_ONE else 1
        stem, _, digits = key.rpartition("_")
        if stem != self.name or not self.is_numbered or not (digits.isascii() and digits.isdigit()):
            return None
        number = int(digits) if len(digits) <= len(str(MAX_OPTION_NUMBER)) else 0
        first = 2 if self.numbered is Numbering.FIRST_BARE else 1
        return number if number >= first and not digits.startswith("0") else None


def option(
    kind: Kind[Any],
    default: Any = REQUIRED,
    *,
    help: str,
    unit: str = "",
    numbered: Numbering = Numbering.NONE,
    since: str = "",
    example: str = "",
    restricts: bool = False,
    inherited: bool = True,
    paired_with: str = "",
    one_per: str = "",
    old_names: tuple[OldName, ...] = (),
) -> Any:
    """Declare one option in the body of a `@settings` class; the arguments are those of `Option`.

    Write `default=` with its name: type checkers see only then that the field may be left out.
    """
    declared = Option(
        "", kind, default, help, unit, numbered, since, example, restricts, inherited, paired_with, one_per, old_names
    )
    metadata = {_METADATA_KEY: declared}
    if numbered is Numbering.NONE:
        return attrs.field(default=attrs.NOTHING if default is REQUIRED else default, metadata=metadata)
    converter: Any = attrs.Converter(_filler(declared), takes_self=True) if one_per else _read_only
    return attrs.field(
        default=attrs.NOTHING if default is REQUIRED else attrs.Factory(dict),
        converter=converter,
        metadata=metadata,
    )


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option,))
def settings(cls: type[SettingsT]) -> type[SettingsT]:
    """Make a frozen, comparable class of typed options; its arguments are given by name.

    Such classes can be inherited, also several at once.

    Raises:
        TypeError: a field is not declared with `option`.
    """
    # No slots: two classes with slots cannot be inherited at once.
    made = attrs.frozen(kw_only=True, slots=False)(cls)
    for field in attrs.fields(cast("type[attrs.AttrsInstance]", made)):
        if _METADATA_KEY not in field.metadata:
            raise TypeError(f"{cls.__name__}.{field.name} is not declared with option(…)")
    return made


def options_of(settings_class: type[Any]) -> tuple[Option, ...]:
    """List the options of a `@settings` class: inherited ones first, then in the order of the class body."""
    return tuple(attrs.evolve(field.metadata[_METADATA_KEY], name=field.name) for field in attrs.fields(settings_class))


def _read_only(values: Mapping[int, Any]) -> Mapping[int, Any]:
    return MappingProxyType(dict(sorted(values.items())))


def _filler(declared: Option) -> Callable[[Mapping[int, Any], Any], Mapping[int, Any]]:
    """Make the converter that gives an option with `one_per` a value for each number of the other option."""

    def fill(values: Mapping[int, Any], instance: Any) -> Mapping[int, Any]:
        numbers = getattr(instance, declared.one_per)
        missing = values.get(1) if declared.default is REQUIRED else declared.default
        filled = {number: values.get(number, missing) for number in numbers}
        return _read_only({**values, **filled})

    return fill
