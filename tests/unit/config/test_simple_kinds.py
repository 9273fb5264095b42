"""Words, numbers, choices, lists: what is read, and what is said of what is not."""

from __future__ import annotations

import pytest

from duoproxy.config.kind import Kind
from duoproxy.config.kinds import Boolean, Choice, Codec, CommaList, FalseOnly, Integer, Seconds, SectionName, Text
from tests.unit.config.kind_kit import context, fault

FACTORS = CommaList(Choice("auto", "push", "phone"))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Boolean(), "True", True),
        (Boolean(), "FALSE", False),
        (Boolean(), "yes", True),
        (Boolean(), "0", False),
        (Integer(0, 10), "0", 0),
        (Integer(-5, 10), "-5", -5),
        (Integer(0, 10), "010", 10),
        (Seconds(), "2", 2.0),
        (Seconds(), "0.25", 0.25),
        (Choice("safe", "secure"), "Secure", "secure"),
        (Choice("LOG_USER"), "log_user", "LOG_USER"),
        (FACTORS, "push, phone", ("push", "phone")),
        (FACTORS, "AUTO", ("auto",)),
        (Codec(), "Latin-1", "iso8859-1"),
        (Codec(), "UTF8", "utf-8"),
        (Codec(), "cp1252", "cp1252"),
        (Text(), "a ; b # c", "a ; b # c"),
        (FalseOnly("No", "Leave it"), "false", False),
    ],
)
def test_value_is_read(kind: Kind, text: str, value: object) -> None:
    """Each kind reads what its description promises."""
    assert kind.parse(text, context()) == value


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (Boolean(), "treu", "'treu' is neither true nor false. Write true or false."),
        (Integer(1, 100), "x", "'x' is not a whole number. Write a number from 1 to 100."),
        (Integer(1, 100), "1.5", "'1.5' is not a whole number. Write a number from 1 to 100."),
        (Integer(1, 100), "٣", "'٣' is not a whole number. Write a number from 1 to 100."),
        (Integer(1, 100), "1_0", "'1_0' is not a whole number. Write a number from 1 to 100."),
        (Integer(1, 100), "0", "0 is too small. Write a number from 1 to 100."),
        (Integer(1, 100), "101", "101 is too large. Write a number from 1 to 100."),
        (Integer(1, 100), "9" * 40, f"'{'9' * 40}' is not a whole number. Write a number from 1 to 100."),
        (Seconds(0.1, 300), "2s", "'2s' is not a number of seconds. Write a number of seconds from 0.1 to 300."),
        (Seconds(0.1, 300), "nan", "'nan' is not a number of seconds. Write a number of seconds from 0.1 to 300."),
        (Seconds(0.1, 300), "1e9", "'1e9' is not a number of seconds. Write a number of seconds from 0.1 to 300."),
        (Seconds(0.1, 300), "0", "0 is too small. Write a number of seconds from 0.1 to 300."),
        (Choice("safe", "secure"), "secur", "'secur' is not one of the choices. Write safe or secure."),
        (FACTORS, "push,sms", "'sms' is not one of the choices. Write auto, push or phone."),
        (FACTORS, "push,,phone", "there is nothing between two commas. Write a comma list of: auto, push or phone."),
        (FACTORS, "push, PUSH", "'PUSH' stands in the list twice. Write it once."),
        (FACTORS, "push," * 1000, "the list has 1001 items. Write at most 1000."),
        (
            Codec(),
            "uft8",
            "'uft8' is not a known character encoding. Write the name of a character encoding: utf-8, latin-1, cp1252.",
        ),
        (
            Codec(),
            "utf-16",
            "'utf-16' is not fit for passwords. Write the name of a character encoding: utf-8, latin-1, cp1252.",
        ),
        (Choice("a", refused={"b": ("b works elsewhere", "Write a")}), "B", "b works elsewhere. Write a."),
        (Text(max_chars=3), "abcd", "the value has 4 characters. Write at most 3."),
        (Text("a single letter", pattern="[a-z]"), "ab", "'ab' is not a single letter. Write a single letter."),
        (FalseOnly("RADIUS needs MD5", "Write false"), "true", "RADIUS needs MD5. Write false."),
        (
            SectionName(),
            "ad_client",
            "'ad_client' is not a client section of this file. Add the section that checks passwords: [ad_client] or "
            "[radius_client], or [duo_only_client] where the device has checked them.",
        ),
    ],
)
def test_what_is_no_value_has_a_sentence(kind: Kind, text: str, sentence: str) -> None:
    """What is wrong, and what to write."""
    assert fault(kind, text) == sentence


@pytest.mark.parametrize(
    "name",
    [
        "rot13",
        "hex",
        "base64",
        "idna",
        "punycode",
        "unicode_escape",
        "raw_unicode_escape",
        "undefined",
        "utf-7",
        "cp037",
        "../x",
        "é",
        "mbcs",
    ],
)
def test_encodings_that_would_change_passwords_are_refused(name: str) -> None:
    """An encoding is fit when ASCII characters are their own octets in it."""
    assert "Write the name of a character encoding" in fault(Codec(), name)


def test_client_section_is_named_in_any_case_and_with_brackets() -> None:
    """[Radius_Client2] is radius_client2; an unknown name lists those that there are."""
    where = context(client_sections=frozenset({"radius_client2", "duo_only_client"}))
    assert SectionName().parse("[Radius_Client2]", where) == "radius_client2"
    assert fault(SectionName(), "radius_client", where) == (
        "'radius_client' is not a client section of this file. Write one of: duo_only_client, radius_client2."
    )


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (Boolean(), True, "true"),
        (Seconds(), 2.0, "2"),
        (Seconds(), 0.5, "0.5"),
        (FACTORS, ("push", "auto"), "push,auto"),
    ],
)
def test_shown_value_is_read_as_the_same_value(kind: Kind, value: object, shown: str) -> None:
    """A default in the docs can be copied into a file."""
    assert kind.show(value) == shown
    assert kind.parse(shown, context()) == value
