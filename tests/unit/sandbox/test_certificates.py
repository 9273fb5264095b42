"""The throw-away certificates of the sandbox."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl

import pytest
from cryptography import x509

from duoproxy.errors import ListenError
from duoproxy.sandbox.certificates import CA_FILE_MARK, make_certificates, write_ca_file

NOW = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def made():
    return make_certificates(NOW)


def test_the_certificate_is_for_loopback_names_and_signed_by_the_ca(made) -> None:
    """The server's certificate names localhost and the loopback addresses."""
    ca = x509.load_pem_x509_certificate(made.ca_pem)
    made.certificate.verify_directly_issued_by(ca)
    names = made.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert made.certificate.not_valid_before_utc < NOW < made.certificate.not_valid_after_utc


def test_the_ca_can_sign_for_loopback_only(made) -> None:
    """Who trusts the CA by mistake has lost nothing: its name constraints are critical."""
    ca = x509.load_pem_x509_certificate(made.ca_pem)
    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_network("127.0.0.1/32")),
        x509.IPAddress(ipaddress.ip_network("::1/128")),
    ]


def test_the_ca_file_is_pem_and_each_start_replaces_it(made, tmp_path) -> None:
    """Whoever loads trusted authorities can load it; an earlier one is replaced."""
    path = tmp_path / "ca.pem"
    write_ca_file(path, b"old")
    write_ca_file(path, made.ca_pem)
    assert ssl.create_default_context(cafile=str(path)).cert_store_stats()["x509_ca"] == 1
    assert path.read_text().startswith(CA_FILE_MARK)
    assert [file.name for file in tmp_path.iterdir()] == ["ca.pem"]


def test_somebody_elses_file_is_left_alone(made, tmp_path) -> None:
    """A ca_file that names an existing bundle must not destroy it."""
    path = tmp_path / "ca-bundle.crt"
    path.write_bytes(made.ca_pem)
    with pytest.raises(ListenError, match="is not a file of the sandbox and is left alone: let ca_file name"):
        write_ca_file(path, b"new")
    assert path.read_bytes() == made.ca_pem


def test_a_link_that_lies_in_wait_is_not_followed(made, tmp_path) -> None:
    """In a folder where others may write, the name of the unfinished file can be guessed."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f"ca.pem.{os.getpid()}.new").symlink_to(victim)
    write_ca_file(tmp_path / "ca.pem", made.ca_pem)
    assert victim.read_text() == "precious"
    assert (tmp_path / "ca.pem").read_text().startswith(CA_FILE_MARK)


def test_a_folder_that_is_not_there_is_told(made, tmp_path) -> None:
    """The sentence names the file and the option."""
    with pytest.raises(ListenError, match=r"ca\.pem cannot be written \(No such file or directory\): let ca_file"):
        write_ca_file(tmp_path / "missing" / "ca.pem", made.ca_pem)
