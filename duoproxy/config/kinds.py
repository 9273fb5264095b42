"""The kinds of option values, in one place for those who declare options."""

from __future__ import annotations

from duoproxy.config.file_kinds import Folder, InputFile, OutputFile, SecretText
from duoproxy.config.kind import Kind, ParseContext, ValueParseError
from duoproxy.config.network_kinds import AddressRangeKind, ApiHost, HostName, HostOrAddress, IpAddress, Port
from duoproxy.config.radius_kinds import AttributeName, AttributeNames
from duoproxy.config.simple_kinds import (
    Boolean,
    Choice,
    Codec,
    CommaList,
    FalseOnly,
    Integer,
    Seconds,
    SectionName,
    Text,
)

__all__ = [
    "AddressRangeKind",
    "ApiHost",
    "AttributeName",
    "AttributeNames",
    "Boolean",
    "Choice",
    "Codec",
    "CommaList",
    "FalseOnly",
    "Folder",
    "HostName",
    "HostOrAddress",
    "InputFile",
    "Integer",
    "IpAddress",
    "Kind",
    "OutputFile",
    "ParseContext",
    "Port",
    "Seconds",
    "SecretText",
    "SectionName",
    "Text",
    "ValueParseError",
]
