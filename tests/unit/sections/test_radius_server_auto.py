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
