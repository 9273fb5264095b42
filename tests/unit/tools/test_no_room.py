"""What tools leave behind when the disk is full: nothing that stands in the way of the next try."""

from __future__ import annotations

import contextlib
import datetime
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from duoproxy.config.protected import ProtectionKey
from duoproxy.sections.registry import load_registry
from duoproxy.tools.make_cert import MakeCertFault, make_certificate
from duoproxy.tools.protection_keys import write_keys
from duoproxy.tools.result_files import write_replacing
from duoproxy.tools.support_bundle import SupportFault, subject_of, write_bundle

ROOM = 300


@contextlib.contextmanager
def little_room() -> Iterator[None]:
    """No file can grow beyond `ROOM`: the kernel refuses as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_report_that_finds_no_room_leaves_the_one_before(tmp_path: Path) -> None:
    """And no half one beside it."""
    write_replacing(tmp_path, "connectivity_tool.log", "before")
    with little_room(), pytest.raises(OSError, match="File too large"):
        write_replacing(tmp_path, "connectivity_tool.log", "x" * (ROOM + 1))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("connectivity_tool.log", "before")]


def test_a_certificate_that_finds_no_room_is_made_the_next_time(tmp_path: Path) -> None:
    """Neither half a certificate nor the key that was to go with it is in its way."""
    moment = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    with little_room(), pytest.raises(MakeCertFault, match=r"radius\.pem cannot be written \(File too large\)"):
        make_certificate("radius", tmp_path, moment, days=365, use_rsa=False)
    assert list(tmp_path.iterdir()) == []
    assert make_certificate("radius", tmp_path, moment, days=365, use_rsa=False).key.is_file()


def test_keys_that_find_no_room_leave_those_that_were_there(tmp_path: Path) -> None:
    """Else every protected value would be lost."""
    file = tmp_path / "protection.key"
    write_keys(file, [ProtectionKey(bytes(32))], (0, 0))
    before = file.read_bytes()
    with little_room(), pytest.raises(OSError, match="File too large"):
        write_keys(file, [ProtectionKey(bytes([number]) * 32) for number in range(12)], (0, 0))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("protection.key", before)]


def test_a_support_file_that_finds_no_room_is_a_sentence_and_no_half_zip(tmp_path: Path) -> None:
    """It names the option for another place."""
    subject = subject_of(tmp_path / "conf" / "authproxy.cfg", load_registry(()).catalogue, {})
    target = tmp_path / "support.zip"
    with little_room(), pytest.raises(SupportFault) as caught:
        write_bundle(target, subject, None, "now")
    assert str(caught.value) == f"{target} cannot be written (File too large). Name another file with -o."
    assert not target.exists()
