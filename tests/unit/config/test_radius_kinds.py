"""Attribute names in options."""

from __future__ import annotations

from duoproxy.config.kinds import AttributeName, AttributeNames
from duoproxy.radius.attributes import AttributeId
from tests.unit.config.kind_kit import context, fault
from tests.unit.config.small_catalogue import small_dictionary

WHERE = context(dictionary=small_dictionary())
HINT = "An attribute that the dictionary does not know can be written as a number (31) or as Vendor-Id:Type (25461:7)."


def test_attribute_is_found_by_name_number_and_vendor_type() -> None:
    """Numeric and Vendor-Id:Type notation work everywhere."""
    parse = AttributeName().parse
    assert parse("calling-station-id", WHERE) == AttributeId(0, 31)
    assert parse("31", WHERE) == AttributeId(0, 31)
    assert parse("25461:7", WHERE) == AttributeId(25461, 7)
    assert parse("14823:9", WHERE) == AttributeId(14823, 9)


def test_keyword_paloalto_is_the_client_source_ip() -> None:
    """`paloalto` means vendor 25461, type 7, whatever the dictionary says."""
    assert AttributeName().parse("PaloAlto", WHERE) == AttributeId(25461, 7)


def test_unknown_name_has_suggestions_and_a_hint() -> None:
    """An unknown name prevents the start; the sentence says how to write what the dictionary does not know."""
    assert fault(AttributeName(), "Calling-Station", WHERE) == (
        f"'Calling-Station' is not a RADIUS attribute that is known here. Did you mean Calling-Station-Id? {HINT}"
    )
    assert fault(AttributeName(), "Xyzzy", WHERE) == (f"'Xyzzy' is not a RADIUS attribute that is known here. {HINT}")


def test_endless_name_is_not_looked_up() -> None:
    """Suggestions for a very long name would cost time."""
    assert fault(AttributeName(), "x" * 5000, WHERE).endswith(f"is not a RADIUS attribute that is known here. {HINT}")


def test_list_of_attributes_is_a_set() -> None:
    """Blanks, order and a last comma do not matter."""
    names = AttributeNames().parse("Class , 9:1,class,", WHERE)
    assert names == frozenset({AttributeId(0, 25), AttributeId(9, 1)})
    assert "'Clas' is not" in fault(AttributeNames(), "31, Clas", WHERE)


def test_default_is_shown_as_it_can_be_written() -> None:
    """The shown text is read as the same attributes."""
    assert AttributeName().show(AttributeId(0, 31)) == "Calling-Station-Id"
    assert AttributeName().show(AttributeId(25461, 7)) == "25461:7"
    both = frozenset({AttributeId(0, 25), AttributeId(9, 1)})
    assert AttributeNames().parse(AttributeNames().show(both), WHERE) == both
