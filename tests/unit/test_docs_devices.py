"""The pages of devices: each says how long the device has to wait, which recipe it uses, and what was proven."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/how-to"
TABLE = (ROOT / "docs/README.md").read_text(encoding="utf-8").partition("| device |")[2].partition("\n\n")[0]
DEVICES = sorted(set(re.findall(r"\(how-to/([a-z-]+)\.md\)", TABLE)))
# What the guides of Duo's product have a page for; a page may serve several.
GUIDES: tuple[str, ...] = (
    "RRAS",
    "NetMotion",
    "ASA",
    "FTD",
    "GlobalProtect",
    "FortiGate",
    "NetScaler",
    "OPNsense",
    "pfSense",
)
GUIDES += ("OpenVPN", "ocserv", "strongSwan", "sshd")


def text_of(device: str) -> str:
    return (FOLDER / f"{device}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_page_names_its_recipe(device: str) -> None:
    """A link to a file of conf/recipes that is there."""
    recipes = re.findall(r"\(\.\./\.\./(conf/recipes/[a-z-]+\.cfg)\)", text_of(device))
    assert recipes
    assert [name for name in recipes if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_page_says_how_long_to_wait(device: str) -> None:
    """Its time-out, with a number of seconds that a person can answer a push in."""
    assert re.search(r"time-?out|hand-window", text_of(device))
    assert re.search(r"\b(?:60|66|70|30 seconds and 4 retries)\b", text_of(device))


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_page_says_how_often_the_device_tries(device: str) -> None:
    """Its retries, be it that there is no such setting, or the page of any device, which has both."""
    assert re.search(r"\b(?:(?:radius_)?retr(?:y|ies)|authservRetry|tries|one try|sends once)\b", text_of(device))


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_page_says_what_was_proven(device: str) -> None:
    """One section at its end, which says what was tried and what not."""
    assert re.findall(r"^## What is (?:not )?proven here$", text_of(device), re.MULTILINE)


@pytest.mark.parametrize("guide", GUIDES)
def test_each_device_of_the_guides_has_its_page(guide: str) -> None:
    """The table of docs/README.md names it."""
    assert guide in TABLE


def test_every_recipe_is_used_by_a_page() -> None:
    """A recipe that no page names is found by nobody."""
    pages = "".join(page.read_text(encoding="utf-8") for page in FOLDER.glob("*.md"))
    recipes = [recipe.name for recipe in (ROOT / "conf/recipes").glob("*.cfg")]
    assert [name for name in recipes if f"recipes/{name})" not in pages] == []
