"""What the options of one section say together."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.config.kind import Reach
from tests.unit.config.small_catalogue import GOOD, GOOD_CLIENT, GOOD_SERVER, lines_of, load, problems_of


def test_good_file_has_no_problems(tmp_path: Path) -> None:
    """Nothing is told of a file without faults."""
    assert lines_of(tmp_path, GOOD) == []


def test_missing_options_are_told_at_the_heading_with_what_to_write(tmp_path: Path) -> None:
    """All of them, with an example where there is one; secrets are described."""
    place = "error: authproxy.cfg:1 [radius_server_auto]"
    assert lines_of(tmp_path, "[radius_server_auto]\n[duo_only_client]\n") == [
        f"{place} ikey: the option is missing. Write ikey = DIXXXXXXXXXXXXXXXXXX.",
        f"{place} skey: the option is missing. "
        "Write skey = and behind it the secret key, or file:PATH, env:NAME, credential:NAME.",
        f"{place} api_host: the option is missing. Write api_host = api-XXXXXXXX.duosecurity.com.",
        f"{place} radius_ip_1: the option is missing. Write radius_ip_1 = 10.1.2.0/24.",
        f"{place} radius_secret_1: the option is missing. "
        "Write radius_secret_1 = and behind it the shared secret, or file:PATH, env:NAME, credential:NAME.",
    ]


@pytest.mark.parametrize(
    ("server", "client", "sentence"),
    [
        (
            "radius_ip_2 = 192.0.2.1\n",
            "",
            "error: authproxy.cfg:7 [radius_server_auto] radius_secret_2: the option is missing, though there is "
            "radius_ip_2. Write radius_secret_2 = and behind it the shared secret, or file:PATH, env:NAME, "
            "credential:NAME.",
        ),
        (
            "radius_secret_2 = x\n",
            "",
            "error: authproxy.cfg:7 [radius_server_auto] radius_ip_2: the option is missing, though there is "
            "radius_secret_2. Write radius_ip_2 = 10.1.2.0/24.",
        ),
        (
            "radius_ip_2 = 10.0.0.0-10.255.255.255\nradius_secret_2 = x\n",
            "",
            "error: authproxy.cfg:7 [radius_server_auto] radius_ip_2: the value is the same as that of radius_ip_1. "
            "Delete one of the two.",
        ),
        (
            "radius_ip_3 = 192.0.2.1\nradius_secret_3 = x\n",
            "",
            "warning: authproxy.cfg:7 [radius_server_auto] radius_ip_3: there is no radius_ip_2 before it. "
            "Number the lines from 1 without gaps.",
        ),
        (
            "",
            "port_2 = 1645\n",
            "warning: authproxy.cfg:10 [radius_client] port_2: the option has no effect, because there is no host_2. "
            "Write host_2 too, or delete the line.",
        ),
        (
            "",
            "host_3 = 10.1.2.11\n",
            "warning: authproxy.cfg:10 [radius_client] host_3: there is no host_2 before it. "
            "Number the lines from 1 without gaps.",
        ),
    ],
)
def test_numbered_options_that_do_not_fit_together(tmp_path: Path, server: str, client: str, sentence: str) -> None:
    """radius_ip_n needs radius_secret_n and the reverse; a port_n without host_n does nothing; gaps are doubtful."""
    assert lines_of(tmp_path, GOOD_SERVER + server + GOOD_CLIENT + client) == [sentence]


def test_options_behind_a_gap_are_read_all_the_same(tmp_path: Path) -> None:
    """Numbers need not follow each other."""
    configuration = load(tmp_path, GOOD_SERVER + GOOD_CLIENT + "host_3 = 10.1.2.11\n")
    assert list(configuration.clients[0].settings.host) == [1, 3]


def test_section_looks_at_its_own_settings(tmp_path: Path) -> None:
    """What a section finds is told at the line of the option; advice is a warning."""
    text = GOOD.replace("DIXX", "XXXX").replace("0123456789012345678901234567890123456789", "short")
    assert lines_of(tmp_path, text) == [
        "error: authproxy.cfg:2 [radius_server_auto] ikey: an integration key begins with DI. Copy it again.",
        "warning: authproxy.cfg:3 [radius_server_auto] skey: the secret key is short. Copy it again.",
    ]


@pytest.mark.parametrize(
    ("line", "reach"),
    [("skey = env:NOBODY_SET_THIS", Reach.SHELL), ("skey = file:skey.txt", Reach.NOTHING)],
    ids=["env", "file"],
)
def test_nothing_is_said_of_the_length_of_a_secret_that_was_not_looked_at(
    tmp_path: Path, line: str, reach: Reach
) -> None:
    """The only warning is that it was not looked at; what stands in for it has no meaning."""
    text = GOOD.replace("skey = 0123456789012345678901234567890123456789", line)
    [problem] = problems_of(tmp_path, text, reach=reach)
    assert "was not looked at" in problem.what
    short = GOOD.replace("skey = 0123456789012345678901234567890123456789", "skey = short")
    assert [problem.what for problem in problems_of(tmp_path, short)] == ["the secret key is short"]
