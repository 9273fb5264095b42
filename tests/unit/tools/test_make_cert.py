"""What `authproxyctl make-cert` writes."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from duoproxy.net.server_certificates import doubts, load_server_certificate
from duoproxy.tools.make_cert import MadeFiles, MakeCertFault, make_certificate

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def make(folder: Path, name: str = "radius.example.com", *, days: int = 365, use_rsa: bool = False) -> MadeFiles:
    return make_certificate(name, folder, NOW, days=days, use_rsa=use_rsa)


def certificate_of(made: MadeFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.certificate.read_bytes())


def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600."""
    assert stat.S_IMODE(make(tmp_path).key.stat().st_mode) == 0o600


@pytest.mark.parametrize("use_rsa", [False, True])
def test_what_is_made_can_be_used_and_leaves_no_doubt(tmp_path: Path, use_rsa: bool) -> None:
    """The section takes both files, with nothing to say about them."""
    made = make(tmp_path, use_rsa=use_rsa)
    loaded = load_server_certificate(made.certificate, made.key)
    assert list(doubts(loaded, NOW.timestamp())) == []
    assert isinstance(loaded.key, rsa.RSAPrivateKey if use_rsa else ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize(
    ("name", "alternative"),
    [("radius.example.com", x509.DNSName("radius.example.com")), ("::1", None), ("10.1.2.3", None)],
)
def test_the_name_stands_in_subject_alt_name(tmp_path: Path, name: str, alternative: x509.DNSName | None) -> None:
    """A DNS name, or an address as an address."""
    made = make(tmp_path, name)
    names = certificate_of(made).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert list(names) == [alternative] if alternative else addresses == [name]


def test_it_is_for_servers_and_signs_nothing(tmp_path: Path) -> None:
    """serverAuth; no certification authority."""
    extensions = certificate_of(make(tmp_path)).extensions
    assert ExtendedKeyUsageOID.SERVER_AUTH in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_days_are_counted_from_now(tmp_path: Path) -> None:
    """`--days`."""
    assert certificate_of(make(tmp_path, days=10)).not_valid_after_utc == NOW + datetime.timedelta(days=10)


@pytest.mark.parametrize("ending", ["pem", "key"])
def test_no_file_is_overwritten(tmp_path: Path, ending: str) -> None:
    """Neither of the two is touched when one is there, be it a link that leads nowhere."""
    there = tmp_path / f"radius.example.com.{ending}"
    there.symlink_to(tmp_path / "nowhere")
    with pytest.raises(MakeCertFault, match="is there already and is never overwritten"):
        make(tmp_path)
    assert sorted(tmp_path.iterdir()) == [there]


@pytest.mark.parametrize("name", ["", "a b", "../x", "x/y", "-x", "x" * 64, ".".join(["x" * 60] * 5), "a..b"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    """It would become the name of a file."""
    with pytest.raises(MakeCertFault, match=r"is no DNS name or IP address\."):
        make(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    """A sentence, no traceback."""
    with pytest.raises(MakeCertFault, match="cannot be written"):
        make(tmp_path / "none")
