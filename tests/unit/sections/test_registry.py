"""duoproxy.sections.registry: what plugins that cannot be used are told."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest

from duoproxy.errors import ConfigError
from duoproxy.sections.registry import ENTRY_POINT_GROUP, load_registry


def told(name: str, value: str) -> str:
    """Load a plugin that cannot be used, and give the sentence."""
    point = importlib.metadata.EntryPoint(name, value, ENTRY_POINT_GROUP)
    with pytest.raises(ConfigError) as caught:
        load_registry([point])
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_package_1:Section", "ModuleNotFoundError"),
        ("duoproxy.sections.contracts:NoSuchClass", "AttributeError"),
        ("duoproxy.sections.contracts:Environment", "is not a Section class"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_with_how_to_see_more(value: str, why: str) -> None:
    """Its author learns how the traceback is shown; everybody else, that the package can be uninstalled."""
    sentence = told("trial_client", value)
    assert "[trial_client]: its plugin in an unnamed package" in sentence
    assert why in sentence
    command = f"{sys.executable} -c 'import {value.partition(':')[0]}' shows more."
    assert sentence.endswith(f"Uninstall that package, or mend it: {command}")


def test_a_name_that_is_ours_names_both_owners() -> None:
    """A package cannot take a section of duoproxy's."""
    sentence = told("duo_only_client", "duoproxy.sections.duo_only_client:DuoOnlyClient")
    assert "two packages own this section: duoproxy itself and an unnamed package" in sentence
    assert sentence.endswith("Uninstall one of the packages, or ask its author.")
