"""What is written from declared options: terminal text, docs page, sample file, completion, masked settings.

All of it comes from `SectionSchema`; nothing here knows a particular section.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from duoproxy.config.catalogue import Catalogue
from duoproxy.config.file_kinds import PLACEHOLDER
from duoproxy.config.option import Numbering, Option
from duoproxy.config.schema import Role, SectionSchema
from duoproxy.config.validate import ConfiguredSection
from duoproxy.secret import MASK

WIDTH = 100
"""Columns of terminal text and of the sample file."""

_SAMPLE_HEAD = """\
Configuration of duoproxy. Lines that begin with ; or # are comments.

To use it: choose one client section (it checks passwords) and one server section (it listens for
your devices) below. Take away the ; in front of their headings and of the options marked
"required", write your own values behind the =, then run:

    authproxyctl check FILE

An option that keeps its ; has its default. What stands in [main] holds for every section that knows
the option. More than one section of a kind: [radius_client2], [radius_client3] …

A secret is taken as it stands to the end of the line; or write where it is: file:PATH, env:NAME,
credential:NAME (systemd). authproxy_passwd --whole-config encrypts all secrets of this file.
Relative paths start at the folder of this file."""

_SAMPLE_ROLES = {
    Role.MAIN: "What holds for all sections",
    Role.CLIENT: "Client sections: they check passwords",
    Role.SERVER: "Server sections: they listen for devices",
}


def shown_default(option: Option) -> str:
    """Write an option's default as it would stand in the file; "" when it has none that can be written."""
    if option.required or option.default is None or (option.is_numbered and isinstance(option.default, Mapping)):
        return ""
    return option.kind.show(option.default)


def shown_names(option: Option) -> str:
    """Write the name of an option, with the pattern of its numbers: `host, host_2 …`."""
    if option.numbered is Numbering.NONE:
        return option.name
    return f"{option.key(1)}, {option.key(2)} …"


def options_text(schema: SectionSchema) -> str:
    """Describe a section and its options for a terminal."""
    lines = [f"[{schema.name}]", *_wrapped(schema.summary, "  "), ""]
    for option in schema.options:
        lines.append(f"  {shown_names(option)}  ({_need(option)})")
        lines += _wrapped(_sentence(option.kind.describe()) + _example(option), "      ")
        lines += [*_wrapped(_help(option), "      "), ""]
    return "\n".join(lines)


def docs_page(schema: SectionSchema) -> str:
    """Describe a section as a page of markdown: a table of its options, then a paragraph for each."""
    parts = [f"# [{schema.name}]", schema.summary]
    if schema.doc:
        parts.append(schema.doc)
    rows = ["| Option | Default | What may be written |", "|---|---|---|"]
    rows += [_table_row(option) for option in schema.options]
    parts.append("\n".join(rows))
    for option in schema.options:
        parts += [f"## {option.name}", _help(option)]
        if option.example:
            parts.append(f"Example: `{option.key()} = {option.example}`")
    return "\n\n".join(parts) + "\n"


def sample(catalogue: Catalogue) -> str:
    """Write a commented configuration with every section and option.

    Only [main] is active in it, so that `authproxyctl check` says of the unchanged file that no server section is.
    Sections that are for loopback only (the sandbox) are left out.
    """
    blocks = ["\n".join(f"# {line}".rstrip() for line in _SAMPLE_HEAD.splitlines())]
    main = next(iter(catalogue.of_role(Role.MAIN)), None)
    for role, title in _SAMPLE_ROLES.items():
        blocks.append(f"# ── {title} ".ljust(WIDTH, "─"))
        schemas = (schema for schema in catalogue.of_role(role) if not schema.loopback_only)
        blocks += ["\n".join(_sample_section(schema, main)) for schema in schemas]
    return "\n\n\n".join(blocks) + "\n"


def completion(schema: SectionSchema) -> dict[str, Any]:
    """Give what an editor needs to complete and explain options; plain values that JSON can carry."""
    return {
        "section": schema.name,
        "role": schema.role.value,
        "summary": schema.summary,
        "options": [_completion_of(option) for option in schema.options],
    }


def masked(section: ConfiguredSection, schema: SectionSchema) -> dict[str, str]:
    """Write the settings of a section for logs and support files: option names (with numbers) to text, no secrets."""
    shown: dict[str, str] = {}
    for option in schema.options:
        value = getattr(section.settings, option.name)
        numbered = value if option.is_numbered else {1: value}
        for number, one in numbered.items():
            shown[option.key(number)] = _masked_value(option, one)
    return shown


def _masked_value(option: Option, value: Any) -> str:
    if value is None:
        return ""
    return MASK if option.kind.secret else option.kind.show(value)


def _need(option: Option) -> str:
    if option.required:
        return "required"
    default = shown_default(option)
    return f"optional, default: {default}" if default else "optional"


def _example(option: Option) -> str:
    return f" Example: {option.example}" if option.example else ""


def _help(option: Option) -> str:
    """The help text with unit, version and inheritance."""
    parts = [_sentence(option.help)]
    if option.unit:
        parts.append(f"Unit: {option.unit}.")
    if option.since:
        parts.append(f"Since version {option.since}.")
    return " ".join(parts)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:] if not text.startswith(("http", "file:")) else text
    return text if text.endswith((".", "!", "?")) else text + "."


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _table_row(option: Option) -> str:
    default = shown_default(option)
    cells = [
        f"`{shown_names(option)}`",
        "**required**" if option.required else f"`{default}`" if default else "none",
        option.kind.describe(),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _sample_section(schema: SectionSchema, main: SectionSchema | None) -> Iterator[str]:
    is_main = schema.role is Role.MAIN
    yield from _wrapped(schema.summary, "# ")
    yield f"[{schema.name}]" if is_main else f";[{schema.name}]"
    from_main: list[str] = []
    for option in schema.options:
        if not is_main and main is not None and option.inherited and main.option(option.name):
            from_main.append(option.name)
            continue
        yield ""
        yield from _wrapped(_help(option), "# ")
        need = _need(option)
        yield f"# {need[0].upper()}{need[1:]} – {option.kind.describe()}"
        yield from (f";{line}" for line in _sample_lines(option))
    if from_main:
        yield ""
        yield from _wrapped(
            f"Options that are described at [main] and may stand here too: {', '.join(from_main)}.", "# "
        )


def _sample_lines(option: Option) -> Iterator[str]:
    """Write the option as it could stand in the file."""
    if option.kind.secret:
        value = PLACEHOLDER
    elif option.required:
        value = option.example
    else:
        value = shown_default(option) or option.example
    yield f"{option.key()} = {value}".rstrip()


def _completion_of(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "numbering": option.numbered.value,
        "required": option.required,
        "default": shown_default(option),
        "describe": option.kind.describe(),
        "values": list(option.kind.completions()),
        "help": option.help,
        "unit": option.unit,
        "secret": option.kind.secret,
        "restricts": option.restricts,
        "since": option.since,
        "example": option.example,
    }
