"""Catalogue: the kinds of sections that there are, and which of them a heading names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from attrs import Factory, frozen

from duoproxy.config.kind import AttributeDictionary
from duoproxy.config.near import nearest
from duoproxy.config.option_index import OptionIndex
from duoproxy.config.schema import Role, SectionSchema

_NUMBERED_NAME: Final = re.compile(r"(.+?)([1-9][0-9]{0,3})")


def no_dictionary(*extra_files: Path) -> AttributeDictionary:
    """Stand in for a loader where no section has an option with attribute names."""
    return _EmptyDictionary()


class _EmptyDictionary:
    def find(self, name: str, /) -> None:
        return None

    def suggestions(self, name: str, /) -> list[str]:
        return []


@frozen
class Catalogue:
    """What sections there are.

    Attributes:
        schemas: by name; `main` is one of them.
        planned: names of sections that this version knows but does not serve, each with what is to be said of it.
        left_out: names of sections that this version knows and the start goes on without, each with what is to be said
            of it.
        dictionary_loader: gives the RADIUS attribute names, ours and those of the files that are its arguments.
    """

    schemas: Mapping[str, SectionSchema]
    planned: Mapping[str, str] = Factory(dict)
    left_out: Mapping[str, str] = Factory(dict)
    dictionary_loader: Callable[..., AttributeDictionary] = no_dictionary

    def resolve(self, name: str) -> tuple[SectionSchema, int | None] | None:
        """Find the kind and the number of a heading (lower case): `radius_client2` is the second [radius_client]."""
        if name in self.schemas:
            return self.schemas[name], None
        stem, number = _split(name)
        return (self.schemas[stem], number) if number is not None and stem in self.schemas else None

    def planned_sentence(self, name: str) -> str | None:
        """Find what is to be said about a section that is not served yet."""
        return self.planned.get(name) or self.planned.get(_split(name)[0])

    def left_out_sentence(self, name: str) -> str | None:
        """Find what is to be said about a section that the start goes on without."""
        return self.left_out.get(name) or self.left_out.get(_split(name)[0])

    def near_names(self, name: str) -> list[str]:
        """Name the sections that an unknown heading may be a slip of."""
        return nearest(name.rstrip("0123456789"), [*self.schemas, *self.planned, *self.left_out])

    def of_role(self, role: Role) -> list[SectionSchema]:
        """List the kinds of one role."""
        return [schema for schema in self.schemas.values() if schema.role is role]

    @cached_property
    def inheritable(self) -> OptionIndex:
        """Finds the options that may stand in [main] because it has them or some section inherits them."""
        return OptionIndex(
            option
            for schema in self.schemas.values()
            for option in schema.options
            if schema.role is Role.MAIN or option.inherited
        )

    def owners(self, key: str) -> list[str]:
        """Name the kinds of sections that have an option of this key."""
        return [schema.name for schema in self.schemas.values() if schema.index.find(key)]

    def restricts(self, key: str) -> bool:
        """Tell whether an option of this key decides in some section who gets in."""
        found = (schema.index.find(key) for schema in self.schemas.values())
        return any(named is not None and named.option.restricts for named in found)


def _split(name: str) -> tuple[str, int | None]:
    numbered = _NUMBERED_NAME.fullmatch(name)
    return (numbered.group(1), int(numbered.group(2))) if numbered else (name, None)
