"""authevents.log: documented fields, one JSON object a line."""

from __future__ import annotations

import json

from duoproxy.service.auth_events import event_line, event_sink, ignore_event

EVENT = {
    "username": "al\nice",
    "auth_stage": "Secondary authentication",
    "status": "Allow",
    "msg": "Success",
    "factor": "push",
    "client_ip": None,
    "server_section": "radius_server_auto",
    "server_section_ikey": "DIXXXXXXXXXXXXXXXXXX",
    "client_section": "radius_client",
    "login_id": "0a0b",
    "duration_s": 1.5,
    "bypass_reason": None,
}
DOCUMENTED = {
    *("timestamp", "username", "auth_stage", "status", "msg", "factor", "client_ip", "hostname", "server_section"),
    *("server_section_ikey", "client_section", "event_type", "log_level", "log_logger", "log_namespace", "log_source"),
    "log_format",
}


def test_an_event_is_one_json_line_with_the_documented_fields() -> None:
    """The names that parsers of this log map are unchanged; ours are additional."""
    line = event_line(EVENT, "proxy1", 0.0)
    assert line.count("\n") == 1
    fields = json.loads(line)
    assert set(fields) >= DOCUMENTED
    assert {key: fields[key] for key in EVENT} == EVENT
    assert fields["timestamp"] == "1970-01-01T00:00:00+00:00"
    assert fields["hostname"] == "proxy1"


def test_the_sink_writes_each_event_with_the_time_of_its_clock() -> None:
    """One write for each event."""
    written: list[str] = []
    take = event_sink(written.append, "proxy1", lambda: 86_400.0)
    take(EVENT)
    take(EVENT)
    assert [json.loads(line)["timestamp"] for line in written] == ["1970-01-02T00:00:00+00:00"] * 2


def test_without_log_auth_events_nothing_happens() -> None:
    """The sink of an installation that does not want events takes them and returns nothing."""
    before = dict(EVENT)
    ignore_event(EVENT)
    assert before == EVENT
