"""`_protected` values in a configuration: each secret option has a twin that holds it encrypted."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.config.kind import Reach
from duoproxy.config.protected import KEY_FILE_NAME, ProtectionKey, protect
from duoproxy.config.validate import check_configuration, load_configuration
from duoproxy.secret import Secret
from tests.unit.config.small_catalogue import CATALOGUE, GOOD, lines_of, load, write

KEY = ProtectionKey(bytes(32))
NO_NAME = {"radius_secret_1": "radius_secret_protected_1", "skey": "skey_protected", "secret": "secret_protected"}


def put_key(folder: Path, key: ProtectionKey = KEY, name: str = KEY_FILE_NAME) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{key.line()}\n")


def protected(text: str, key: str) -> str:
    """GOOD with one secret encrypted."""
    lines = []
    for line in text.splitlines():
        name, _, value = (part.strip() for part in line.partition("="))
        lines.append(f"{NO_NAME[key]} = {protect(Secret(value), KEY, bytes(12))}" if name == key else line)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("key", NO_NAME)
def test_a_protected_secret_is_the_same_as_in_clear_text(tmp_path: Path, key: str) -> None:
    """Numbered or not: the number stands behind `_protected`."""
    put_key(tmp_path)
    assert load(tmp_path, protected(GOOD, key)) == load(tmp_path, GOOD)


def test_a_key_in_a_systemd_credential_opens_it_too(tmp_path: Path) -> None:
    """Then no key stands beside the configuration."""
    put_key(tmp_path, name="credentials/duoauthproxy-protection-key")
    path = write(tmp_path, protected(GOOD, "skey"))
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert load_configuration(path, CATALOGUE, environ=environ) is not None


def test_without_its_key_the_service_does_not_start(tmp_path: Path) -> None:
    """The problem names the line and the option, and not the secret."""
    path = write(tmp_path, protected(GOOD, "skey"))
    [problem] = check_configuration(path, CATALOGUE, environ={}, reach=Reach.SERVICE)
    assert problem.is_error
    assert (problem.section, problem.option) == ("radius_server_auto", "skey_protected")
    assert problem.sentences == (
        f"there is no key to open it with: {tmp_path / KEY_FILE_NAME} is not there. Put the key file back that it was "
        "made with, or make it again: authproxy_passwd."
    )


def test_without_its_key_a_check_gives_a_warning(tmp_path: Path) -> None:
    """The service may have it as a credential."""
    [problem] = check_configuration(write(tmp_path, protected(GOOD, "skey")), CATALOGUE, environ={})
    assert not problem.is_error
    assert problem.sentences == (
        "the protected value was not opened, because this account sees no key for it. See that the service finds "
        f"{tmp_path / KEY_FILE_NAME}, or the credential duoauthproxy-protection-key."
    )


def test_a_copy_from_elsewhere_is_checked_without_any_key(tmp_path: Path) -> None:
    """`check --no-files` looks at the form alone."""
    path = write(tmp_path, protected(GOOD, "skey"))
    assert not any(one.is_error for one in check_configuration(path, CATALOGUE, environ={}, reach=Reach.NOTHING))
    path = write(tmp_path, GOOD.replace("skey =", "skey_protected ="))
    assert any(one.is_error for one in check_configuration(path, CATALOGUE, environ={}, reach=Reach.NOTHING))


def test_the_wrong_key_is_named(tmp_path: Path) -> None:
    """A key file of another machine."""
    put_key(tmp_path, ProtectionKey(b"\x05" * 32))
    [line] = lines_of(tmp_path, protected(GOOD, "skey"))
    assert f"skey_protected: it was made with the key {KEY.id}, which is not in" in line


def test_an_option_may_not_be_written_twice(tmp_path: Path) -> None:
    """In clear text and protected: nobody could tell which one counts."""
    put_key(tmp_path)
    text = protected(GOOD, "skey").replace("skey_protected", "skey = x\nskey_protected")
    assert any("the same option stands in line 3 as skey" in line for line in lines_of(tmp_path, text))


def test_only_secrets_have_a_twin(tmp_path: Path) -> None:
    """`ikey_protected` is an unknown option."""
    assert any(
        "ikey_protected: the option is unknown" in line for line in lines_of(tmp_path, GOOD + "\nikey_protected=v1:x\n")
    )
