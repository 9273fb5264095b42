"""Whatever stands in a configuration file: a Configuration or a ConfigError, and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from duoproxy.config.ini import parse_ini
from duoproxy.config.near import NEAR, distance
from duoproxy.config.validate import Configuration, Reach, load_configuration
from duoproxy.errors import ConfigError
from tests.unit.config.small_catalogue import CATALOGUE, GOOD

KEYS = sorted({option.key(number) for schema in CATALOGUE.schemas.values() for option in schema.options
               for number in (1, 2, 3)})  # fmt: skip
HEADINGS = [f"[{name}]" for name in (*CATALOGUE.schemas, *CATALOGUE.planned, "radius_client2", "radius_clnt", "other")]
VALUES = st.one_of(
    st.sampled_from(
        [*("", "true", "1812", "10.0.0.1", "10.0.0.0/8", "::", "auto", "secure", "radius_client", "a, b", "31"),
         *("file:x", "env:X", "credential:x", "REPLACE_THIS", "1 ; one", "latin-1", "api-1.example:444", "\0")]
    ),
    st.text(max_size=30),
)  # fmt: skip
LINES = st.one_of(
    st.sampled_from(HEADINGS),
    st.builds("{} = {}".format, st.sampled_from(KEYS), VALUES),
    st.text(max_size=30),
)


def outcome(content: bytes) -> Configuration | ConfigError:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "authproxy.cfg"
        path.write_bytes(content)
        try:
            return load_configuration(path, CATALOGUE, environ={}, reach=Reach.SHELL)
        except ConfigError as error:
            return error


def check(content: bytes) -> None:
    result = outcome(content)
    if isinstance(result, ConfigError):
        assert any(problem.is_error for problem in result.problems)
        assert all(str(problem).isprintable() for problem in result.problems)
        assert all(problem.what and problem.remedy for problem in result.problems)
    else:
        assert result.servers
        assert not any(problem.is_error for problem in result.warnings)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_configuration_or_an_error(content: bytes) -> None:
    """Any bytes as a file: a Configuration or ConfigError, nothing else."""
    check(content)


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, max_size=25))
def test_any_lines_of_our_words_are_a_configuration_or_an_error(lines: list[str]) -> None:
    """Sections and options in any order with any values."""
    check("\n".join(lines).encode("utf-8", "surrogatepass"))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.text(max_size=3), st.integers(0, 12))
def test_good_file_with_a_small_change_is_a_configuration_or_an_error(place: int, put: str, taken: int) -> None:
    """The slips of everyday editing."""
    check((GOOD[:place] + put + GOOD[place + taken :]).encode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_any_printable_value_is_kept_whole(value: str) -> None:
    """A value is what stands right of the first =, to the end of the line."""
    ini = parse_ini(f"[a]\nsecret = {value}\n", "a.cfg")
    assert [(entry.key, entry.value) for entry in ini.sections[0].entries] == [("secret", value)]
    assert ini.problems == ()


@settings(max_examples=200, deadline=None)
@given(st.text("ab_", max_size=8), st.text("ab_", max_size=8))
def test_distance_is_symmetric_and_zero_only_for_equals(left: str, right: str) -> None:
    """A near miss is one from either side."""
    assert distance(left, right) == distance(right, left)
    assert (distance(left, right) == 0) == (left == right)
    assert distance(left, right) <= NEAR + 1
