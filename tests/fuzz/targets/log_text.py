"""Any text becomes one printable line of the log, and printable text stays as it is."""

from __future__ import annotations

import json

from twisted.logger import LogLevel

from duoproxy.service.auth_events import event_line
from duoproxy.service.log_text import format_line, printable

WORDS = (
    b"{user}",
    b"{user!r}",
    b"\r\n",
    b"\x1b[31m",
    "\u2028".encode(),
    "\x85".encode(),
    b"{",
    b"}}",
    b"{log_level.name}",
)


def target(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert shown == text or not text.isprintable()
    for event in (
        {"log_format": "Login of {user!r} from {user}", "user": text},
        {"log_format": text, "user": text},
        {"log_format": "{sentence}", "sentence": text},
    ):
        line = format_line({"log_time": 0.0, "log_level": LogLevel.warn, "log_namespace": "section", **event})
        assert line.endswith("\n")
        assert line[:-1].isprintable()
    fields = event_line({"username": text}, "host", 0.0)
    assert fields.count("\n") == 1
    assert fields.isascii()
    assert json.loads(fields)["username"] == text
