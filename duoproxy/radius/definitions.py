"""What a dictionary says of one attribute, as values.

Owns the vocabulary that the reader of dictionary files, the dictionary and the text form of attributes share.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen

from duoproxy.errors import DuoproxyError
from duoproxy.radius.attributes import AttributeId

NUMBERED_TYPE = "octets"


class DictionaryError(DuoproxyError):
    """A dictionary file cannot be used.

    Attributes:
        file: its path.
        line: number of the line, or 0 when it is about the whole file.
        what: one clause: what is wrong.
    """

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}" if line else f"{file}: {what}")
        self.file = file
        self.line = line
        self.what = what


class Encryption(enum.Enum):
    """How a value is hidden. Source: RFC 2865 §5.2, RFC 2868 §3.5."""

    NONE = "none"
    USER_PASSWORD = "user-password"
    TUNNEL_PASSWORD = "tunnel-password"
    UNKNOWN = "unknown"


_NO_VALUES: Mapping[int, str] = MappingProxyType({})


@frozen
class AttributeDefinition:
    """What the dictionary knows of one attribute.

    Attributes:
        name: its name, or its number in the notation that `Dictionary.find` takes.
        attribute_id: vendor and number.
        data_type: as the file format spells it, in small letters: string, octets, integer, ipaddr, …
        encrypt: how its value is hidden; UNKNOWN is a cipher of a vendor that is not spoken here.
        has_tag: the value begins with a tag (RFC 2868 §3).
        values: names of numbers.
    """

    name: str
    attribute_id: AttributeId
    data_type: str = NUMBERED_TYPE
    encrypt: Encryption = Encryption.NONE
    has_tag: bool = False
    values: Mapping[int, str] = field(default=_NO_VALUES, hash=False)


@frozen
class VendorFormat:
    """Sizes of a vendor's own type and length fields, and of what stands between them and the value.

    Source: RFC 2865 §5.26.
    """

    type_octets: int = 1
    length_octets: int = 1
    continuation: bool = False


USUAL_FORMAT = VendorFormat()
