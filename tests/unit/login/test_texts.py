"""docs/reply-messages.md says what the users are told, at the end of a login and in a prompt."""

from __future__ import annotations

import re
from pathlib import Path

from duoproxy.login.outcome import Cause
from duoproxy.login.texts import NOTICES, USER_TEXTS, Notice

TABLE = Path(__file__).parents[3] / "docs" / "reply-messages.md"
ROW = re.compile(r"\| `(?P<cause>[a-z-]+)` \| (?P<gets>[^|]+) \| (?P<text>[^|]+) \|")


def _rows() -> dict[str, tuple[str, str]]:
    ends = TABLE.read_text().partition("\n## ")[0]
    return {m["cause"]: (m["gets"].strip(), m["text"].strip()) for m in ROW.finditer(ends)}


def _notices() -> dict[str, str]:
    prompts = TABLE.read_text().partition("\n## What a prompt says\n")[2]
    return {m["cause"]: m["gets"].strip() for m in ROW.finditer(prompts)}


def test_the_table_has_one_row_for_each_cause() -> None:
    """No outcome is undocumented, and none is documented that cannot be."""
    assert set(_rows()) == {cause.value for cause in Cause}


def test_the_table_says_the_texts_that_are_sent() -> None:
    """The column Reply-Message is what the code sends."""
    texts = {cause.value: USER_TEXTS[cause] or "nothing" for cause in Cause}
    assert {cause: text for cause, (_, text) in _rows().items()} == texts


def test_no_end_tells_the_user_to_append() -> None:
    """The same ends come where a factor is a password field or an answer of its own, and after a hidden password."""
    assert [text for text in USER_TEXTS.values() if "append" in text.lower()] == []


def test_the_second_table_has_one_row_for_each_notice_with_its_text() -> None:
    """What a prompt says of the answer before it."""
    assert _notices() == {notice.value: NOTICES[notice] for notice in Notice}
