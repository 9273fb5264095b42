"""Options that are declared once, as fields of a settings class."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest

from duoproxy.config.kinds import HostOrAddress, Integer, Port, SecretText
from duoproxy.config.option import MAX_OPTION_NUMBER, Numbering, option, options_of, settings
from duoproxy.config.option_index import OptionIndex
from duoproxy.secret import Secret


@settings
class Base:
    retries: int = option(Integer(1, 9), default=3, help="Tries.")


@settings
class Hosts(Base):
    host: Mapping[int, str] = option(HostOrAddress(), numbered=Numbering.FIRST_BARE, help="Server.")
    secret: Mapping[int, Secret] = option(SecretText(), numbered=Numbering.FIRST_BARE, one_per="host", help="Secret.")
    port: Mapping[int, int] = option(Port(), default=1812, numbered=Numbering.FIRST_BARE, one_per="host", help="Port.")
    exempt: Mapping[int, str] = option(HostOrAddress(), default={}, numbered=Numbering.FROM_ONE, help="Exempt.")


def test_options_are_listed_in_order_with_their_field_names() -> None:
    """The field name is the option name; inherited options come first."""
    assert [one.name for one in options_of(Hosts)] == ["retries", "host", "secret", "port", "exempt"]
    assert [one.required for one in options_of(Hosts)] == [False, True, True, False, False]


def test_settings_are_frozen_and_comparable() -> None:
    """A reload is a comparison of two values."""
    one = Hosts(host={1: "a"}, secret={1: Secret("s")})
    assert one == Hosts(host={1: "a"}, secret={1: Secret("s")})
    assert one != Hosts(host={1: "a"}, secret={1: Secret("t")})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.retries = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        one.host[2] = "b"  # type: ignore[index]


def test_secrets_do_not_show_in_settings() -> None:
    """Settings can be printed."""
    assert "hidden" not in repr(Hosts(host={1: "a"}, secret={1: Secret("hidden")}))


def test_option_with_one_value_per_host_is_filled() -> None:
    """A missing number is the default or, for a required option, the value of number 1."""
    made = Hosts(host={1: "a", 3: "b", 2: "c"}, secret={1: Secret("s"), 3: Secret("t")}, port={2: 1645})
    assert list(made.host) == [1, 2, 3]
    assert dict(made.port) == {1: 1812, 2: 1645, 3: 1812}
    assert dict(made.secret) == {1: Secret("s"), 2: Secret("s"), 3: Secret("t")}


def test_field_that_is_no_option_is_a_mistake() -> None:
    """Every field of a settings class is declared with option(…)."""
    with pytest.raises(TypeError, match=r"Broken\.x is not declared with option"):

        @settings
        class Broken:
            x: int = 1


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("host", ("host", 1)),
        ("host_2", ("host", 2)),
        (f"host_{MAX_OPTION_NUMBER}", ("host", MAX_OPTION_NUMBER)),
        ("exempt_1", ("exempt", 1)),
        ("retries", ("retries", 1)),
        ("host_1", None),
        ("host_02", None),
        ("host_0", None),
        ("host_", None),
        ("host_x", None),
        ("host_²", None),
        (f"host_{MAX_OPTION_NUMBER}9", None),
        ("exempt", None),
        ("retries_1", None),
        ("retries_2", None),
        ("_2", None),
    ],
)
def test_key_names_an_option_and_its_number(key: str, named: tuple[str, int] | None) -> None:
    """Host is number 1 of a bare-first option; others count from _1; a number is written in one way only."""
    found = OptionIndex(options_of(Hosts)).find(key)
    assert (found and (found.option.name, found.number)) == named


def test_near_miss_of_a_numbered_option_is_spelled_with_its_number() -> None:
    """The suggestion can be copied."""
    assert [name for name, _ in OptionIndex(options_of(Hosts)).near("exmpt_12")] == ["exempt_12"]
    assert [name for name, _ in OptionIndex(options_of(Hosts)).near("exempt")] == ["exempt_1"]
