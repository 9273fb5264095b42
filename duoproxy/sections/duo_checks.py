"""What the connectivity tool tries of a section that asks Duo: ping, check, the clock, the kind of the application.

No user is asked or looked up. What several sections share stands here; this is no section itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from duoproxy.duoapi.messages import Generation
from duoproxy.duoapi.sentences import older_generation, service_name
from duoproxy.errors import ServiceRefused, ServiceUnavailable
from duoproxy.net.duo_client import DuoClient
from duoproxy.sections.checks import Check, CheckFinding, CheckLevel
from duoproxy.sections.contracts import Environment
from duoproxy.sections.duo_server_options import DuoServerSettings, make_duo_client

DRIFT_WARNED_S: Final = 10.0
"""From so many seconds between this clock and Duo's on there is a warning; Duo refuses requests at some minutes."""
DUO_LIMIT_S: Final = 45.0
"""For everything that is asked of Duo in one section."""


def duo_checks(server: DuoServerSettings, environment: Environment) -> Sequence[Check]:
    """List what is tried of the Duo service that a section names."""

    async def run() -> Sequence[CheckFinding]:
        client = make_duo_client(server, environment)
        try:
            return [*await _ping(client, server.api_host, environment), *await _check(client, server, environment)]
        except (ServiceUnavailable, ServiceRefused) as fault:
            return [CheckFinding(CheckLevel.ERROR, f"{fault.system}: {fault.cause}", fault.remedy)]
        finally:
            await client.stop()

    return (Check(service_name(server.api_host), run, DUO_LIMIT_S),)


def ping_check(api_host: str, make_client: Callable[[], DuoClient], environment: Environment) -> Check:
    """Make the check that a Duo service is there, for a section that has no keys of its own."""

    async def run() -> Sequence[CheckFinding]:
        client = make_client()
        try:
            return await _ping(client, api_host, environment)
        except (ServiceUnavailable, ServiceRefused) as fault:
            return [CheckFinding(CheckLevel.ERROR, f"{fault.system}: {fault.cause}", fault.remedy)]
        finally:
            await client.stop()

    return Check(service_name(api_host), run, DUO_LIMIT_S)


async def _ping(client: DuoClient, api_host: str, environment: Environment) -> list[CheckFinding]:
    """See that the service is there, and compare clocks."""
    service_time_s = await client.ping()
    if service_time_s is None:
        return []
    offset_s = service_time_s - environment.wall_clock()
    if abs(offset_s) < DRIFT_WARNED_S:
        return []
    direction = "behind" if offset_s > 0 else "ahead of"
    service = service_name(api_host)
    what = f"This machine's clock is {abs(offset_s):.0f} s {direction} the clock of {service}"
    return [CheckFinding(CheckLevel.WARNING, what, "Set it: timedatectl set-ntp true")]


async def _check(client: DuoClient, server: DuoServerSettings, environment: Environment) -> list[CheckFinding]:
    """See that the keys are good, and which generation of the API the application may call."""
    await client.check()
    if server.api_generation != "auto" or client.dialect.generation is not Generation.V1:
        return []
    service, section = service_name(server.api_host), environment.section_name
    what = older_generation(service, server.ikey, section).partition("] ")[2]
    why = "That is well: applications of older kinds are made so. api_generation = v1 spares the first try"
    return [CheckFinding(CheckLevel.INFO, what, why)]
