"""OptionIndex: which option, and which number of it, a key of the file names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from attrs import evolve, frozen

from duoproxy.config.near import nearest
from duoproxy.config.option import OldName, Option

_PROTECTED: Final = re.compile(r"(?P<stem>.+)_protected(?P<number>_[0-9]+)?")


def protected_key(option: Option, number: int) -> str:
    """Write the name of the encrypted twin of a secret option: `skey_protected`, `radius_secret_protected_1`."""
    return f"{option.name}_protected{option.key(number).removeprefix(option.name)}"


@frozen
class Named:
    """What a key names.

    Attributes:
        option: the option.
        number: its number; 1 for options without numbers.
        old_name: the other name by which it was written, if it was.
        protected: it was written as the encrypted twin of the option.
    """

    option: Option
    number: int
    old_name: OldName | None = None
    protected: bool = False


class OptionIndex:
    """Finds options by the keys under which they may stand in a file, which may have thousands of numbered lines."""

    def __init__(self, options: Iterable[Option]) -> None:
        """Index some options; of two with one name the first counts."""
        self._by_name: dict[str, Option] = {}
        self._by_old_name: dict[str, tuple[Option, OldName]] = {}
        for option in options:
            self._by_name.setdefault(option.name, option)
            for old in option.old_names:
                self._by_old_name.setdefault(old.name, (option, old))

    def find(self, key: str) -> Named | None:
        """Find what a key (lower case) names."""
        for name in (key, key.rpartition("_")[0]):
            option = self._by_name.get(name)
            number = option.number_in(key) if option is not None else None
            if option is not None and number is not None:
                return Named(option, number)
        if key in self._by_old_name:
            option, old = self._by_old_name[key]
            return Named(option, 1, old)
        return self._find_protected(key)

    def _find_protected(self, key: str) -> Named | None:
        """Find the secret whose encrypted twin a key names."""
        protected = _PROTECTED.fullmatch(key)
        if protected is None:
            return None
        named = self.find(protected["stem"] + (protected["number"] or ""))
        is_twin = named is not None and named.option.kind.secret and not named.protected
        return evolve(named, protected=True) if named is not None and is_twin else None

    def near(self, key: str) -> list[tuple[str, Option]]:
        """List what a key that names nothing may be a slip of, the nearest first: how it is spelled, and the option.

        Numbered options are spelled with the number at the end of the key.
        """
        digits = key[len(key.rstrip("0123456789")) :].lstrip("0")[:4]
        number = int(digits) if digits else 1
        spellings = {option.key(number): option for option in self._by_name.values()}
        spellings.update({name: option for name, (option, _) in self._by_old_name.items()})
        return [(spelling, spellings[spelling]) for spelling in nearest(key, spellings)]
