"""OptionIndex: which option, and which number of it, a key of the file names."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from duoproxy.config.near import nearest
from duoproxy.config.option import OldName, Option


@frozen
class Named:
    """What a key names.

    Attributes:
        option: the option.
        number: its number; 1 for options without numbers.
        old_name: the other name by which it was written, if it was.
    """

    option: Option
    number: int
    old_name: OldName | None = None


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
        return None

    def near(self, key: str) -> list[tuple[str, Option]]:
        """List what a key that names nothing may be a slip of, the nearest first: how it is spelled, and the option.

        Numbered options are spelled with the number at the end of the key.
        """
        digits = key[len(key.rstrip("0123456789")) :].lstrip("0")[:4]
        number = int(digits) if digits else 1
        spellings = {option.key(number): option for option in self._by_name.values()}
        spellings.update({name: option for name, (option, _) in self._by_old_name.items()})
        return [(spelling, spellings[spelling]) for spelling in nearest(key, spellings)]
