"""authproxy_passwd: one value, a whole file, a new key; each as its user sees it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from duoproxy.config.protected import read_keys, unprotect
from duoproxy.config.validate import Reach, load_configuration
from duoproxy.sections.registry import load_registry
from duoproxy.tools.passwd import main

CATALOGUE = load_registry(()).catalogue
CLEAR = """\
# The proxy of the main office
[main]
debug=true
[radius_client]
   Host = 10.1.2.10
   Secret = up stream; #secret
host_2=10.1.2.11
secret_2=other

; skey=commented-out-0000000000000000000000000
[radius_server_auto]
ikey=DIXXXXXXXXXXXXXXXXXX
skey =0123456789012345678901234567890123456789\t
api_host=api-1234.duosecurity.com
radius_ip_1=10.1.2.1
radius_secret_1=first
radius_ip_2=10.1.2.2
radius_secret_2=file:radius_secret_2.txt
failmode=secure
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "conf" / "authproxy.cfg"
    path.parent.mkdir()
    path.write_text(CLEAR)
    path.chmod(0o640)
    (path.parent / "radius_secret_2.txt").write_text("second")
    (path.parent / "radius_secret_2.txt").chmod(0o600)
    return path


def run(file: Path, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["-c", str(file), *arguments], input=typed, env={"CREDENTIALS_DIRECTORY": None})


def key_file(file: Path) -> Path:
    return file.parent / "protection.key"


def opened(file: Path, value: str) -> str:
    return unprotect(value, read_keys(key_file(file).read_bytes(), "x"), "x").reveal_text()


def without_values(text: str) -> str:
    return re.sub(r"v1:[0-9a-f]{8}:\S+", "VALUE", text)


def test_a_secret_from_standard_input_is_printed_encrypted(file: Path) -> None:
    """One line on standard output, so that scripts can take it; the key is made, and said on standard error."""
    result = run(file, typed="hunter2\n")
    assert result.exit_code == 0
    assert re.fullmatch(r"v1:[0-9a-f]{8}:\S+\n", result.stdout)
    assert opened(file, result.stdout.strip()) == "hunter2"
    assert result.stderr == f"Made the key {key_file(file)}. Save it apart from {file}.\n"


def test_a_secret_as_argument_works_with_a_warning(file: Path) -> None:
    """The history of the shell has it."""
    run(file, typed="x\n")
    result = run(file, "hunter2")
    assert opened(file, result.stdout.strip()) == "hunter2"
    assert result.stderr == (
        "The secret stands in the history of your shell now, and stood in the list of processes: take it out there, or "
        "run authproxy_passwd without an argument.\n"
    )


def test_a_secret_that_is_typed_is_asked_for_twice(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; a difference asks again."""
    monkeypatch.setattr("duoproxy.tools.passwd.is_terminal", lambda: True)
    result = run(file, typed="hunter2\nhunter3\nhunter2\nhunter2\n")
    assert result.exit_code == 0
    assert opened(file, result.stdout.strip().splitlines()[-1]) == "hunter2"
    assert "Secret: " in result.stderr
    assert "The same again: " in result.stderr
    assert "hunter" not in result.output


def test_an_empty_secret_is_refused(file: Path) -> None:
    """And no key is made for it."""
    result = run(file, typed="\n")
    assert (result.exit_code, result.stderr) == (1, "A secret has 1 to 4096 bytes. Nothing was encrypted.\n")
    assert not key_file(file).exists()


def test_the_key_is_for_its_owner_alone(file: Path) -> None:
    """Mode 0400, and no link is followed to write it."""
    elsewhere = file.parent.parent / "elsewhere"
    run(file, typed="x\n")
    assert key_file(file).stat().st_mode & 0o777 == 0o400
    key_file(file).unlink()
    key_file(file).symlink_to(elsewhere)
    assert run(file, typed="x\n").exit_code == 1  # what a link leads to is not there: no key is made behind it
    assert not elsewhere.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_key_belongs_to_the_account_of_the_service(file: Path) -> None:
    """Whose account that is says the owner of the log folder."""
    log = file.parent.parent / "log"
    log.mkdir()
    os.chown(log, 65534, 65534)
    run(file, typed="x\n")
    assert key_file(file).stat().st_uid == 65534


def test_the_whole_file_is_encrypted_in_place(file: Path) -> None:
    """Every clear secret, and nothing else of the file: comments, order, blanks, references stay."""
    before = load_configuration(file, CATALOGUE, reach=Reach.SERVICE)
    result = run(file, "--whole-config", "-y")
    assert result.exit_code == 0
    assert result.stdout == (
        f"{file}: 4 secrets in clear text:\n"
        "  line 6 [radius_client] secret becomes secret_protected\n"
        "  line 8 [radius_client] secret_2 becomes secret_protected_2\n"
        "  line 13 [radius_server_auto] skey becomes skey_protected\n"
        "  line 16 [radius_server_auto] radius_secret_1 becomes radius_secret_protected_1\n"
        "Done. Commented lines, backups and copies that editors left still hold what they held. Check the file with "
        "authproxyctl check.\n"
    )
    expected = (
        CLEAR.replace("Secret = up stream; #secret", "secret_protected = VALUE")
        .replace("secret_2=other", "secret_protected_2=VALUE")
        .replace("skey =0123456789012345678901234567890123456789", "skey_protected =VALUE")
        .replace("radius_secret_1=first", "radius_secret_protected_1=VALUE")
    )
    assert without_values(file.read_text()) == expected
    assert load_configuration(file, CATALOGUE, reach=Reach.SERVICE) == before


def test_owner_and_mode_of_the_file_stay(file: Path) -> None:
    """A new file takes its place in one step."""
    if os.geteuid() == 0:
        os.chown(file, 0, 65534)
    before = file.stat()
    run(file, "--whole-config", "-y")
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "authproxy.cfg",
        "protection.key",
        "radius_secret_2.txt",
    ]


def test_a_file_with_windows_line_ends_keeps_them(file: Path) -> None:
    """And its byte order mark."""
    file.write_bytes(b"\xef\xbb\xbf" + CLEAR.replace("\n", "\r\n").encode())
    run(file, "--whole-config", "-y")
    octets = file.read_bytes()
    assert octets.startswith(b"\xef\xbb\xbf# The")
    assert octets.count(b"\r\n") == octets.count(b"\n") == CLEAR.count("\n")


def test_a_link_to_the_file_stays_a_link(file: Path) -> None:
    """The file behind it changes."""
    link = file.with_name("link.cfg")
    link.symlink_to(file)
    assert run(link, "--whole-config", "-y").exit_code == 0
    assert link.is_symlink()
    assert "skey_protected" in file.read_text()


def test_nothing_changes_without_a_yes(file: Path) -> None:
    """The question comes after the list."""
    result = run(file, "--whole-config", typed="n\n")
    assert result.exit_code == 1
    assert result.stdout.endswith("Go on? [y/N]: n\n")
    assert result.stderr == "Nothing was changed.\n"
    assert file.read_text() == CLEAR
    assert not key_file(file).exists()


def test_without_anybody_to_ask_nothing_changes(file: Path) -> None:
    """A script is told what to say."""
    result = run(file, "--whole-config", typed="")
    assert result.exit_code == 1
    assert result.stderr == "\nNothing was changed: there was no answer. Without a terminal say --yes.\n"
    assert file.read_text() == CLEAR


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Root cannot write into it either."""
    folder = tmp_path / "none"
    result = run(folder / "authproxy.cfg", "a secret")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"There is no {folder}. Name the configuration that is meant with -c FILE.\n"


def test_a_second_time_there_is_nothing_to_do(file: Path) -> None:
    """Protected values are left alone."""
    run(file, "--whole-config", "-y")
    before = file.read_bytes()
    assert run(file, "--whole-config", "-y").stdout == f"{file}: there is no secret in clear text.\n"
    assert file.read_bytes() == before


def test_what_seems_to_be_a_secret_and_is_left_is_told(file: Path) -> None:
    """A slip of the pen, and sections of Duo's own proxy."""
    file.write_text(CLEAR + "radius_secert_3=third\n[cloud]\nskey=0123\n")
    assert run(file, "--whole-config", "-y").stderr.splitlines()[:2] == [
        "Line 20 [radius_server_auto] radius_secert_3 is left as it is: the option is unknown.",
        "[cloud] is left as it is: it is not served here.",
    ]


def test_a_new_key_takes_the_place_of_the_old_one(file: Path) -> None:
    """Every value of the file opens with the new key alone, and is the same secret."""
    run(file, "--whole-config", "-y")
    before, old = load_configuration(file, CATALOGUE, reach=Reach.SERVICE), key_file(file).read_text()
    result = run(file, "--rotate-key", "-y")
    assert result.stdout == (
        f"{file}: 4 protected values will be encrypted with a new key.\n"
        "Done. The old key is gone: what was made with it and stands elsewhere cannot be opened any more.\n"
    )
    assert key_file(file).read_text() != old
    assert len(read_keys(key_file(file).read_bytes(), "x")) == 1
    assert load_configuration(file, CATALOGUE, reach=Reach.SERVICE) == before


def test_a_rotation_that_is_stopped_leaves_every_value_with_its_key(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the file changes, both keys are there."""
    run(file, "--whole-config", "-y")

    def stopped(path: Path, octets: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("duoproxy.tools.passwd.replace_file", stopped)
    run(file, "--rotate-key", "-y")
    assert len(read_keys(key_file(file).read_bytes(), "x")) == 2
    assert load_configuration(file, CATALOGUE, reach=Reach.SERVICE) is not None


def test_a_value_that_does_not_open_stops_a_rotation(file: Path) -> None:
    """Nothing has changed then."""
    run(file, "--whole-config", "-y")
    key = key_file(file).read_bytes()
    file.write_text(
        file.read_text().replace("radius_secret_protected_1=v1:", "radius_secret_protected_1=v1:00000000:A")
    )
    file.write_text(re.sub(r"(radius_secret_protected_1=v1:00000000:A)[0-9a-f]{8}:", r"\1", file.read_text()))
    text = file.read_text()
    result = run(file, "--rotate-key", "-y")
    assert result.exit_code == 1
    assert "It was made with the key 00000000, which is not in the key file." in result.stderr
    assert (file.read_text(), key_file(file).read_bytes()) == (text, key)


def test_there_is_nothing_to_rotate_without_a_key(file: Path) -> None:
    """The remedy says how one is made."""
    result = run(file, "--rotate-key", "-y")
    assert (result.exit_code, result.stderr) == (
        1,
        f"There is no key yet: {key_file(file)} is not there. authproxy_passwd makes it on first use.\n",
    )


def test_a_key_of_a_credential_is_used_and_not_rotated(file: Path, tmp_path: Path) -> None:
    """It is systemd's to change."""
    run(file, typed="x\n")
    folder = tmp_path / "credentials"
    folder.mkdir()
    credential = key_file(file).rename(folder / "duoauthproxy-protection-key")
    environment = {"CREDENTIALS_DIRECTORY": str(folder)}
    result = CliRunner().invoke(main, ["-c", str(file)], input="hunter2\n", env=environment)
    keys = read_keys(credential.read_bytes(), "x")
    assert unprotect(result.stdout.strip(), keys, "x").reveal_text() == "hunter2"
    assert not key_file(file).exists()
    result = CliRunner().invoke(main, ["-c", str(file), "--rotate-key", "-y"], env=environment)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"The key is the systemd credential {credential}, which this tool cannot write.")


def test_everything_as_json(file: Path) -> None:
    """One object on standard output for each job, and for what cannot be; nobody is asked."""
    value = json.loads(run(file, "--json", typed="hunter2\n").stdout)["protected"]
    assert opened(file, value) == "hunter2"
    changed = json.loads(run(file, "--json", "--whole-config", "--yes").stdout)
    assert changed["file"] == str(file)
    assert [(one["line"], one["section"], one["option"], one["becomes"]) for one in changed["changed"]] == [
        (6, "radius_client", "secret", "secret_protected"),
        (8, "radius_client", "secret_2", "secret_protected_2"),
        (13, "radius_server_auto", "skey", "skey_protected"),
        (16, "radius_server_auto", "radius_secret_1", "radius_secret_protected_1"),
    ]
    assert json.loads(run(file, "--json", "--whole-config", "--yes").stdout)["changed"] == []
    assert json.loads(run(file, "--json", "--rotate-key", "--yes").stdout) == {"file": str(file), "rotated": 4}
    empty = run(file, "--json", typed="\n")
    assert (empty.exit_code, json.loads(empty.stdout), empty.stderr) == (
        1,
        {"problem": "A secret has 1 to 4096 bytes. Nothing was encrypted."},
        "",
    )
    before = file.read_bytes()
    for job in ("--whole-config", "--rotate-key"):
        asked = run(file, "--json", job)
        assert (asked.exit_code, "add --yes" in asked.stderr) == (2, True)
    assert file.read_bytes() == before


def test_wrong_usage_has_a_status_of_its_own(file: Path) -> None:
    """Two jobs at once, or a file that is not there."""
    assert run(file, "--whole-config", "--rotate-key").exit_code == 2
    result = run(file.with_name("none.cfg"), "--whole-config", "-y")
    assert result.exit_code == 1
    assert "none.cfg cannot be read (No such file or directory). Name a configuration file." in result.stderr


def test_help_says_what_this_protects_from_and_what_not(file: Path) -> None:
    """Plainly."""
    text = " ".join(run(file, "--help").stdout.split())
    assert "It does not protect from root or from the account of the service" in text
    assert "Exit codes: 0 done, 1 it cannot be done or was not wanted, 2 wrong usage." in text


@pytest.mark.parametrize(
    ("octets", "sentence"),
    [
        (CLEAR.encode("utf-16"), "the file is not UTF-8 but seems to be UTF-16. Save it with the encoding UTF-8."),
        (b"skey=0123456789\n", "there is text before the first section. Begin with a heading, such as [main]."),
        (b"", "there is no section in this file. Begin with a heading in brackets, such as [main]."),
    ],
)
def test_a_file_that_cannot_be_read_is_not_called_free_of_secrets(file: Path, octets: bytes, sentence: str) -> None:
    """Who was told so would give it away."""
    file.write_bytes(octets)
    done = run(file, "--whole-config", "-y")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"{file}: {sentence}\n")
    assert file.read_bytes() == octets
    assert not key_file(file).exists()


def test_lines_that_cannot_be_read_are_told_of(file: Path) -> None:
    """A password in another encoding, and a second line for one option, stay in clear text."""
    file.write_bytes(CLEAR.encode() + b"skey=again\n[ad_client]\nservice_account_password=stra\xdfe\n")
    done = run(file, "--whole-config", "-y")
    assert done.exit_code == 0
    told = [line for line in done.stderr.splitlines() if line.startswith("Line ")]
    assert [line.partition(":")[0] for line in told] == ["Line 20 is left as it is", "Line 22 is left as it is"]
    assert told[1] == "Line 22 is left as it is: the line is not UTF-8."
