"""What [radius_server_auto] finds in its own settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.config.validate import check_configuration
from duoproxy.sections.registry import load_registry

TEXT = """[duo_only_client]
[radius_server_auto]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-1.example
radius_ip_1=192.0.2.1
radius_secret_1=a long shared secret
"""


def _errors(folder: Path, line: str) -> list[str]:
    path = folder / "authproxy.cfg"
    path.write_text(TEXT + line + "\n", "utf-8")
    path.chmod(0o600)
    return [str(problem) for problem in check_configuration(path, load_registry([]).catalogue) if problem.is_error]


@pytest.mark.parametrize("delimiter", ["1", "push", "x^", "ü"])
def test_a_delimiter_that_could_be_part_of_a_factor_is_an_error(tmp_path: Path, delimiter: str) -> None:
    """It cannot occur in a factor or a passcode: otherwise nothing tells where the password ends."""
    [error] = _errors(tmp_path, f"delimiter={delimiter}")
    assert error == (
        f"error: {tmp_path}/authproxy.cfg:8 [radius_server_auto] delimiter: letters and digits can stand in a factor "
        "or passcode, so that nothing could tell where it begins. Write punctuation, such as ^."
    )


def test_a_ca_file_without_certificates_is_an_error_before_the_start(tmp_path: Path) -> None:
    """What authproxyctl check calls fine has to start: not PEM is an error like any other."""
    (tmp_path / "roots.pem").write_text("no certificate", "utf-8")
    [error] = _errors(tmp_path, "http_ca_certs_file=roots.pem")
    assert error == (
        f"error: {tmp_path}/authproxy.cfg:8 [radius_server_auto] http_ca_certs_file: {tmp_path}/roots.pem holds no "
        "certificate that can be read. Write certificates in PEM form into it."
    )


@pytest.mark.parametrize("delimiter", ["^", ",", "//", ";"])
def test_punctuation_is_a_delimiter(tmp_path: Path, delimiter: str) -> None:
    """Any punctuation will do."""
    assert _errors(tmp_path, f"delimiter={delimiter}") == []


@pytest.mark.parametrize("line", ["", "port=99999"])
def test_a_missing_shared_secret_is_told_once(tmp_path: Path, line: str) -> None:
    """Once, at the device that lacks it, whatever else is wrong in the section."""
    path = tmp_path / "authproxy.cfg"
    path.write_text(TEXT.replace("radius_secret_1=a long shared secret\n", "") + line + "\n", "utf-8")
    problems = check_configuration(path, load_registry([]).catalogue)
    told = [problem.what for problem in problems if problem.option == "radius_secret_1"]
    assert told == ["the option is missing, though there is radius_ip_1"]


def test_a_secret_key_that_was_not_looked_at_has_no_length(tmp_path: Path) -> None:
    """A key in the environment of the service is not called too short by a check from a shell."""
    path = tmp_path / "authproxy.cfg"
    path.write_text(TEXT.replace("skey=0123456789012345678901234567890123456789", "skey=env:DUO_SKEY"), "utf-8")
    path.chmod(0o600)
    [problem] = check_configuration(path, load_registry([]).catalogue, environ={})
    assert problem.what == "the secret comes from env: and was not looked at"


@pytest.mark.parametrize("seconds", ["0.001", "0.9"])
def test_an_api_timeout_in_which_nobody_can_answer_is_an_error(tmp_path: Path, seconds: str) -> None:
    """With failmode=safe it would let everybody in on the password alone."""
    [error] = _errors(tmp_path, f"api_timeout={seconds}")
    assert error == (
        f"error: {tmp_path}/authproxy.cfg:8 [radius_server_auto] api_timeout: Duo cannot answer in {seconds} s, so "
        f"that "
        "`failmode` would decide every login. Write 0 for the usual limits, or 15 or more."
    )


@pytest.mark.parametrize("seconds", ["0", "1", "15"])
def test_other_api_timeouts_are_taken(tmp_path: Path, seconds: str) -> None:
    """0 means the usual limits."""
    assert _errors(tmp_path, f"api_timeout={seconds}") == []


@pytest.mark.parametrize("section", ["duo_only_client", "main"])
def test_failmode_where_it_has_no_effect_does_not_start_fail_open(tmp_path: Path, section: str) -> None:
    """An option that decides who gets in is an error where it decides nothing; [main] is inherited and does."""
    path = tmp_path / "authproxy.cfg"
    path.write_text("[main]\n" + TEXT.replace(f"[{section}]\n", f"[{section}]\nfailmode=secure\n"), "utf-8")
    if section == "main":
        path.write_text("[main]\nfailmode=secure\n" + TEXT, "utf-8")
    path.chmod(0o600)
    errors = [str(problem) for problem in check_configuration(path, load_registry([]).catalogue) if problem.is_error]
    wanted = (
        f"error: {path}:3 [duo_only_client] failmode: it has no effect in this section, and decides who gets in where "
        f"it "
        "belongs. Write it into [radius_server_auto] or [radius_server_challenge] or [radius_server_concat] or "
        "[radius_server_duo_only] or [radius_server_eap] or [ldap_server_auto], or delete the line."
    )
    assert errors == ([] if section == "main" else [wanted])


def test_devices_everywhere_are_a_warning(tmp_path: Path) -> None:
    """radius_ip_1=0.0.0.0/0 leaves the shared secret as the only barrier."""
    path = tmp_path / "authproxy.cfg"
    path.write_text(TEXT.replace("192.0.2.1", "0.0.0.0/0"), "utf-8")
    path.chmod(0o600)
    assert [str(problem) for problem in check_configuration(path, load_registry([]).catalogue)] == [
        f"warning: {path}:6 [radius_server_auto] radius_ip_1: nearly everybody may ask: whoever learns the shared "
        f"secret "
        "can try passwords from anywhere. Write the addresses of your devices."
    ]
