"""Who the service runs as: the owners of its folders say it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from duoproxy.service.privileges import PrivilegeFault
from duoproxy.tools import service_identity
from duoproxy.tools.service_identity import identity_of_installation

NOBODY = pwd.getpwnam("nobody")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="folders of another user can be made by root only")


def folder(path: Path, user_id: int, group_id: int) -> Path:
    """Make a folder of somebody."""
    path.mkdir()
    os.chown(path, user_id, group_id)
    return path


def test_the_owner_of_the_run_folder_is_the_service_user(tmp_path: Path) -> None:
    """And the group of the log folder is the log group: what the installer was told is remembered there."""
    run, log = folder(tmp_path / "run", NOBODY.pw_uid, 0), folder(tmp_path / "log", NOBODY.pw_uid, 12)
    identity = identity_of_installation(run, log)
    assert (identity.user, identity.group_id) == ("nobody", 12)


def test_who_is_named_on_the_command_line_wins(tmp_path: Path) -> None:
    """`--user` and `--group`."""
    run, log = folder(tmp_path / "run", NOBODY.pw_uid, 0), folder(tmp_path / "log", 0, 12)
    identity = identity_of_installation(run, log, "daemon", "daemon")
    assert (identity.user, identity.group) == ("daemon", "daemon")


def test_where_nobody_is_named_the_usual_names_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """duo_authproxy_svc and duo_authproxy_grp, when they exist."""
    monkeypatch.setattr(service_identity, "SERVICE_USER", "nobody")
    monkeypatch.setattr(service_identity, "LOG_GROUP", "daemon")
    identity = identity_of_installation(tmp_path / "run", tmp_path / "log")
    assert (identity.user, identity.group) == ("nobody", "daemon")


def test_nobody_at_all_is_a_sentence_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service is never run as root because nobody else was found."""
    monkeypatch.setattr(service_identity, "SERVICE_USER", "no-such-user")
    with pytest.raises(PrivilegeFault, match=r"Nobody is there to run the proxy as: .* Name one with --user"):
        identity_of_installation(folder(tmp_path / "run", 0, 0), tmp_path / "log")
