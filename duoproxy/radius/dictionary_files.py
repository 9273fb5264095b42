"""Reading dictionary files in the format of FreeRADIUS 2 and 3.

Owns the grammar: ATTRIBUTE, VALUE, VENDOR, BEGIN-VENDOR, END-VENDOR, BEGIN-TLV, END-TLV, $INCLUDE. What the format can
say and a `Dictionary` cannot hold (attributes inside attributes, numbers over 255 that FreeRADIUS keeps for itself) is
read and left out, so that an administrator can point to a file as it came with a device.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import IO

from attrs import evolve

from duoproxy.radius.attributes import AttributeId
from duoproxy.radius.definitions import USUAL_FORMAT, AttributeDefinition, DictionaryError, Encryption, VendorFormat

MAX_INCLUDE_DEPTH = 16
MAX_FILE_BYTES = 4 << 20
MAX_NUMBER_CHARACTERS = 24
"""The longest number that a format of 64 bits needs, with room for a sign and leading zeros."""
MAX_QUOTED_CHARACTERS = 60
"""A word of a file is quoted in an error up to this length."""

_DATA_TYPES = frozenset(
    {
        *("string", "text", "octets", "integer", "integer64", "byte", "short", "signed", "bool", "date", "time_delta"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"),
        *("ipaddr", "ipv4prefix", "ipv6addr", "ipv6prefix", "combo-ip", "combo-prefix", "ether", "ifid", "abinary"),
        *("tlv", "vsa", "evs", "extended", "long-extended", "vendor", "struct"),
    }
)
_ENCRYPTIONS = {"1": Encryption.USER_PASSWORD, "2": Encryption.TUNNEL_PASSWORD, "3": Encryption.UNKNOWN}
_FLAGS_WITHOUT_MEANING_HERE = frozenset({"array", "concat", "virtual", "secret", "internal", "long", "key", "extra"})


class DictionaryReader:
    """Reads files one after the other.

    Attributes:
        definitions: in the order of their lines; of two with one name or number, the later counts.
        vendor_formats: of the vendors that have a VENDOR line with `format=`.
    """

    def __init__(self) -> None:
        self.definitions: list[AttributeDefinition] = []
        self.vendor_formats: dict[int, VendorFormat] = {}
        self._index: dict[str, int] = {}
        self._left_out: set[str] = set()
        self._vendors: dict[str, int] = {}
        self._values: list[tuple[_Place, str, str, str]] = []
        self._vendor: tuple[str, int] | None = None
        self._tlvs: list[str] = []
        self._verbs: dict[str, Callable[[_Place, list[str]], None]] = {
            "ATTRIBUTE": self._attribute,
            "VALUE": self._value,
            "VENDOR": self._vendor_name,
            "BEGIN-VENDOR": self._begin_vendor,
            "END-VENDOR": self._end_vendor,
            "BEGIN-TLV": self._begin_tlv,
            "END-TLV": self._end_tlv,
        }

    def read(self, folder: Traversable, name: str) -> None:
        """Read the file `name` in `folder`, and what it includes.

        Raises:
            DictionaryError: it cannot be read, or has a line that cannot be used.
        """
        self._vendor = None
        self._tlvs = []
        self._read_file(folder, name, None, 0)
        self._resolve_values()

    def _read_file(self, folder: Traversable, name: str, includer: _Place | None, depth: int) -> None:
        file = folder / name
        blame = includer or _Place(str(file), 0)
        if depth > MAX_INCLUDE_DEPTH:
            what = f"more than {MAX_INCLUDE_DEPTH} files include one another; does {_quoted(name)} include itself?"
            raise blame.error(what)
        try:
            with file.open("rb") as opened:
                octets, shown = opened.read(MAX_FILE_BYTES + 1), _may_be_shown(opened)
        except OSError as error:
            raise blame.error(f"{_quoted(name)} cannot be read: {error.strerror or error}") from None
        if len(octets) > MAX_FILE_BYTES:
            raise blame.error(f"{_quoted(name)} is too long; a dictionary has at most {MAX_FILE_BYTES} octets")
        for number, line in enumerate(octets.decode("utf-8-sig", "replace").splitlines(), 1):
            words = line.partition("#")[0].split()
            if words:
                self._line(_Place(str(file), number, shown), words, (folder, name), depth)

    def _line(self, place: _Place, words: list[str], file: tuple[Traversable, str], depth: int) -> None:
        if not all(word.isprintable() for word in words):
            # Names of this file are shown in logs and offered on a terminal.
            raise place.error("there is a character in the line that cannot be printed")
        verb = words[0].upper()
        if verb in ("$INCLUDE", "$INCLUDE-"):
            _need(place, words, 2, "$INCLUDE FILE")
            folder, name = file
            inner_folder, _, inner_name = words[1].rpartition("/")
            # A file is looked for beside the one that includes it, not beside the first.
            self._read_file(_folder_of(folder, name, inner_folder, words[1]), inner_name, place, depth + 1)
        elif verb in self._verbs:
            self._verbs[verb](place, words)
        else:
            raise place.error(f"{_quoted(words[0])} is no keyword of the dictionary format (FreeRADIUS 2 and 3)")

    def _attribute(self, place: _Place, words: list[str]) -> None:
        _need(place, words, 4, "ATTRIBUTE NAME NUMBER TYPE")
        name, number_text, data_type = words[1], words[2], words[3].lower().partition("[")[0]
        if data_type not in _DATA_TYPES:
            raise place.error(f"{_quoted(words[3])} is no data type")
        vendor = self._vendor
        flags = words[4] if len(words) > 4 else ""
        if vendor is None and flags in self._vendors:
            # The format of older servers names the vendor at the end of the line.
            vendor, flags = (flags, self._vendors[flags]), ""
        if self._tlvs or "." in number_text:
            self._left_out.add(name.casefold())
            return
        number = _number(place, number_text)
        vendor_id = vendor[1] if vendor else 0
        limit = 256 ** self.vendor_formats.get(vendor_id, USUAL_FORMAT).type_octets - 1
        if not 0 <= number <= limit:
            if vendor_id:
                raise place.error(f"{number} is no attribute number of this vendor; the highest is {limit}")
            self._left_out.add(name.casefold())
            return
        definition = AttributeDefinition(name, AttributeId(vendor_id, number), data_type)
        self._define(_with_flags(place, definition, flags))

    def _define(self, definition: AttributeDefinition) -> None:
        self._left_out.discard(definition.name.casefold())
        self._index[definition.name.casefold()] = len(self.definitions)
        self.definitions.append(definition)

    def _value(self, place: _Place, words: list[str]) -> None:
        _need(place, words, 4, "VALUE ATTRIBUTE NAME NUMBER")
        self._values.append((place, words[1], words[2], words[3]))

    def _resolve_values(self) -> None:
        """Give the names of numbers to their attributes: a file may name them before the attribute itself."""
        names: dict[int, dict[int, str]] = {}
        for place, attribute, name, number_text in self._values:
            index = self._index.get(attribute.casefold())
            if index is None:
                if attribute.casefold() in self._left_out:
                    continue
                raise place.error(f"VALUE of {_quoted(attribute)}, which no ATTRIBUTE line names")
            if self.definitions[index].data_type not in ("ether", "octets", "string"):
                names.setdefault(index, {})[_number(place, number_text)] = name
        for index, values in names.items():
            definition = self.definitions[index]
            known = MappingProxyType({**definition.values, **values})
            self.definitions[index] = evolve(definition, values=known)
        self._values = []

    def _vendor_name(self, place: _Place, words: list[str]) -> None:
        _need(place, words, 3, "VENDOR NAME NUMBER")
        vendor = _number(place, words[2])
        if not 0 < vendor < 1 << 32:
            raise place.error(f"{vendor} is no Vendor-Id")
        self._vendors[words[1]] = vendor
        if len(words) > 3 and words[3].startswith("format="):
            self.vendor_formats[vendor] = _vendor_format(place, words[3])

    def _begin_vendor(self, place: _Place, words: list[str]) -> None:
        _need(place, words, 2, "BEGIN-VENDOR NAME")
        if words[1] not in self._vendors:
            raise place.error(f"no VENDOR line names {_quoted(words[1])}")
        if self._vendor is not None:
            raise place.error(f"BEGIN-VENDOR inside BEGIN-VENDOR {_cut(self._vendor[0])}")
        self._vendor = (words[1], self._vendors[words[1]])

    def _end_vendor(self, place: _Place, words: list[str]) -> None:
        _need(place, words, 2, "END-VENDOR NAME")
        if self._vendor is None or self._vendor[0] != words[1]:
            raise place.error(f"END-VENDOR {_cut(words[1])} without its BEGIN-VENDOR")
        self._vendor = None

    def _begin_tlv(self, place: _Place, words: list[str]) -> None:
        _need(place, words, 2, "BEGIN-TLV NAME")
        self._tlvs.append(words[1])

    def _end_tlv(self, place: _Place, words: list[str]) -> None:
        _need(place, words, 2, "END-TLV NAME")
        if not self._tlvs or self._tlvs.pop() != words[1]:
            raise place.error(f"END-TLV {_cut(words[1])} without its BEGIN-TLV")


class _Place:
    """A line of a file, for whom to blame."""

    __slots__ = ("file", "line", "shown")

    def __init__(self, file: str, line: int, shown: bool = True) -> None:
        self.file = file
        self.line = line
        self.shown = shown

    def error(self, what: str) -> DictionaryError:
        """Say what is wrong; of a closed file nothing is quoted, for it may have been named to see it quoted."""
        if not self.shown:
            what = "no line of a dictionary (what it says is not shown, for not everybody may read the file)"
        return DictionaryError(self.file, self.line, what)


def _may_be_shown(opened: IO[bytes]) -> bool:
    try:
        return bool(os.fstat(opened.fileno()).st_mode & stat.S_IROTH)
    except OSError:
        return True  # a file inside an archive of our own


def _need(place: _Place, words: list[str], count: int, usage: str) -> None:
    if len(words) < count:
        raise place.error(f"too short: write {usage}")


def _quoted(word: str) -> str:
    return f"'{_cut(word)}'"


def _cut(word: str) -> str:
    return word if len(word) <= MAX_QUOTED_CHARACTERS else word[:MAX_QUOTED_CHARACTERS] + "…"


def _number(place: _Place, text: str) -> int:
    """Read a decimal or hexadecimal (0x…) number."""
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise place.error(f"{_quoted(text)} is too long for a number")
    try:
        return int(text, 16) if text[:2].lower() == "0x" else int(text, 10)
    except ValueError:
        raise place.error(f"{_quoted(text)} is no number") from None


def _folder_of(folder: Traversable, name: str, inner: str, path: str) -> Traversable:
    """The folder of an included file: `inner`, as written in the file `name` of `folder`."""
    if path.startswith("/"):
        return folder / (inner or "/")
    outer = name.rpartition("/")[0]
    base = folder / outer if outer else folder
    return base / inner if inner else base


def _vendor_format(place: _Place, text: str) -> VendorFormat:
    """Read `format=1,1`, or with a `c` for attributes that can go on in the next."""
    fields = text.removeprefix("format=").split(",")
    if (
        len(fields) not in (2, 3)
        or fields[0] not in ("1", "2", "4")
        or fields[1] not in ("0", "1", "2")
        or fields[2:] not in ([], ["c"])
    ):
        raise place.error(f"{_quoted(text)} is no vendor format, such as format=1,1")
    return VendorFormat(int(fields[0]), int(fields[1]), len(fields) == 3)


def _with_flags(place: _Place, definition: AttributeDefinition, flags: str) -> AttributeDefinition:
    for flag in filter(None, flags.split(",")):
        key, _, value = flag.partition("=")
        if key == "has_tag":
            definition = evolve(definition, has_tag=True)
        elif key == "encrypt" and value in _ENCRYPTIONS:
            definition = evolve(definition, encrypt=_ENCRYPTIONS[value])
        elif key not in _FLAGS_WITHOUT_MEANING_HERE:
            raise place.error(f"{_quoted(flag)} is no flag of an attribute")
    return definition
