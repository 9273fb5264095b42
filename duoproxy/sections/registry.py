"""Which kinds of section there are: ours, those of other packages, and those that are known but not served yet.

Other packages add theirs with an entry point of the group `duoproxy.sections`, whose name is the section's name and
whose value is its class. Two owners of one name are an error that names both.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import frozen

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.problems import Problem, Severity
from duoproxy.errors import ConfigError
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.sandbox.sandbox_directory import SandboxDirectory
from duoproxy.sandbox.sandbox_duo import SandboxDuo
from duoproxy.sandbox.sandbox_users import SandboxUsers
from duoproxy.sections.ad_client import AdClient
from duoproxy.sections.contracts import Section
from duoproxy.sections.duo_only_client import DuoOnlyClient
from duoproxy.sections.http_proxy import HttpProxySection
from duoproxy.sections.ldap_server_auto import LdapServerAuto
from duoproxy.sections.main import MAIN_SCHEMA
from duoproxy.sections.radius_client import RadiusClient
from duoproxy.sections.radius_server_auto import RadiusServerAuto
from duoproxy.sections.radius_server_challenge import RadiusServerChallenge
from duoproxy.sections.radius_server_concat import RadiusServerConcat
from duoproxy.sections.radius_server_duo_only import RadiusServerDuoOnly
from duoproxy.sections.radius_server_eap import RadiusServerEap

ENTRY_POINT_GROUP = "duoproxy.sections"

BUILT_IN: tuple[type[Section], ...] = (
    AdClient,
    RadiusClient,
    DuoOnlyClient,
    RadiusServerAuto,
    RadiusServerChallenge,
    RadiusServerConcat,
    RadiusServerDuoOnly,
    RadiusServerEap,
    LdapServerAuto,
    HttpProxySection,
    SandboxDuo,
    SandboxUsers,
    SandboxDirectory,
)

PLANNED: Mapping[str, str] = MappingProxyType({})
"""Sections of Duo's proxy that are known and not served yet, with a sentence for each."""

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "radius_server_iframe": "showed Duo's traditional prompt in a web page; Duo retired that prompt, and the start "
        "goes on without this section. Use [radius_server_challenge] or [radius_server_auto]",
        "cloud": "copies a directory to Duo, which only Duo's own proxy can do; the start goes on without this "
        "section. Keep Duo's proxy for it, on this or another machine, or delete it",
        "sso": "lets Duo Single Sign-On ask a directory, which only Duo's own proxy can do; the start goes on without "
        "this section. Keep Duo's proxy for it, on this or another machine, or delete it",
    }
)
"""Sections of Duo's proxy that are no part of this one."""


@frozen
class Registry:
    """All kinds of section of this installation.

    Attributes:
        classes: section name to class.
        catalogue: the same as the configuration engine wants it.
    """

    classes: Mapping[str, type[Section]]
    catalogue: Catalogue


def load_registry(found: Iterable[importlib.metadata.EntryPoint] | None = None) -> Registry:
    """Collect our own sections and those of other packages.

    Args:
        found: entry points to look at; the installed ones of our group when None.

    Raises:
        ConfigError: a plugin cannot be imported, or two owners claim one name.
    """
    owners = {kind.schema.name: "duoproxy itself" for kind in BUILT_IN}
    classes: dict[str, type[Section]] = {kind.schema.name: kind for kind in BUILT_IN}
    problems: list[Problem] = []
    points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP) if found is None else found
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        owner = _owner_of(point)
        try:
            name, kind = _load(point)
        except Exception as fault:  # noqa: BLE001 - a plugin may raise anything while it is imported
            what = f"its plugin in {owner} cannot be loaded: {fault!r}"
            problems.append(_plugin_problem(point.name, what, _broken_plugin_remedy(point)))
            continue
        if name in owners or name == MAIN_SCHEMA.name:
            other = owners.get(name, "duoproxy itself")
            what = f"two packages own this section: {other} and {owner}"
            problems.append(_plugin_problem(name, what, "Uninstall one of the packages, or ask its author."))
            continue
        owners[name], classes[name] = owner, kind
    if problems:
        raise ConfigError(problems)
    return Registry(MappingProxyType(classes), _catalogue(classes))


def _load(point: importlib.metadata.EntryPoint) -> tuple[str, type[Section]]:
    kind = point.load()
    if not (isinstance(kind, type) and issubclass(kind, Section)):
        raise TypeError(f"{point.value} is not a Section class")
    if kind.schema.name != point.name:
        raise TypeError(f"the entry point is called {point.name}, but its schema {kind.schema.name}")
    return point.name, kind


def _owner_of(point: importlib.metadata.EntryPoint) -> str:
    name = point.dist.name if point.dist is not None else "an unnamed package"
    return f"{name} ({point.value})"


def _broken_plugin_remedy(point: importlib.metadata.EntryPoint) -> str:
    """Say how its author sees the line that is at fault, and what everybody else can do."""
    return f"Uninstall that package, or mend it: {sys.executable} -c 'import {point.module}' shows more."


def _plugin_problem(name: str, what: str, remedy: str) -> Problem:
    return Problem(Severity.ERROR, "", None, name, "", what, remedy)


def _catalogue(classes: Mapping[str, type[Section]]) -> Catalogue:
    schemas = {MAIN_SCHEMA.name: MAIN_SCHEMA, **{name: kind.schema for name, kind in classes.items()}}
    planned = {name: sentence for name, sentence in PLANNED.items() if name not in schemas}
    left_out = {name: sentence for name, sentence in LEFT_OUT.items() if name not in schemas}
    return Catalogue(schemas=schemas, planned=planned, left_out=left_out, dictionary_loader=load_dictionary)
