"""What of a configuration may be shown: known options that hold no secret, and masks for everything else."""

from __future__ import annotations

from pathlib import Path

from duoproxy.config.shown import shown_sections
from duoproxy.config.validate import read_configuration
from tests.unit.config.small_catalogue import CATALOGUE, GOOD, write


def shown(folder: Path, text: str) -> dict[str, dict[str, str]]:
    read, _ = read_configuration(write(folder, text), CATALOGUE, environ={})
    assert read is not None
    return {section.name: dict(section.entries) for section in shown_sections(read, CATALOGUE)}


def test_secrets_are_masked_and_the_length_of_skey_is_shown(tmp_path: Path) -> None:
    """In alphabetical order."""
    assert list(shown(tmp_path, GOOD)["radius_server_auto"].items()) == [
        ("api_host", "api-1234.duosecurity.com"),
        ("ikey", "DIXXXXXXXXXXXXXXXXXX"),
        ("radius_ip_1", "10.0.0.0/8"),
        ("radius_secret_1", "*****"),
        ("skey", "*****[40]"),
    ]


def test_what_is_inherited_is_shown_where_it_counts(tmp_path: Path) -> None:
    """As the original does."""
    found = shown(tmp_path, "[main]\ndebug=True\n" + GOOD)
    assert {section: entries.get("debug") for section, entries in found.items()} == {
        "main": "True",
        "radius_server_auto": "True",
        "radius_client": "True",
    }


def test_a_misspelt_option_is_masked(tmp_path: Path) -> None:
    """Its value may be a secret."""
    assert shown(tmp_path, GOOD + "secert_2 = hunter2\n")["radius_client"]["secert_2"] == "*****"


def test_sections_that_are_not_served_are_masked_whole(tmp_path: Path) -> None:
    """Nobody knows what is a secret there."""
    assert shown(tmp_path, GOOD + "[ad_client]\nhost=dc1\n[unknown]\nx=hunter2\n")["unknown"] == {"x": "*****"}


def test_a_secret_that_cannot_be_used_is_masked_without_its_length(tmp_path: Path) -> None:
    """So is one that this account cannot look at."""
    text = GOOD.replace("0123456789012345678901234567890123456789", "{}")
    assert shown(tmp_path, text.format("env:NOT_SET"))["radius_server_auto"]["skey"] == "*****"
    assert shown(tmp_path, text.format("REPLACE_THIS"))["radius_server_auto"]["skey"] == "*****"


def test_main_is_shown_first_when_the_file_has_none(tmp_path: Path) -> None:
    """Its defaults are tested, too."""
    assert list(shown(tmp_path, GOOD)) == ["main", "radius_server_auto", "radius_client"]
