"""How tests parse single values."""

from __future__ import annotations

from pathlib import Path

from duoproxy.config.kind import Kind, ParseContext, ValueParseError


def context(folder: Path = Path("/etc/none"), **fields) -> ParseContext:
    return ParseContext(folder=folder, **fields)


def fault(kind: Kind, text: str, where: ParseContext | None = None) -> str:
    """Parse what is no value and give the sentence that tells so."""
    try:
        value = kind.parse(text, where or context())
    except ValueParseError as error:
        return str(error)
    raise AssertionError(f"{text!r} was read as {value!r}")
