"""What [radius_server_eap] finds in its own settings: certificate, key, versions, ciphers."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from duoproxy.config.validate import check_configuration, load_configuration
from duoproxy.sections.radius_server_eap_options import EapSettings
from duoproxy.sections.registry import load_registry
from duoproxy.tools.make_cert import make_certificate

TEXT = """[duo_only_client]
[radius_server_eap]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=0123456789012345678901234567890123456789
api_host=api-1.example
radius_ip_1=192.0.2.1
radius_secret_1=a long shared secret
certs=radius.example.com.pem
pkey=radius.example.com.key
"""
CATALOGUE = load_registry([]).catalogue


def write(folder: Path, *lines: str, text: str = TEXT, days: int = 365) -> Path:
    if not (folder / "radius.example.com.pem").exists():
        now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
        make_certificate("radius.example.com", folder, now, days=days, use_rsa=False)
    path = folder / "authproxy.cfg"
    path.write_text(text + "".join(line + "\n" for line in lines), "utf-8")
    path.chmod(0o600)
    return path


def problems(path: Path) -> list[str]:
    place = f"{path}:"
    return [str(problem).replace(place, "") for problem in check_configuration(path, CATALOGUE)]


def settings(path: Path) -> EapSettings:
    [server] = load_configuration(path, CATALOGUE).servers
    assert isinstance(server.settings, EapSettings)
    return server.settings


def test_the_files_of_make_cert_are_enough(tmp_path: Path) -> None:
    """Nothing to say about them."""
    assert problems(write(tmp_path)) == []


@pytest.mark.parametrize("option", ["certs", "pkey"])
def test_certificate_and_key_are_required(tmp_path: Path, option: str) -> None:
    """Each is an error of its own when it is missing."""
    text = "\n".join(line for line in TEXT.splitlines() if not line.startswith(option)) + "\n"
    [problem] = problems(write(tmp_path, text=text))
    assert f"[radius_server_eap] {option}: the option is missing" in problem


def test_a_key_that_does_not_fit_is_an_error_at_its_line(tmp_path: Path) -> None:
    """Told by the check, before any start."""
    path = write(tmp_path)
    (tmp_path / "other").mkdir()
    make_certificate("x.example", tmp_path / "other", datetime.datetime.now(datetime.UTC), days=1, use_rsa=True)
    (tmp_path / "radius.example.com.key").write_bytes((tmp_path / "other/x.example.key").read_bytes())
    [problem] = problems(path)
    assert problem.startswith("error: 9 [radius_server_eap] pkey: the key in ")
    assert "does not belong to the certificate" in problem


def test_an_expired_certificate_is_a_warning(tmp_path: Path) -> None:
    """A reboot must not end a VPN that works."""
    [problem] = problems(write(tmp_path, days=1))
    assert problem.startswith("warning: 8 [radius_server_eap] certs: the certificate has expired")


def test_files_of_another_machine_are_not_missed(tmp_path: Path) -> None:
    """What is not there to be looked at is told once, by the kind of the option."""
    path = write(tmp_path, text=TEXT.replace("radius.example.com.key", "elsewhere.key"))
    [problem] = problems(path)
    assert "elsewhere.key' cannot be read (No such file or directory)" in problem


@pytest.mark.parametrize("version", ["ssl3", "tls1.0", "TLS1.1"])
def test_old_versions_mean_tls_1_2_with_a_warning(tmp_path: Path, version: str) -> None:
    """A configuration of the original starts."""
    [problem] = problems(write(tmp_path, f"minimum_tls_version={version}"))
    assert problem == (
        f"warning: 10 [radius_server_eap] minimum_tls_version: {version.lower()} is broken and not spoken; TLS 1.2 is "
        "the lowest version all the same. Write tls1.2."
    )


def test_ciphers_that_openssl_does_not_know_are_an_error(tmp_path: Path) -> None:
    """Otherwise no client could log in."""
    [problem] = problems(write(tmp_path, "cipher_list=NONSENSE"))
    assert problem.startswith("error: 10 [radius_server_eap] cipher_list: OpenSSL refuses it: ")
    (tmp_path / "authproxy.cfg").unlink()
    assert problems(write(tmp_path, "cipher_list=ECDHE+AESGCM")) == []


def test_ciphers_that_do_not_go_with_the_key_are_a_warning(tmp_path: Path) -> None:
    """OpenSSL takes the list, and yet no client of TLS 1.2 could log in."""
    [problem] = problems(write(tmp_path, "cipher_list=ECDHE-RSA-AES128-GCM-SHA256"))
    assert problem == (
        f"warning: 10 [radius_server_eap] cipher_list: with it and the key in {tmp_path}/radius.example.com.key no "
        "client of TLS 1.2 can come in (no shared cipher); those of TLS 1.3 can. Name ciphers for the kind of that "
        "key, such as ECDHE+AESGCM, or leave it out."
    )
    assert problems(write(tmp_path, "cipher_list=ECDHE-RSA-AES128-GCM-SHA256", "minimum_tls_version=tls1.3")) == []


def test_long_is_console_with_a_warning(tmp_path: Path) -> None:
    """A format that some guides name."""
    [problem] = problems(write(tmp_path, "prompt_format=long"))
    assert problem.startswith("warning: 10 [radius_server_eap] prompt_format: ")
    assert "console" in problem


def test_defaults_are_those_of_the_original(tmp_path: Path) -> None:
    """allow_concat is off here, and tls1.2 the lowest version."""
    server = settings(write(tmp_path))
    assert (server.allow_concat, server.minimum_tls_version, server.factors) == (False, "tls1.2", ("auto",))
    assert (server.primary_down, server.max_conversations) == ("reject", 10_000)


def test_silence_is_no_choice_in_eap(tmp_path: Path) -> None:
    """primary_down=silent would be misread: an EAP device gets a failure."""
    [problem] = problems(write(tmp_path, "primary_down=silent"))
    assert "[radius_server_eap] primary_down: 'silent' is not one of the choices" in problem


@pytest.mark.parametrize("slip", ["minimum_tls_versoin=tls1.3", "cipher_lst=HIGH", "alow_concat=false"])
def test_a_slip_in_what_decides_who_gets_in_is_an_error(tmp_path: Path, slip: str) -> None:
    """It must not start with the default in silence."""
    [problem] = problems(write(tmp_path, slip))
    assert problem.startswith("error: 10")
