"""PAM services whose passwords are asked for by pam_radius_auth. A service is a file in /etc/pam.d, hence root."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PAM_FOLDER = Path("/etc/pam.d")


@contextlib.contextmanager
def pam_radius_service(kind: str, folder: Path, radius_address: str, secret: str, wait_s: int = 30) -> Iterator[str]:
    """Make a service that no other run of tests has, and give its name.

    Args:
        kind: what it is for, as part of the name.
        folder: for the module's own file.
        radius_address: `host:port` that the module asks.
        secret: shared with it.
        wait_s: how long the module waits for each answer.
    """
    name = f"duoproxy-{kind}-{os.getpid()}"
    module_file = folder / "pam_radius_auth.conf"
    module_file.write_text(f"{radius_address} {secret} {wait_s}\n", "utf-8")
    module_file.chmod(0o600)
    service = PAM_FOLDER / name
    service.write_text(
        f"auth required pam_radius_auth.so conf={module_file} prompt=Password\n"
        "account required pam_permit.so\nsession required pam_permit.so\n",
        "utf-8",
    )
    try:
        yield name
    finally:
        service.unlink()
