"""With whose rights root reads what a configuration names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duoproxy.config.file_kinds import PLACEHOLDER_SECRET
from duoproxy.config.file_rights import may_read, name_of_user, owner_whose_rights_count
from duoproxy.config.kind import Reach
from duoproxy.config.kinds import InputFile, SecretText
from duoproxy.config.validate import check_configuration
from tests.unit.config.kind_kit import context, fault
from tests.unit.config.small_catalogue import CATALOGUE, GOOD, write

STRANGER = 54_321


def readable(path: Path, user_id: int) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return may_read(user_id, descriptor)
    finally:
        os.close(descriptor)


def test_modes_of_the_file_and_of_the_folders_above_it_count(tmp_path: Path) -> None:
    """A file that everybody may read is nobody's who may not get to it."""
    assert readable(Path("/etc/passwd"), STRANGER)
    closed = tmp_path / "closed"
    closed.mkdir()
    path = closed / "secret"
    path.write_text("s3cret")
    path.chmod(0o644)
    closed.chmod(0o700)
    assert not readable(path, STRANGER)
    assert readable(path, os.geteuid())


def test_name_of_a_user_that_is_none_is_its_number() -> None:
    """The sentence names somebody all the same."""
    assert name_of_user(0) == "root"
    assert name_of_user(STRANGER) == f"uid {STRANGER}"


@pytest.mark.parametrize("kind", [SecretText("the secret"), InputFile()])
def test_file_that_the_owner_of_the_configuration_may_not_read_is_refused(
    tmp_path: Path, kind: SecretText | InputFile
) -> None:
    """Whoever took over the account of the service would else have root open any file, and send it anywhere."""
    path = tmp_path / "only-roots"
    path.write_text("s3cret")
    path.chmod(0o600)
    text = str(path) if isinstance(kind, InputFile) else f"file:{path}"
    sentence = fault(kind, text, context(reads_as=STRANGER))
    assert f"uid {STRANGER}, who owns this configuration" in sentence
    assert "s3cret" not in sentence
    kind.parse(text, context(reads_as=os.geteuid()))


def test_roots_variables_are_not_given_to_a_configuration_of_others(tmp_path: Path) -> None:
    """Whoever took over the account of the service would else have root's shell sent somewhere as a password."""
    variables = {"ROOTS_TOKEN": "t0ken", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "backup").write_text("of another unit")
    by_hand = context(environ=variables, reads_as=STRANGER, reach=Reach.SHELL)
    assert SecretText().parse("env:ROOTS_TOKEN", by_hand) is PLACEHOLDER_SECRET
    assert SecretText().parse("credential:backup", by_hand) is PLACEHOLDER_SECRET
    assert by_hand.warnings == [
        (
            f"the secret comes from env: and was not looked at, because uid {STRANGER} owns this configuration, and "
            "not root",
            f"See that the service finds it; to try it by hand, run this as uid {STRANGER} with ROOTS_TOKEN set",
        ),
        ("the secret comes from credential: and was not looked at", "See that the service finds it"),
    ]


def test_service_that_root_starts_is_given_its_environment() -> None:
    """So a start by the init script goes on; a configuration of root's own may name any variable."""
    variables = {"VPN_SECRET": "s3cret"}
    for where in (
        context(environ=variables, reads_as=STRANGER, reach=Reach.SERVICE),
        context(environ=variables, reach=Reach.SHELL),
    ):
        assert SecretText().parse("env:VPN_SECRET", where).reveal_text() == "s3cret"
        assert where.warnings == []


def test_credentials_of_the_service_are_its_configurations_whoever_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root sees those of the running service, and tests with them."""
    monkeypatch.setattr("duoproxy.config.file_kinds.RUNNING_CREDENTIALS", tmp_path)
    (tmp_path / "duo_skey").write_text("from systemd")
    where = context(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}, reads_as=STRANGER, reach=Reach.SHELL)
    assert SecretText().parse("credential:duo_skey", where).reveal_text() == "from systemd"


def test_credentials_are_not_chosen_by_the_configuration(tmp_path: Path) -> None:
    """systemd laid them out for the service: their folder counts, and not their owner."""
    (tmp_path / "duo_skey").write_text("from systemd")
    where = context(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}, reads_as=STRANGER)
    assert SecretText().parse("credential:duo_skey", where).reveal_text() == "from systemd"


def test_root_reads_as_the_owner_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root does; a configuration of root's own may name what root may read."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    path = write(tmp_path, GOOD.replace("upstream secret", f"file:{secret}"))
    if os.geteuid() == 0:
        assert owner_whose_rights_count(path) is None
        os.chown(path, STRANGER, -1)
        problems = [str(problem) for problem in check_configuration(path, CATALOGUE)]
        assert [f"uid {STRANGER}, who owns this configuration" in problem for problem in problems] == [True]
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert owner_whose_rights_count(path) == owner
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    assert owner_whose_rights_count(path) is None
    assert owner_whose_rights_count(tmp_path / "none") is None


def test_pipe_is_no_file_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It is looked at when it is open, so nobody can put it there in between."""
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in fault(InputFile(), "pipe", context(tmp_path))
    assert "is not a file" in fault(InputFile(), ".", context(tmp_path))
