"""Single functions of the installer, without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.packaging.builds import ROOT


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads what the service wrote")
@pytest.mark.parametrize("laid", ["link", "pipe", "log"])
def test_root_reads_the_log_of_a_failed_upgrade_with_the_rights_of_the_service(laid: str) -> None:
    """The log folder is the service's own: it shows root no other file, keeps it from nothing, and moves no cursor."""
    functions = (ROOT / "conf" / "package" / "install").read_text().rpartition('main "$@"')[0]
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        folder.chmod(0o755)
        (folder / "log").mkdir()
        (folder / "only-roots").write_text("a secret of root's\n")
        (folder / "only-roots").chmod(0o600)
        log = folder / "log" / "authproxy.log"
        if laid == "link":
            log.symlink_to(folder / "only-roots")
        elif laid == "pipe":
            os.mkfifo(log, 0o666)
        else:
            log.write_text("why it failed\x1b[2J\n")
        script = f"{functions}\nset +Ee; trap - ERR; systemd_runs() {{ false; }}\n"
        script += f"base={folder} user=nobody group=nogroup; why_it_does_not_run"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=False)
    finally:
        shutil.rmtree(folder)
    assert done.stdout == ("why it failed[2J\n" if laid == "log" else "")
