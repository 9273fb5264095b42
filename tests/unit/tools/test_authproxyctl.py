"""authproxyctl, as it is typed."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from duoproxy import __version__
from duoproxy.tools.authproxyctl import main
from tests.unit.config.small_catalogue import CATALOGUE, GOOD, write


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], obj=lambda: CATALOGUE)


def test_check_of_a_good_file_says_so(tmp_path: Path) -> None:
    """Exit code 0."""
    path = write(tmp_path, GOOD)
    result = run("check", path)
    assert (result.exit_code, result.output) == (0, f"{path}: fine. The proxy would start with it.\n")


def test_check_with_warnings_only_is_fine(tmp_path: Path) -> None:
    """Warnings do not keep the proxy from starting."""
    path = write(tmp_path, GOOD + "prot = 1\n")
    result = run("check", path)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"warning: {path}:10 [radius_client] prot: the option is unknown and ignored. Did you mean port?",
        f"{path}: fine, 1 warning. The proxy would start with it.",
    ]


def test_check_with_errors_tells_all_and_exits_1(tmp_path: Path) -> None:
    """Exit code 1, and a last line that counts."""
    path = write(tmp_path, GOOD + "prot = 1\nretries = x\nport = y\n")
    result = run("check", path)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == f"{path}: 2 errors, 1 warning. The proxy would not start."
    assert len(result.output.splitlines()) == 4


def test_check_of_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    """The file is what is wrong, not the usage."""
    result = run("check", tmp_path / "none.cfg")
    assert result.exit_code == 1
    assert "the file cannot be read (No such file or directory)" in result.output


def test_check_as_json(tmp_path: Path) -> None:
    """For scripts: every field of a problem, and the printed line."""
    path = write(tmp_path, GOOD + "retries = x\n")
    result = run("check", "--json", path)
    report = json.loads(result.output)
    assert result.exit_code == 1
    assert (report["file"], report["ok"], report["errors"], report["warnings"]) == (str(path), False, 1, 0)
    assert report["problems"] == [
        {
            "severity": "error",
            "file": str(path),
            "line": 10,
            "section": "radius_client",
            "option": "retries",
            "what": "'x' is not a whole number",
            "remedy": "Write a number from 1 to 100, such as 3",
            "text": f"error: {path}:10 [radius_client] retries: 'x' is not a whole number. "
            "Write a number from 1 to 100, such as 3.",
        }
    ]


def test_check_of_a_copied_file_looks_at_no_other_files(tmp_path: Path) -> None:
    """--no-files, for a file that belongs to another machine."""
    path = write(tmp_path, GOOD + "ca_file = ca.pem\n")
    assert run("check", path).exit_code == 1
    assert run("check", "--no-files", path).exit_code == 0


def test_options_lists_the_sections_that_there_are() -> None:
    """Planned ones too, with what is to be said of them."""
    lines = run("options").output.splitlines()
    assert lines[1] == "radius_client       Another RADIUS server checks the password."
    assert lines[-1] == "radius_server_eap   is known, but this version does not serve it yet."


@pytest.mark.parametrize("name", ["radius_client", "[Radius_Client2]"])
def test_options_describes_a_section(name: str) -> None:
    """By its name, with or without number and brackets."""
    result = run("options", name)
    assert result.exit_code == 0
    assert result.output.startswith("[radius_client]\n")
    assert "  retries  (optional, default: 3)\n" in result.output


def test_options_says_what_became_of_a_section_that_is_left_out() -> None:
    """What it was, and what to use; the list names it too."""
    result = run_installed("options", "cloud")
    assert result.exit_code == 2
    assert "[cloud] copies a directory to Duo, which only Duo's own proxy can do" in " ".join(result.output.split())
    lines = run_installed("options").output.splitlines()
    assert any(line.startswith("radius_server_iframe  ") and "showed Duo's" in line for line in lines)


def test_options_as_json() -> None:
    """One section, or a list of all."""
    assert json.loads(run("options", "--json", "radius_client").output)["section"] == "radius_client"
    every = json.loads(run("options", "--json").output)
    assert [one["section"] for one in every] == list(CATALOGUE.schemas)


def test_options_as_a_page_of_the_documentation() -> None:
    """One page, or all of them; not together with --json."""
    page = run("options", "--markdown", "radius_client").output
    assert page.startswith("# [radius_client]\n")
    assert "\n## retries\n" in page
    every = run("options", "--markdown").output
    assert [line for line in every.splitlines() if line.startswith("# ")] == [
        f"# [{name}]" for name in CATALOGUE.schemas
    ]
    assert run("options", "--markdown", "--json").exit_code == 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("radius_clint", "There is no section [radius_clint]. Did you mean radius_client?"),
        ("xyz", "There is no section [xyz]. There are: main, radius_client, duo_only_client"),
        ("ad_client", "[ad_client] is known, but this version does not serve it yet. Use [radius_client] until then."),
    ],
)
def test_options_of_no_section_is_wrong_usage(name: str, sentence: str) -> None:
    """Exit code 2."""
    result = run("options", name)
    assert result.exit_code == 2
    assert sentence in result.output


def test_sample_can_be_checked(tmp_path: Path) -> None:
    """Unchanged it says clearly that no server section is active."""
    result = run("check", write(tmp_path, run("sample").output))
    assert result.exit_code == 1
    assert "no server section is active in this file" in result.output


def test_version_is_printed() -> None:
    """One line; or as JSON."""
    assert run("version").output == f"duoproxy {__version__}\n"
    assert json.loads(run("version", "--json").output) == {"program": "duoproxy", "version": __version__}


@pytest.mark.parametrize("arguments", [["chek"], ["check", "a", "b"], ["check", "--jsn"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    """As the help says."""
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("command", [[], ["check"], ["options"], ["sample"], ["version"]])
def test_help_has_examples_and_exit_codes(command: list[str]) -> None:
    """Whoever asks for help sees how it is typed."""
    output = run(*command, "--help").output
    assert "Example" in output
    assert "\\b" not in output
    examples = [line for line in output.splitlines() if line.startswith("    authproxyctl ")]
    assert examples, "each stands on a line of its own"
    assert examples[0].split()[1] == (command[0] if command else "check")
    assert "Exit codes: 0 fine, 1 problems, 2 wrong usage." in output


def run_installed(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_sample_of_the_installed_sections_explains_itself(tmp_path: Path) -> None:
    """What conf/authproxy.cfg is generated from: unchanged it has one fault, that nothing listens."""
    report = json.loads(run_installed("check", "--json", write(tmp_path, run_installed("sample").output)).output)
    assert [problem["what"] for problem in report["problems"]] == [
        "no server section is active in this file, so that nothing would listen"
    ]


def test_every_default_and_example_of_the_installed_sections_is_a_value(tmp_path: Path) -> None:
    """The sample with all options taken in, and secrets put in place, starts; one default is doubtful."""
    active = re.sub(r"^;(?!.* =$)", "", run_installed("sample").output, flags=re.MULTILINE)
    ports = itertools.count(1812)  # the default of every section that listens for RADIUS
    active = re.sub("port = 1812", lambda _: f"port = {next(ports)}", active)
    result = run_installed("check", "--no-files", write(tmp_path, active.replace("REPLACE_THIS", "0123456789" * 4)))
    warning, summary = result.output.splitlines()
    assert "[ad_client] transport: ntlm2 hides the password, but whoever sits between can answer yes" in warning
    assert summary.endswith("fine, 1 warning. The proxy would start with it.")
    assert result.exit_code == 0


def test_make_cert_writes_key_and_certificate_and_says_what_to_write(tmp_path: Path) -> None:
    """The two lines go into the section as they are."""
    result = run("make-cert", "--folder", tmp_path, "radius.example.com")
    assert result.exit_code == 0
    assert result.output == f"certs={tmp_path}/radius.example.com.pem\npkey={tmp_path}/radius.example.com.key\n"


def test_make_cert_names_files_that_any_configuration_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder need not be that of the configuration, at which its relative names start."""
    monkeypatch.chdir(tmp_path)
    result = run("make-cert", "radius.example.com")
    assert result.output.splitlines()[0] == f"certs={tmp_path}/radius.example.com.pem"


def test_make_cert_that_cannot_exits_1_with_a_sentence(tmp_path: Path) -> None:
    """Never over a file that is there."""
    run("make-cert", "--folder", tmp_path, "radius.example.com")
    result = run("make-cert", "--folder", tmp_path, "radius.example.com")
    assert result.exit_code == 1
    assert "radius.example.com.pem is there already and is never overwritten." in result.output


def test_make_cert_as_json(tmp_path: Path) -> None:
    """The two options with their files; where there are none the problem, on standard output too."""
    made = run("make-cert", "--json", "--folder", tmp_path, "radius.example.com")
    stem = f"{tmp_path}/radius.example.com"
    assert json.loads(made.stdout) == {"certs": f"{stem}.pem", "pkey": f"{stem}.key"}
    again = run("make-cert", "--json", "--folder", tmp_path, "radius.example.com")
    assert (again.exit_code, again.stderr) == (1, "")
    assert json.loads(again.stdout)["problem"].startswith(f"{stem}.pem is there already and is never overwritten.")
