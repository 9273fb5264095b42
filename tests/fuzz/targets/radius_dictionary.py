"""Dictionary files as an administrator may bring them: a dictionary, or one sentence that can be printed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any

from duoproxy.radius.definitions import DictionaryError
from duoproxy.radius.dictionary import Dictionary
from duoproxy.radius.dictionary_files import DictionaryReader

WORDS = (
    *(b"ATTRIBUTE\t", b"VALUE\t", b"VENDOR\t", b"BEGIN-VENDOR\t", b"END-VENDOR\t", b"BEGIN-TLV\t", b"END-TLV\t"),
    *(b"$INCLUDE\tb\n", b"$INCLUDE-\tfolder/b\n", b"\tstring", b"\tinteger", b"\toctets", b"\ttlv", b"\tipaddr"),
    *(b"format=1,1", b"format=2,2,c", b"format=4,0", b"has_tag", b"encrypt=1", b"encrypt=2", b"array"),
    *(b"0x", b"0xffffffff", b"#", b"\n", b"\t", b"\x1e", b"-1", b"256"),
)
MAX_ERROR_CHARACTERS = 400


class FilesInMemory:
    """Files of one folder, as `importlib.resources` shows them."""

    def __init__(self, files: dict[str, bytes], path: str = "") -> None:
        self._files = files
        self._path = path

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def __str__(self) -> str:
        return self._path

    def __truediv__(self, child: str) -> FilesInMemory:
        return self.joinpath(child)

    def joinpath(self, *children: str) -> FilesInMemory:
        return FilesInMemory(self._files, "/".join(filter(None, (self._path, *children))))

    def read_bytes(self) -> bytes:
        if "\0" in self._path:
            raise ValueError("embedded null byte")
        if self._path not in self._files:
            raise FileNotFoundError(2, "No such file or directory")
        return self._files[self._path]

    def open(self, mode: str = "r", *args: Any, **named: Any) -> IO[Any]:
        return io.BytesIO(self.read_bytes())

    def read_text(self, encoding: str | None = None) -> str:
        return self.read_bytes().decode(encoding or "utf-8")

    def iterdir(self) -> Iterator[FilesInMemory]:
        return iter(())

    def is_dir(self) -> bool:
        return False

    def is_file(self) -> bool:
        return self._path in self._files


def target(data: bytes) -> None:
    names = ("dictionary", "b", "folder/b", "c")
    files = dict(zip(names, data.split(b"\x1e", len(names) - 1), strict=False))
    reader: Any = DictionaryReader()
    try:
        reader.read(FilesInMemory(files), "dictionary")
    except DictionaryError as error:
        assert str(error).isprintable()
        assert len(str(error)) < MAX_ERROR_CHARACTERS
        return
    dictionary = Dictionary(reader.definitions, reader.vendor_formats)
    for definition in reader.definitions:
        found = dictionary.find(definition.name)
        assert found is not None
        assert found.name.casefold() == definition.name.casefold()
        assert dictionary.find(dictionary.name_of(definition.attribute_id)) is not None
        assert definition.name.isprintable()
        vendor, number = definition.attribute_id.vendor, definition.attribute_id.number
        attribute = (
            (26, vendor.to_bytes(4, "big") + bytes((number & 0xFF, 6, 0, 0, 0, 1))) if vendor else (number, b"\1")
        )
        assert all(line.isprintable() for line in dictionary.format_attributes([attribute]))
