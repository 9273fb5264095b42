"""The command line of `twistd duoauthproxy`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.python import usage

from duoproxy.service.options import Options


def parse(*arguments: str, **twistd_settings: Any) -> Any:
    """Parse as twistd does, which has parsed its own before."""
    options: Any = Options()
    options.parent = twistd_settings
    options.parseOptions(arguments)
    return options


def test_user_and_group_are_named_for_a_start_as_root() -> None:
    """`--user` and `--group`, or -u and -g."""
    options = parse("--user", "duo", "-g", "logs")
    assert (options["user"], options["group"]) == ("duo", "logs")


def test_uid_and_gid_of_twistd_mean_the_same_and_are_left_to_us() -> None:
    """Twistd would change after its log was opened by root, and keep no capability."""
    options = parse(uid=100, gid=200)
    assert (options["user"], options["group"]) == ("100", "200")
    assert (options.parent["uid"], options.parent["gid"]) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        ([], {"euid": True, "uid": 100}, "given up for good"),
        (["--group", "logs"], {}, "--group needs --user"),
        ([], {"gid": 100}, "--group needs --user"),
    ],
)
def test_half_of_it_is_refused(arguments: list[str], settings: dict[str, Any], sentence: str) -> None:
    """Rights that could be taken back, or a group without a user, are a mistake."""
    with pytest.raises(usage.UsageError, match=sentence):
        parse(*arguments, **settings)


def test_a_log_that_the_administrator_asked_for_stays() -> None:
    """`twistd --logfile` wins over the service's own log."""
    assert "logger" not in parse(logfile="mine.log").parent
    assert parse().parent["logger"] == "duoproxy.service.make_service.log_observer_for_twistd"
