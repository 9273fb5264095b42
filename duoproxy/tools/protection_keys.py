"""The key file of `_protected` values: finding, making and changing it, for `authproxy_passwd`.

The file belongs to the account of the service (root reads everything anyway) and has the mode 0400.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from duoproxy.config.protected import (
    CREDENTIAL_NAME,
    KEY_BYTES,
    MAX_KEY_FILE_BYTES,
    RUNNING_CREDENTIALS,
    ProtectionFault,
    ProtectionKey,
    read_keys,
)

KEY_MODE: Final = 0o400
_COMMENT: Final = (
    "# Key of the _protected values in authproxy.cfg, made by authproxy_passwd. Without it they cannot be opened.\n"
    "# Keep it apart from copies of authproxy.cfg; a backup of the machine needs both.\n"
)


@frozen
class KeyRing:
    """The keys that there are.

    Attributes:
        keys: the one that new values are made with first.
        source: where that one stands.
        is_credential: whether it is a systemd credential, which nobody can write.
    """

    keys: tuple[ProtectionKey, ...]
    source: Path
    is_credential: bool = False


def find_keys(file: Path, credentials: Sequence[Path]) -> KeyRing | None:
    """Read the keys; None when there is no key yet.

    Args:
        file: the key file of the installation.
        credentials: folders of systemd credentials that may hold one, which counts before the file.

    Raises:
        ProtectionFault: a file cannot be read, or is no key file.
    """
    places = [folder / CREDENTIAL_NAME for folder in credentials]
    found = [(place, _read(place)) for place in [*places, file] if os.path.lexists(place)]
    if not found:
        return None
    keys = tuple(dict.fromkeys(key for _, ring in found for key in ring))
    return KeyRing(keys, found[0][0], is_credential=found[0][0] in places)


def credential_folders(environ: Mapping[str, str], running: Path = RUNNING_CREDENTIALS) -> list[Path]:
    """List the folders of systemd credentials that this process may look into.

    Args:
        environ: the environment.
        running: where those of the running service are.
    """
    folders = [Path(environ["CREDENTIALS_DIRECTORY"])] if environ.get("CREDENTIALS_DIRECTORY") else []
    return [*folders, *([running] if os.access(running, os.R_OK | os.X_OK) else [])]


def new_key() -> ProtectionKey:
    """Make a key."""
    return ProtectionKey(secrets.token_bytes(KEY_BYTES))


def write_keys(file: Path, keys: Sequence[ProtectionKey], owner: tuple[int, int]) -> None:
    """Write the key file in one step; a link under its name is replaced, not followed.

    Args:
        file: where.
        keys: the one that new values are made with first.
        owner: uid and gid of the account of the service; only root can give a file away.

    Raises:
        OSError: it cannot be written.
    """
    text = _COMMENT + "".join(f"{key.line()}\n" for key in keys)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as opened:
            if os.geteuid() == 0:
                os.fchown(opened.fileno(), *owner)
            os.fchmod(opened.fileno(), KEY_MODE)
            opened.write(text.encode("ascii"))
            opened.flush()
            os.fsync(opened.fileno())
        os.rename(temporary, file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _read(file: Path) -> tuple[ProtectionKey, ...]:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as fault:
        remedy = "Run the tool as root, or as the account of the service"
        raise ProtectionFault(f"the key file {file} cannot be read ({fault.strerror})", remedy) from None
    return read_keys(content, str(file))
