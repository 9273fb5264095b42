"""The import law of docs/architecture.md, as the contracts of setup.cfg say it to import-linter."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOOR_1 = {"radius", "ldap", "duoapi", "login", "config", "eap"}
BETWEEN_ROOMS = {"eap_over_radius"}
"""Files of floor 1 that stand between two rooms."""
BELOW_ROOMS = {"tls_server"}
"""Files of floor 1 that rooms stand on."""


def contracts() -> dict[str, configparser.SectionProxy]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): parser[name] for name in parser.sections() if name.startswith(prefix)}


def test_every_import_keeps_the_law() -> None:
    """A file imports its own floor or those below; floor 1 along the drawn edges; sections never each other."""
    # In a process of its own: it loads modules in a way that disturbs, and is disturbed by, what other tests loaded.
    lint_imports = Path(sys.executable).with_name("lint-imports")
    law = subprocess.run(
        [lint_imports, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert law.returncode == 0, law.stdout + law.stderr


def test_every_room_of_floor_1_is_under_the_law_of_purity() -> None:
    """Floor 1 is pure: no Twisted, socket, clock or randomness."""
    pure = contracts()["pure"]
    assert set(pure["source_modules"].split()) == {f"duoproxy.{room}" for room in FLOOR_1 | BETWEEN_ROOMS | BELOW_ROOMS}
    assert {"twisted", "socket", "OpenSSL", "time", "random"} <= set(pure["forbidden_modules"].split())


@pytest.mark.parametrize("room", sorted(FLOOR_1 | BETWEEN_ROOMS))
def test_a_room_of_floor_1_names_every_other_room_it_must_not_know(room: str) -> None:
    """Edges of floor 1: login to duoapi, config to two modules of radius; eap_over_radius stands on eap and radius."""
    allowed = {"login": {"duoapi"}, "eap_over_radius": {"eap", "radius"}}.get(room, set())
    forbidden = {f"duoproxy.{other}" for other in FLOOR_1 - {room} - allowed}
    assert set(contracts()[room]["forbidden_modules"].split()) == forbidden


def test_only_the_drawn_edges_are_excepted() -> None:
    """What a contract lets through is what docs/architecture.md draws."""
    excepted = {
        line.strip() for contract in contracts().values() for line in contract.get("ignore_imports", "").splitlines()
    } - {""}
    assert excepted == {
        "duoproxy.config.* -> duoproxy.radius.dictionary",
        "duoproxy.config.* -> duoproxy.radius.addresses",
        "duoproxy.eap.tls_engine -> OpenSSL",
        "duoproxy.tls_server -> OpenSSL",
    }


def test_every_built_in_section_is_under_the_law_of_sections() -> None:
    """Two sections never import each other, nor by way of a third file; the registry says what is a section."""
    # Imported here, so that a section that cannot be imported hides no other test.
    from duoproxy.sections.registry import BUILT_IN

    listed = set(contracts()["sections"]["modules"].split())
    assert listed == {section.__module__ for section in BUILT_IN}
