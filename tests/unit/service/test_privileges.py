"""From root to the service user: for good, and with one capability."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from duoproxy.service.privileges import Identity, PrivilegeFault, become, find_identity, make_folder_for

ME = pwd.getpwuid(os.getuid())
NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

# In a process of its own: there is no way back.
BECOME = """
import json, os, socket, sys
from duoproxy.service import capabilities
from duoproxy.service.privileges import become, find_identity
become(find_identity("nobody"))
status = dict(line.rstrip().split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
facts = {name: status[name].strip() for name in names}
def refused(action, *arguments):
    try:
        action(*arguments)
    except OSError:
        return True
    return False
for port in range(900, 1024):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        break
    except PermissionError:
        raise
    except OSError:
        continue
facts["back to root"] = not refused(os.setresuid, 0, 0, 0)
facts["more capabilities"] = not refused(capabilities.set_capabilities, {0, 10})
facts["root's files"] = not refused(open, "/etc/shadow")
become(find_identity("nobody"))
print(json.dumps(facts))
"""


@as_root
def test_root_becomes_the_service_user_with_one_capability_and_no_way_back() -> None:
    """Ids, groups and every capability but CAP_NET_BIND_SERVICE are gone; set-user-ID programs give nothing back."""
    ended = subprocess.run([sys.executable, "-c", BECOME], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "Uid": "\t".join([str(NOBODY.pw_uid)] * 4),
        "Gid": "\t".join([str(NOBODY.pw_gid)] * 4),
        "Groups": str(NOBODY.pw_gid),
        "CapInh": f"{0:016x}",
        "CapPrm": f"{1 << 10:016x}",
        "CapEff": f"{1 << 10:016x}",
        "CapBnd": f"{1 << 10:016x}",
        "CapAmb": f"{0:016x}",
        "NoNewPrivs": "1",
        "back to root": False,
        "more capabilities": False,
        "root's files": False,
    }


def test_who_is_that_user_already_changes_nothing() -> None:
    """Under systemd the process is the service user from the beginning."""
    before = os.getresuid(), os.getresgid(), os.getgroups()
    become(Identity(ME.pw_name, ME.pw_uid, "its group", ME.pw_gid))
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before


def test_only_root_can_become_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PrivilegeFault, match=r"Only root can become nobody\. Start as root, or leave --user out\."):
        become(find_identity("nobody"))


def test_a_user_and_a_group_are_found_by_name_and_by_number() -> None:
    """Twistd's --uid and --gid give numbers."""
    by_name, by_number = find_identity("nobody"), find_identity(str(NOBODY.pw_uid), str(NOBODY.pw_gid))
    assert by_name == by_number
    assert (by_name.user, by_name.user_id, by_name.group_id) == ("nobody", NOBODY.pw_uid, NOBODY.pw_gid)


@pytest.mark.parametrize(
    ("user", "group", "sentence"),
    [
        ("no-such-user", "", r"There is no user no-such-user\. Make one \(useradd"),
        ("nobody", "no-such-group", r"There is no group no-such-group\. Make one \(groupadd"),
        ("root", "", r"The service user cannot be root\."),
        ("0", "", r"The service user cannot be root\."),
    ],
)
def test_a_user_who_cannot_be_is_a_sentence_with_a_remedy(user: str, group: str, sentence: str) -> None:
    """Root as service user would be no drop at all."""
    with pytest.raises(PrivilegeFault, match=sentence):
        find_identity(user, group)


@as_root
def test_a_missing_folder_is_made_for_the_service_user(tmp_path: Path) -> None:
    """The log folder of a first start: 0750, service user, log group."""
    identity = find_identity("nobody")
    make_folder_for(identity, tmp_path / "log")
    made = (tmp_path / "log").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (identity.user_id, identity.group_id, 0o750)


@as_root
def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    """Also when it is a link: root changes the owner of nothing that it did not make."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    make_folder_for(find_identity("nobody"), tmp_path / "log")
    assert (tmp_path / "elsewhere").stat().st_uid == 0


@as_root
def test_root_makes_no_folder_where_others_could_lay_a_trap(tmp_path: Path) -> None:
    """In a folder that others may write to, the name could become a link in between."""
    tmp_path.chmod(0o777)
    with pytest.raises(PrivilegeFault, match=r"log is missing\. Make it: install -d -m 0750 -o nobody -g \w+ "):
        make_folder_for(find_identity("nobody"), tmp_path / "log")
    assert not (tmp_path / "log").exists()


@as_root
def test_a_folder_in_no_folder_is_a_sentence(tmp_path: Path) -> None:
    """Only the last name of a path is made."""
    with pytest.raises(PrivilegeFault, match="is missing and cannot be made"):
        make_folder_for(find_identity("nobody"), tmp_path / "a" / "b")
