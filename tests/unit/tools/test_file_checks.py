"""Who may read and write the files of an installation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duoproxy.tools.file_checks import Account, installation_findings, service_account

OWNER = os.geteuid()
SERVICE = Account("svc", OWNER, frozenset({OWNER, 4242}), OWNER)


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    for name in ("conf", "log"):
        (tmp_path / name).mkdir(mode=0o750)
    (tmp_path / "conf" / "authproxy.cfg").touch(mode=0o640)
    return tmp_path


def found(installation: Path) -> list[str]:
    findings = installation_findings(installation / "conf" / "authproxy.cfg", installation / "log", None)
    return [f"{one.level.value}: {one}".replace(str(installation), "BASE") for one in findings]


def test_a_well_kept_installation(installation: Path) -> None:
    """Nothing is found."""
    assert found(installation) == []


def test_a_configuration_that_everybody_can_change(installation: Path) -> None:
    """Or replace, since its folder is open."""
    (installation / "conf" / "authproxy.cfg").chmod(0o646)
    (installation / "conf").chmod(0o757)
    assert found(installation) == [
        "error: Everybody on this machine can write into BASE/conf/authproxy.cfg. Run chmod o-w "
        "BASE/conf/authproxy.cfg.",
        "error: Everybody on this machine can replace files in BASE/conf. Run chmod o-w BASE/conf.",
    ]


def test_a_folder_with_the_sticky_bit_is_no_harm(installation: Path) -> None:
    """As /tmp is: others' files cannot be replaced there."""
    (installation / "conf").chmod(0o1777)
    assert found(installation) == []


def test_a_log_folder_that_everybody_can_change(installation: Path) -> None:
    """Links could be laid there."""
    (installation / "log").chmod(0o777)
    assert found(installation) == [
        "warn: Everybody on this machine can replace files in BASE/log. Run chmod o-w BASE/log."
    ]


def test_a_log_folder_that_nobody_can_write_to(installation: Path) -> None:
    """Unless one is root."""
    (installation / "log").chmod(0o500)
    expected = [f"the log folder BASE/log may not be written to by {_name()}"] if OWNER else []
    assert [one for one in found(installation) if "may not be written" in one] == [
        f"error: The{text[3:]}. Run chmod u+rwx BASE/log, or name another folder in log_dir." for text in expected
    ]


def test_a_protection_key_that_everybody_can_read(installation: Path) -> None:
    """Then the protected values protect nothing."""
    (installation / "conf" / "protection.key").touch(mode=0o444)
    (installation / "conf" / "protection.key").chmod(0o444)
    assert found(installation) == [
        "warn: Everybody on this machine can read the key in BASE/conf/protection.key. Run chmod o= "
        "BASE/conf/protection.key; who may have read it has it."
    ]


@pytest.mark.skipif(OWNER != 0, reason="only root can give files away")
def test_a_configuration_that_the_service_may_not_read(installation: Path) -> None:
    """Whose account that is follows from the owner of the run folder, or of the log folder."""
    os.chown(installation / "log", 65534, 65534)
    assert found(installation)[0].startswith("error: BASE/conf/authproxy.cfg may not be read by nobody, the account of")
    os.chown(installation / "conf" / "authproxy.cfg", 0, 65534)
    assert found(installation) == []


@pytest.mark.parametrize(
    ("mode", "group", "wanted", "may"),
    [
        (0o400, 1, 4, True),
        (0o200, 1, 4, False),
        (0o700, 1, 3, True),
        (0o500, 1, 3, False),
    ],
)
def test_rights_of_an_owner(tmp_path: Path, mode: int, group: int, wanted: int, may: bool) -> None:
    """All of the rights that are asked for, not one of them."""
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    account = Account("svc", file.stat().st_uid or 1, frozenset(), group)
    about = file.stat()
    if about.st_uid == 0:
        about = os.stat_result((about.st_mode, 0, 0, 0, 1, 1, 0, 0, 0, 0))
    assert account.may(wanted, about) is may


def test_rights_of_a_group_and_of_others() -> None:
    """The first class that fits decides, as in the kernel."""
    member, stranger = Account("m", 7, frozenset({4242}), 4242), Account("s", 8, frozenset(), 1)
    group_only = os.stat_result((0o100640, 0, 0, 0, 1, 4242, 0, 0, 0, 0))
    others_only = os.stat_result((0o100604, 0, 0, 0, 1, 4242, 0, 0, 0, 0))
    assert (member.may(4, group_only), stranger.may(4, group_only)) == (True, False)
    assert (member.may(4, others_only), stranger.may(4, others_only)) == (False, True)


def test_no_account_is_known_where_everything_is_roots(tmp_path: Path) -> None:
    """Nor where there are no folders."""
    assert service_account(tmp_path / "none", Path("/")) is None


def _name() -> str:
    import pwd

    return pwd.getpwuid(OWNER).pw_name
