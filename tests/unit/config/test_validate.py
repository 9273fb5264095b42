"""The one validator, as a whole."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from duoproxy.config.validate import Reach, check_configuration, load_configuration
from duoproxy.errors import ConfigError
from duoproxy.secret import Secret
from tests.unit.config.small_catalogue import CATALOGUE, GOOD, lines_of, load, problems_of, write


def test_all_problems_of_a_file_are_told_together(tmp_path: Path) -> None:
    """In the order of their lines, from every step of the check."""
    text = GOOD.replace("10.0.0.0/8", "10.0.0.0/99").replace("host = 10.1.2.10\n", "nonsense\n") + "[ad_client]\n"
    options = [(problem.line, problem.section, problem.option) for problem in problems_of(tmp_path, text)]
    assert options == [
        (5, "radius_server_auto", "radius_ip_1"),
        (7, "radius_client", "host"),
        (8, "radius_client", ""),
        (10, "ad_client", ""),
    ]


def test_error_carries_warnings_too(tmp_path: Path) -> None:
    """Who mends the file wants to see everything."""
    path = write(tmp_path, GOOD + "prot=1\nretries=x\n")
    with pytest.raises(ConfigError) as caught:
        load_configuration(path, CATALOGUE)
    assert [problem.is_error for problem in caught.value.problems] == [False, True]


def test_warnings_of_a_good_file_are_in_the_configuration(tmp_path: Path) -> None:
    """The start prints them."""
    configuration = load(tmp_path, GOOD + "prot=1\n")
    assert [problem.option for problem in configuration.warnings] == ["prot"]


def test_equal_files_give_equal_configurations(tmp_path: Path) -> None:
    """A reload is a comparison of two values; comments and warnings do not count."""
    assert load(tmp_path, GOOD) == load(tmp_path, GOOD + "; a comment\n")
    assert load(tmp_path, GOOD) != load(tmp_path, GOOD + "retries = 4\n")


def test_file_without_main_has_the_defaults_of_main(tmp_path: Path) -> None:
    """All options of [main] are optional."""
    configuration = load(tmp_path, GOOD)
    assert configuration.main.log_max_files == 6
    assert configuration.path == tmp_path / "authproxy.cfg"


def test_secret_keeps_every_character(tmp_path: Path) -> None:
    """%, ;, # and = stand in real secrets."""
    text = GOOD.replace("upstream secret", "a%b;c #d=e")
    assert load(tmp_path, text).clients[0].settings.secret[1] == Secret("a%b;c #d=e")


def test_no_sentence_shows_a_secret(tmp_path: Path) -> None:
    """Whatever is wrong with a line that holds a secret."""
    text = GOOD.replace("upstream secret", "hunter2" * 1000).replace("radius_secret_1 =", "radius_secret_protected_1 =")
    text = text.replace("radius secret", "hunter2") + "hunter2\nsecret = hunter2\nsecret_0 = hunter2\n"
    assert "hunter2" not in "\n".join(lines_of(tmp_path, text))


def test_file_with_secrets_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    """Chmod o-r mends it; a file whose secrets stand elsewhere may be read."""
    path = write(tmp_path, GOOD)
    path.chmod(0o644)
    assert [str(problem) for problem in check_configuration(path, CATALOGUE)] == [
        f"warning: {path}: everybody on this machine can read this file, and there are secrets in it. "
        f"Run chmod o-r {path} to change that."
    ]
    assert check_configuration(path, CATALOGUE, reach=Reach.NOTHING) == []
    path.chmod(0o640)
    assert check_configuration(path, CATALOGUE) == []


def test_secrets_of_a_sandbox_may_be_read_by_all(tmp_path: Path) -> None:
    """They protect nothing, and the file comes with the program."""
    path = write(tmp_path, GOOD + "[sandbox_duo]\n")
    path.chmod(0o644)
    assert check_configuration(path, CATALOGUE) == []


def test_file_whose_secrets_stand_elsewhere_may_be_read_by_all(tmp_path: Path) -> None:
    """Names of variables are no secrets."""
    text = GOOD.replace("radius secret", "env:S").replace("upstream secret", "env:S").replace("0123456789" * 4, "env:S")
    path = write(tmp_path, text)
    path.chmod(0o644)
    assert load_configuration(path, CATALOGUE, environ={"S": "secret from env"}).warnings == ()


def test_service_needs_what_a_check_from_a_shell_passes_over(tmp_path: Path) -> None:
    """A start with a secret that is not there fails; a check by somebody else warns."""
    path = write(tmp_path, GOOD.replace("upstream secret", "credential:upstream"))
    told = check_configuration(path, CATALOGUE, environ={})
    assert [problem.is_error for problem in told] == [False]
    with pytest.raises(ConfigError):
        load_configuration(path, CATALOGUE, environ={})


def test_file_that_one_section_makes_and_another_reads(tmp_path: Path) -> None:
    """The sandbox's certificate need not be there before the first start."""
    text = GOOD + "ca_file = sandbox-ca.pem\n"
    assert "cannot be read" in lines_of(tmp_path, text)[0]
    assert lines_of(tmp_path, text + "[sandbox_duo]\n") == []


def test_missing_file_is_one_problem(tmp_path: Path) -> None:
    """Nothing else is told of a file that cannot be opened."""
    assert len(check_configuration(tmp_path / "none.cfg", CATALOGUE)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[main]\n" + "".join(f"x{number}=1\n" for number in range(80_000)),
        "".join(f"[radius_client{number}]\nhost=x\n" for number in range(1, 9000)),
        "".join(f"[x{number}]\n" for number in range(90_000)),
        "[main]\n"
        + "".join(f"host_{number}=x\n" for number in range(2, 5001))
        + "".join(f"[radius_client{number}]\n" for number in range(1, 30)),
        "[radius_server_auto]\n" + "".join(f"radius_ip_{number}=1.1.1.1\n" for number in range(1, 5000)),
        "[radius_server_auto]\nport=" + " \t" * 8000 + "x\n" + "[" + "1" * 16000 + "a]\n",
        "x" * (1024 * 1024),
    ],
    ids=["options", "sections", "unknown", "inherited", "numbers", "blanks", "line"],
)
def test_hostile_file_is_refused_in_bounded_time(tmp_path: Path, text: str) -> None:
    """Whatever stands in 1 MiB: at most 200 problems (and one that says so), in a few seconds."""
    started = time.monotonic()
    problems = problems_of(tmp_path, text)
    assert any(problem.is_error for problem in problems)
    assert len(problems) <= 201
    assert time.monotonic() - started < 20
