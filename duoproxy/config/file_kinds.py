"""Kinds of values that name files, and secrets, which may stand in files."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PureWindowsPath

from duoproxy.config.file_rights import may_read, name_of_user
from duoproxy.config.kind import Kind, ParseContext, Reach, ValueParseError
from duoproxy.config.problems import quoted
from duoproxy.config.protected import RUNNING_CREDENTIALS
from duoproxy.secret import Secret

MAX_PATH_CHARS = 512
"""A path is quoted in a problem up to this length."""
SOURCES = ("file", "env", "credential")
"""Places other than the configuration itself that a secret can come from."""
PLACEHOLDER = "REPLACE_THIS"
"""Stands for every secret in the sample file; it is refused as a secret."""
MAX_SECRET_BYTES = 4096
"""The longest secret."""
PLACEHOLDER_SECRET = Secret(b"not looked at")
"""Stands in for a secret that only the service itself can fetch, when somebody else checks the file."""

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""How a full path of Windows begins: with a drive, or with a share."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_.-]{1,255}")


def is_clear_text(text: str) -> bool:
    """Tell whether the secret itself stands in the configuration, not the place where it is."""
    return not text.startswith(tuple(f"{source}:" for source in SOURCES))


class SecretText(Kind[Secret]):
    """A secret: the whole text right of the `=`, or `file:PATH`, `env:NAME`, `credential:NAME`."""

    secret = True

    def __init__(self, described: str = "the secret") -> None:
        """Describe the secret for docs and errors ("the shared secret")."""
        self._described = described

    def parse(self, text: str, context: ParseContext) -> Secret:
        """Take or fetch the secret; what it is never stands in an error."""
        if text == PLACEHOLDER:
            raise _fault("the value is still the placeholder of the sample file", f"Write {self._described}")
        source, _, name = text.partition(":")
        if is_clear_text(text):
            secret = Secret(text)
        elif source == "env":
            secret = _from_environment(name, context)
        elif source == "credential":
            secret = self._from_credential(name, context)
        else:
            secret = self._from_file(_resolve(name, context), context, context.reads_as)
        if len(secret) > MAX_SECRET_BYTES:
            raise _fault(f"the secret is longer than {MAX_SECRET_BYTES} bytes", "Write a shorter one")
        return secret

    def describe(self) -> str:
        """Say what may be written."""
        return f"{self._described}, or file:PATH, env:NAME, credential:NAME"

    def show(self, value: Secret) -> str:
        """Show five asterisks."""
        return str(value)

    def _from_credential(self, name: str, context: ParseContext) -> Secret:
        if not _CREDENTIAL.fullmatch(name) or name in (".", ".."):
            raise _fault("what follows credential: is not the name of a systemd credential", "Write credential:NAME")
        folder = context.environ.get("CREDENTIALS_DIRECTORY")
        if folder and (context.lends_environment or Path(folder) == RUNNING_CREDENTIALS):
            return self._from_file(Path(folder) / name, context, reads_as=None)
        if context.reach is not Reach.SERVICE:
            return _not_looked_at("credential:", context)
        what = f"there is no folder of systemd credentials to take {name} from"
        raise _fault(what, f"Start the proxy as a systemd service with LoadCredential={name}:PATH")

    def _from_file(self, path: Path, context: ParseContext, reads_as: int | None) -> Secret:
        if not context.follows_files:
            return _not_looked_at("file:", context)
        octets = read_beginning(path, MAX_SECRET_BYTES + len(b"\r\n") + 1, context, reads_as)
        if octets is None:
            return PLACEHOLDER_SECRET
        if others_can_read(path):
            context.warn(f"everybody on this machine can read {path}", f"Run chmod o-r {path} to change that")
        octets = octets.removesuffix(b"\n").removesuffix(b"\r")
        if not octets:
            raise _fault(f"{path} is empty", f"Write {self._described} into it")
        return Secret(octets)


def _from_environment(name: str, context: ParseContext) -> Secret:
    if not _VARIABLE.fullmatch(name):
        raise _fault("what follows env: is not the name of an environment variable", "Write env:NAME")
    if not context.lends_environment:
        return _not_lent(name, context)
    if context.environ.get(name):
        return Secret(context.environ[name])
    if context.reach is not Reach.SERVICE:
        return _not_looked_at("env:", context)
    raise _fault(f"the environment variable {name} is not set or empty", f"Set {name} for the service")


def _not_lent(variable: str, context: ParseContext) -> Secret:
    if context.reads_as is None or not context.follows_files:
        return _not_looked_at("env:", context)
    owner = name_of_user(context.reads_as)
    what = f"the secret comes from env: and was not looked at, because {owner} owns this configuration, and not root"
    context.warn(what, f"See that the service finds it; to try it by hand, run this as {owner} with {variable} set")
    return PLACEHOLDER_SECRET


def _not_looked_at(source: str, context: ParseContext) -> Secret:
    context.warn(f"the secret comes from {source} and was not looked at", "See that the service finds it")
    return PLACEHOLDER_SECRET


class InputFile(Kind[Path]):
    """A file that is read; relative to the folder of the configuration file."""

    def parse(self, text: str, context: ParseContext) -> Path:
        """Resolve the name and see that the file can be read, or is made by a section of this configuration."""
        path = _resolve(text, context)
        if path in context.made_files:
            return path
        if context.follows_files:
            read_beginning(path, 1, context, context.reads_as)
        return path

    def describe(self) -> str:
        """Say what may be written."""
        return "a file"


class OutputFile(Kind[Path]):
    """A file that a section makes when it starts; relative to the folder of the configuration file."""

    def parse(self, text: str, context: ParseContext) -> Path:
        """Resolve the name."""
        path = _resolve(text, context)
        if context.follows_files and _is_folder(path):
            raise _fault(f"{path} is a folder", "Write the name of a file")
        return path

    def describe(self) -> str:
        """Say what may be written."""
        return "a file that is made at start"


class Folder(Kind[Path]):
    """A folder; relative to the folder of the configuration file. It is made when it is not there."""

    def parse(self, text: str, context: ParseContext) -> Path:
        """Resolve the name."""
        path = _resolve(text, context)
        if context.follows_files and _is_other_than_folder(path):
            raise _fault(f"{path} is not a folder", "Write the name of a folder")
        return path

    def describe(self) -> str:
        """Say what may be written."""
        return "a folder"


def _resolve(text: str, context: ParseContext) -> Path:
    """Resolve a file name of the configuration, unless it is one of a Windows machine.

    A backslash may stand in a name here; but a file that came from there names what is not here, and a folder of logs
    would be made with that odd name.
    """
    path = context.path(text)
    if _DRIVE.match(text) or ("\\" in text and context.follows_files and not os.path.lexists(path)):
        name = PureWindowsPath(text).name or "NAME"
        what = f"{quoted(text, MAX_PATH_CHARS)} is a path of Windows"
        raise _fault(what, f"Bring what it names to this machine, and write where it is: /FOLDER/{name}")
    return path


def _fault(what: str, remedy: str) -> ValueParseError:
    return ValueParseError(what, remedy, wants_example=False)


def read_beginning(path: Path, max_bytes: int, context: ParseContext, reads_as: int | None = None) -> bytes | None:
    """Read the beginning of a regular file (a pipe could keep us waiting for ever).

    Args:
        path: of the file.
        max_bytes: octets that are read at most.
        context: of the value that names it.
        reads_as: the user who has to be able to read it, beside this process; None: nobody else.

    Returns:
        None when only the account of the service may read it and somebody else checks; that is a warning.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _fault(f"{quoted(str(path), MAX_PATH_CHARS)} is not a file", "Write the name of a file")
            if reads_as is not None and not may_read(reads_as, descriptor):
                raise _not_for(reads_as, path)
            return os.read(descriptor, max_bytes)
        finally:
            os.close(descriptor)
    except PermissionError:
        if context.reach is not Reach.SERVICE:
            what = f"{quoted(str(path), MAX_PATH_CHARS)} may not be read by this account and was not looked at"
            context.warn(what, "See that the account of the service may read it")
            return None
        raise _fault(
            f"{quoted(str(path), MAX_PATH_CHARS)} may not be read", "Give this account the right to read it"
        ) from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "no possible file name"
        raise _fault(
            f"{quoted(str(path), MAX_PATH_CHARS)} cannot be read ({cause})", "Write the name of a file that is there"
        ) from None


def _not_for(user_id: int, path: Path) -> ValueParseError:
    name = name_of_user(user_id)
    what = f"{quoted(str(path), MAX_PATH_CHARS)} may not be read by {name}, who owns this configuration"
    return _fault(what, f"Give {name} the right to read it, or the configuration to root")


def others_can_read(path: Path) -> bool:
    """Tell whether everybody on this machine may read a file."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)


def _is_other_than_folder(path: Path) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)
