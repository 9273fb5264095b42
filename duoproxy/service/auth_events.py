"""authevents.log: one JSON object a line, for whoever ships logins to another system.

The documented field names are kept, with the envelope fields that existing parsers map; `login_id`, `duration_s` and
`bypass_reason` are ours (docs/reference/logs.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

_ENVELOPE: Mapping[str, object] = {
    "log_level": {"name": "info", "__class_uuid__": "02E59486-F24D-46AD-8224-3ACDF2A5732A"},
    "log_logger": {"unpersistable": True},
    "log_namespace": "duoproxy.auth_events",
    "log_source": None,
    "log_format": "",
}


def event_line(event: Mapping[str, object], hostname: str, seconds: float) -> str:
    """Make one line of authevents.log.

    Args:
        event: the fields of this event.
        hostname: the machine that runs the proxy.
        seconds: when, in seconds since the epoch.
    """
    stamp = datetime.fromtimestamp(seconds, UTC).isoformat()
    fields = {"timestamp": stamp, "hostname": hostname, "event_type": "authentication", **event, **_ENVELOPE}
    return json.dumps(fields, ensure_ascii=True) + "\n"


def event_sink(
    write: Callable[[str], None], hostname: str, clock: Callable[[], float]
) -> Callable[[Mapping[str, object]], None]:
    """Make the function that sections give their events to (`clock`: seconds since the epoch)."""

    def take(event: Mapping[str, object]) -> None:
        write(event_line(event, hostname, clock()))

    return take


def ignore_event(event: Mapping[str, object]) -> None:
    """The sink of an installation without `log_auth_events`."""
