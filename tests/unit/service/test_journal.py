"""The journal of logins: what it takes from the log, in which words, and what bounds it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import LogLevel

from duoproxy.service import journal as journal_file
from duoproxy.service.journal import MAX_LOGINS, MAX_STEP_CHARACTERS, MAX_STEPS, Journal

BEGIN = "Login {login_id}: {user!r} asks from {device}{how}."
END = "Login {login_id}: user={user!r} result={result} cause={cause}{detail}"


def event(text: str, at: float = 100.0, level: LogLevel = LogLevel.info, **fields: object) -> dict[str, Any]:
    return {
        "log_format": text,
        "log_time": at,
        "log_level": level,
        "log_namespace": "radius_server_auto",
        **fields,
    }


def begin(login_id: str = "0a", user: str = "alice", at: float = 100.0) -> dict[str, Any]:
    return event(BEGIN, at, login_id=login_id, user=user, device="10.1.2.20", how="")


def end(login_id: str = "0a", user: str = "alice", at: float = 102.5) -> dict[str, Any]:
    return event(
        END,
        at,
        login_id=login_id,
        user=user,
        device="10.1.2.20",
        section="radius_server_auto",
        factor="push",
        result="reject",
        cause="factor-refused",
        duration=2.5,
        primary=0.004,
        second=2.4,
        detail=" | Duo says deny",
    )


def journal(now: float = 101.0) -> Journal:
    return Journal(lambda: now)


def test_a_login_is_told_from_begin_to_end() -> None:
    """Who, where, each step with its time, and how it ended."""
    kept = journal()
    kept(begin())
    kept.step("0a", "Duo is asked for push.")
    kept(end())
    record = kept.find("0a")
    assert record is not None
    told = record.as_mapping()
    assert (told["user"], told["device"], told["section"]) == ("alice", "10.1.2.20", "radius_server_auto")
    assert (told["result"], told["cause"], told["factor"]) == ("reject", "factor-refused", "push")
    assert (told["detail"], told["duration_s"], told["primary_s"]) == ("Duo says deny", 2.5, 0.004)
    assert [(step["after_s"], step["text"]) for step in told["steps"]] == [  # type: ignore[attr-defined]
        (0.0, "'alice' asks from 10.1.2.20."),
        (1.0, "Duo is asked for push."),
        (2.5, "The login ends: reject, factor-refused."),
    ]


def test_events_without_a_login_are_not_kept() -> None:
    """The journal is about logins."""
    kept = journal()
    kept(event("duoproxy is ready"))
    kept(event("Login {login_id}", login_id=None))
    assert len(kept) == 0


def test_a_warning_about_a_login_keeps_its_level() -> None:
    """It is what the reader looks for first."""
    kept = journal()
    kept(begin())
    kept(event("Login {login_id} from 10.1.2.20: rejected, it is no PAP.", level=LogLevel.warn, login_id="0a"))
    record = kept.find("0a")
    assert record is not None
    assert record.steps[-1][1:] == ("warn", "rejected, it is no PAP.")


def test_the_last_logins_of_a_user_come_newest_first() -> None:
    """Case does not count in a name, and outer blanks do not."""
    kept = journal()
    for number, user in enumerate(("alice", "bob", " Alice")):
        kept(begin(f"0{number}", user))
    assert [record.login_id for record in kept.latest(5, "ALICE")] == ["02", "00"]
    assert [record.login_id for record in kept.latest(2)] == ["02", "01"]


def test_the_oldest_login_is_forgotten_first() -> None:
    """At most so many logins."""
    kept = journal()
    for number in range(MAX_LOGINS + 5):
        kept.step(f"{number:x}", "a step")
    assert len(kept) == MAX_LOGINS
    assert kept.find("4") is None
    assert kept.find("5") is not None


def test_of_a_long_login_the_middle_is_left_out() -> None:
    """How it began and how it ended stay."""
    kept = journal()
    for number in range(MAX_STEPS + 20):
        kept.step("0a", f"step {number}")
    record = kept.find("0a")
    assert record is not None
    texts = [text for _, _, text in record.steps]
    assert (len(texts), record.left_out) == (MAX_STEPS, 20)
    assert (texts[0], texts[-1]) == ("step 0", f"step {MAX_STEPS + 19}")


def test_a_long_text_is_cut() -> None:
    """No step is longer than others can bear."""
    kept = journal()
    kept.step("0a", "x" * 10_000)
    record = kept.find("0a")
    assert record is not None
    assert len(record.steps[0][2]) == MAX_STEP_CHARACTERS


def test_all_texts_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many long logins push the oldest out before their number does, and forgetting gives the room back."""
    monkeypatch.setattr(journal_file, "MAX_JOURNAL_CHARACTERS", 1_000)
    kept = journal()
    for number in range(50):
        kept.step(f"{number:x}", "x" * 100)
    assert len(kept) == 10
    kept.step("last", "x" * 100)
    assert len(kept) == 10


def test_an_event_whose_text_cannot_be_made_ends_nothing() -> None:
    """Whatever a value does when it is formatted."""
    kept = journal()
    kept(event("Login {login_id}: {missing}", login_id="0a"))
    record = kept.find("0a")
    assert record is not None
    assert record.steps


def test_a_request_that_became_no_login_has_its_device_and_section() -> None:
    """Nobody knows the user of what could not be read."""
    kept = journal()
    kept(event("Login {login_id} from {device}: rejected, it is no PAP.", login_id="0a", device="10.1.2.20"))
    record = kept.find("0a")
    assert record is not None
    assert (record.user, record.device, record.section) == ("", "10.1.2.20", "radius_server_auto")
