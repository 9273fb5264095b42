"""What a section tells of itself when it does not say more."""

from __future__ import annotations

import json

from duoproxy.config.schema import Role, SectionSchema
from duoproxy.login.outcome import PrimaryOutcome
from duoproxy.login.request import LoginRequest
from duoproxy.sections.contracts import ClientSection, ServerSection, upstream_status
from duoproxy.sections.shared_options import SectionSettings
from duoproxy.testing import make_environment


class Line(ServerSection):
    schema = SectionSchema(
        name="line_server",
        role=Role.SERVER,
        summary="Listens.",
        settings_class=SectionSettings,
        listens=lambda settings: [("tcp", "", 7777), ("udp", "127.0.0.1", 7)],
    )


class Yes(ClientSection):
    schema = SectionSchema(name="yes_client", role=Role.CLIENT, summary="Says yes.", settings_class=SectionSettings)

    async def authenticate(self, request: LoginRequest) -> PrimaryOutcome:
        return PrimaryOutcome(True)


def test_a_server_section_tells_on_what_it_listens() -> None:
    """As its schema has it, for JSON."""
    told = Line(SectionSettings(), make_environment("line_server")).status()
    assert json.loads(json.dumps(told)) == {
        "listeners": [
            {"protocol": "tcp", "address": "", "port": 7777},
            {"protocol": "udp", "address": "127.0.0.1", "port": 7},
        ]
    }


def test_a_client_section_tells_nothing() -> None:
    """Unless it says otherwise."""
    assert Yes(SectionSettings(), make_environment("yes_client")).status() == {}


def test_servers_of_a_client_section_rest_or_are_well() -> None:
    """A rest that is over is 0: the next login finds out."""
    assert upstream_status([("a:1812", None), ("b:1812", 130.04), ("c:1812", 90.0)], now=100.0) == [
        {"server": "a:1812", "resting_s": None},
        {"server": "b:1812", "resting_s": 30.0},
        {"server": "c:1812", "resting_s": 0.0},
    ]
