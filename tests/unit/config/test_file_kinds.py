"""Files, and secrets that stand in files, the environment or systemd credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from duoproxy.config.kind import Kind, Reach
from duoproxy.config.kinds import Folder, InputFile, OutputFile, SecretText
from duoproxy.secret import Secret
from tests.unit.config.kind_kit import context, fault

SECRET = SecretText("the shared secret")


def secret_file(folder: Path, octets: bytes, mode: int = 0o600) -> Path:
    path = folder / "secret.txt"
    path.write_bytes(octets)
    path.chmod(mode)
    return path


def test_secret_is_the_whole_text() -> None:
    """Secrets keep %, ;, #, = whole."""
    assert SECRET.parse("a%b;c #d=e", context()) == Secret("a%b;c #d=e")
    assert SECRET.parse("File:x", context()) == Secret("File:x")


@pytest.mark.parametrize("octets", [b"s3cret", b"s3cret\n", b"s3cret\r\n"])
def test_secret_from_a_file_ends_before_its_last_newline(tmp_path: Path, octets: bytes) -> None:
    """Editors add a newline; it is no part of the secret."""
    secret_file(tmp_path, octets)
    where = context(tmp_path)
    assert SECRET.parse("file:secret.txt", where) == Secret("s3cret")
    assert where.warnings == []


def test_secret_from_a_file_keeps_blanks(tmp_path: Path) -> None:
    """So a secret with outer blanks can be had."""
    secret_file(tmp_path, b" a \n\n")
    assert SECRET.parse("file:secret.txt", context(tmp_path)) == Secret(" a \n")


def test_secret_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    """Not only the configuration itself must be closed."""
    path = secret_file(tmp_path, b"s3cret", 0o644)
    where = context(tmp_path)
    SECRET.parse("file:secret.txt", where)
    assert where.warnings == [(f"everybody on this machine can read {path}", f"Run chmod o-r {path} to change that")]


def test_secret_from_environment_and_credential(tmp_path: Path) -> None:
    """env:NAME, and credential:NAME in the folder that systemd names."""
    secret_file(tmp_path, b"from systemd\n")
    where = context(environ={"RADIUS_SECRET": "from env", "CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert SECRET.parse("env:RADIUS_SECRET", where) == Secret("from env")
    assert SECRET.parse("credential:secret.txt", where) == Secret("from systemd")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("REPLACE_THIS", "the value is still the placeholder of the sample file. Write the shared secret."),
        ("x" * 4097, "the secret is longer than 4096 bytes. Write a shorter one."),
        ("env:NO_SUCH", "the environment variable NO_SUCH is not set or empty. Set NO_SUCH for the service."),
        ("env:a=b", "what follows env: is not the name of an environment variable. Write env:NAME."),
        ("credential:../x", "what follows credential: is not the name of a systemd credential. Write credential:NAME."),
        ("credential:..", "what follows credential: is not the name of a systemd credential. Write credential:NAME."),
        (
            "credential:radius",
            "there is no folder of systemd credentials to take radius from. "
            "Start the proxy as a systemd service with LoadCredential=radius:PATH.",
        ),
        (
            "file:none",
            "'/etc/none/none' cannot be read (No such file or directory). Write the name of a file that is there.",
        ),
        ("file:/dev/zero", "'/dev/zero' is not a file. Write the name of a file."),
        ("file:/etc", "'/etc' is not a file. Write the name of a file."),
        (
            "file:a\0b",
            r"'/etc/none/a\x00b' cannot be read (no possible file name). Write the name of a file that is there.",
        ),
    ],
)
def test_secret_that_cannot_be_had_has_a_sentence(text: str, sentence: str) -> None:
    """What is wrong, and what to write."""
    assert fault(SECRET, text) == sentence


def test_empty_and_huge_secret_files_are_refused(tmp_path: Path) -> None:
    """An empty shared secret is none."""
    path = secret_file(tmp_path, b"\n")
    assert fault(SECRET, "file:secret.txt", context(tmp_path)) == f"{path} is empty. Write the shared secret into it."
    secret_file(tmp_path, b"x" * 100_000)
    assert fault(SECRET, "file:secret.txt", context(tmp_path)).startswith("the secret is longer than 4096 bytes")


def test_clear_text_secret_never_stands_in_an_error() -> None:
    """Even a secret that cannot be used is not shown."""
    assert "hunter2" not in fault(SECRET, "hunter2" * 1000)


@pytest.mark.parametrize(
    ("text", "reach", "source"),
    [
        ("env:X", Reach.SHELL, "env:"),
        ("credential:x", Reach.SHELL, "credential:"),
        ("file:x", Reach.NOTHING, "file:"),
        ("env:X", Reach.NOTHING, "env:"),
    ],
)
def test_secret_of_the_service_is_a_warning_for_who_only_checks(text: str, reach: Reach, source: str) -> None:
    """A check works without root, and on a copied file."""
    where = context(reach=reach)
    SECRET.parse(text, where)
    assert where.warnings == [
        (f"the secret comes from {source} and was not looked at", "See that the service finds it")
    ]


def test_missing_secret_file_is_an_error_for_who_checks_too() -> None:
    """Only what the service may see, and others not, is passed over."""
    assert "cannot be read (No such file or directory)" in fault(SECRET, "file:none", context(reach=Reach.SHELL))


def test_file_of_another_account_is_a_warning_for_who_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service has an account of its own; tests may run as root, who may read everything."""
    path = secret_file(tmp_path, b"x", 0)

    def refuse(path: Path, flags: int) -> int:
        raise PermissionError

    monkeypatch.setattr("duoproxy.config.file_kinds.os.open", refuse)
    where = context(tmp_path, reach=Reach.SHELL)
    SECRET.parse("file:secret.txt", where)
    assert where.warnings[0][0] == f"'{path}' may not be read by this account and was not looked at"
    assert fault(SECRET, "file:secret.txt", context(tmp_path)) == (
        f"'{path}' may not be read. Give this account the right to read it."
    )


def test_input_file_starts_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    """Relative paths are resolved against that folder; absolute ones stay."""
    path = secret_file(tmp_path, b"x")
    assert InputFile().parse("secret.txt", context(tmp_path)) == path
    assert InputFile().parse(str(path), context()) == path
    assert "cannot be read" in fault(InputFile(), "none", context(tmp_path))


def test_input_file_may_be_made_by_another_section(tmp_path: Path) -> None:
    """The sandbox makes its certificate when it starts."""
    made = OutputFile().parse("ca.pem", context(tmp_path))
    assert InputFile().parse("./ca.pem", context(tmp_path, made_files=frozenset({made}))) == made


def test_files_of_a_copied_configuration_are_not_looked_at() -> None:
    """They are on another machine."""
    assert InputFile().parse("ca.pem", context(reach=Reach.NOTHING)) == Path("/etc/none/ca.pem")


def test_folder_and_output_file_may_not_be_there_yet(tmp_path: Path) -> None:
    """They are made; but what is there must be of the right sort."""
    path = secret_file(tmp_path, b"x")
    assert Folder().parse("log", context(tmp_path)) == tmp_path / "log"
    assert fault(Folder(), "secret.txt", context(tmp_path)) == f"{path} is not a folder. Write the name of a folder."
    assert fault(OutputFile(), ".", context(tmp_path)) == f"{tmp_path} is a folder. Write the name of a file."


@pytest.mark.parametrize("kind", [InputFile(), OutputFile(), Folder()])
@pytest.mark.parametrize("text", [r"C:\Duo\log", "c:/Duo/log", r"\\files\duo\log", r"..\log", r"conf\log"])
def test_a_path_of_windows_is_told(kind: Kind[Path], text: str, tmp_path: Path) -> None:
    """A folder of logs would else be made with that odd name, and a file looked for that cannot be there."""
    remedy = "Bring what it names to this machine, and write where it is: /FOLDER/log."
    assert fault(kind, text, context(tmp_path)) == f"'{text}' is a path of Windows. {remedy}"


def test_a_file_that_has_a_backslash_in_its_name_is_taken(tmp_path: Path) -> None:
    """Here it may."""
    path = tmp_path / r"a\b.pem"
    path.write_bytes(b"x")
    assert InputFile().parse(path.name, context(tmp_path)) == path
