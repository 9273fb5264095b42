"""Kinds of values that name RADIUS attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duoproxy.config.kind import Kind, KnownAttribute, ParseContext, ValueParseError
from duoproxy.config.problems import quoted
from duoproxy.config.simple_kinds import MAX_LIST_ITEMS

if TYPE_CHECKING:
    from duoproxy.radius.attributes import AttributeId

PALOALTO_KEYWORD = "paloalto"
PALOALTO_CLIENT_SOURCE_IP = "25461:7"
MAX_ATTRIBUTE_NAME_CHARS = 253
MAX_SUGGESTIONS = 3

_USUAL_NAMES = {4: "NAS-IP-Address", 31: "Calling-Station-Id"}
"""Names for defaults in docs, where no dictionary is at hand."""
_NUMERIC_HINT = (
    "An attribute that the dictionary does not know can be written as a number (31) or as Vendor-Id:Type (25461:7)"
)


class AttributeName(Kind["AttributeId"]):
    """One attribute: a name of the dictionary, a number, `Vendor-Id:Type`, or `paloalto` for 25461:7."""

    def parse(self, text: str, context: ParseContext) -> AttributeId:
        """Look the attribute up."""
        name = PALOALTO_CLIENT_SOURCE_IP if text.lower() == PALOALTO_KEYWORD else text
        return _look_up(name, context)

    def describe(self) -> str:
        """Say what may be written."""
        return "a RADIUS attribute name, a number, Vendor-Id:Type, or paloalto"

    def show(self, value: AttributeId) -> str:
        """Write it as in a file."""
        return _show(value)

    def completions(self) -> tuple[str, ...]:
        """Offer the usual ones."""
        return ("Calling-Station-Id", "NAS-IP-Address", PALOALTO_KEYWORD)


class AttributeNames(Kind["frozenset[AttributeId]"]):
    """A comma list of attributes."""

    def parse(self, text: str, context: ParseContext) -> frozenset[AttributeId]:
        """Look all of them up; blanks round the names and a last comma do not matter."""
        names = [name.strip() for name in text.split(",")]
        if len(names) > MAX_LIST_ITEMS:
            raise ValueParseError(
                f"the list has {len(names)} items", f"Write at most {MAX_LIST_ITEMS}", wants_example=False
            )
        return frozenset(_look_up(name, context) for name in names if name)

    def describe(self) -> str:
        """Say what may be written."""
        return "a comma list of RADIUS attribute names, numbers or Vendor-Id:Type"

    def show(self, value: frozenset[AttributeId]) -> str:
        """Write it as in a file."""
        return ", ".join(sorted(_show(attribute_id) for attribute_id in value))


def _show(attribute_id: AttributeId) -> str:
    number = str(attribute_id.number)
    if attribute_id.vendor:
        return f"{attribute_id.vendor}:{number}"
    return _USUAL_NAMES.get(attribute_id.number, number)


def _look_up(name: str, context: ParseContext) -> AttributeId:
    if context.dictionary is None:
        raise RuntimeError("attribute names need a dictionary")
    found: KnownAttribute | None = None
    if len(name) <= MAX_ATTRIBUTE_NAME_CHARS:
        found = context.dictionary.find(name)
    if found is None:
        what = f"{quoted(name)} is not a RADIUS attribute that is known here"
        raise ValueParseError(what, _remedy(name, context), wants_example=False)
    attribute_id: AttributeId = found.attribute_id
    return attribute_id


def _remedy(name: str, context: ParseContext) -> str:
    suggestions: list[str] = []
    if context.dictionary is not None and len(name) <= MAX_ATTRIBUTE_NAME_CHARS:
        suggestions = context.dictionary.suggestions(name)[:MAX_SUGGESTIONS]
    meant = f"Did you mean {' or '.join(suggestions)}? " if suggestions else ""
    return meant + _NUMERIC_HINT
