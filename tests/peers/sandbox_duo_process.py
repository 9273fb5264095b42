"""The stand-in Duo service alone, as a process: `sandbox_duo_process.py PORT CA_FILE USER…`; says when it is ready."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from twisted.internet import reactor

from duoproxy.sandbox.accounts import parse_behaviour
from duoproxy.sandbox.certificates import write_ca_file
from duoproxy.sandbox.duo_listener import DuoListener
from duoproxy.secret import Secret

IKEY = "DISANDBOX00000000000"
SKEY = "this-key-is-public-and-not-secure-000000"
READY = "the stand-in is ready"


def run(port: int, ca_file: Path, users: list[str]) -> None:
    """Serve until the process is ended."""
    listener = DuoListener(
        reactor=reactor,
        behaviours=[parse_behaviour(user) for user in users],
        ikey=IKEY,
        skey=Secret(SKEY),
        random_bytes=os.urandom,
        wall_time=time.time,
        base_url=f"https://localhost:{port}",
        lockout_after=3,
    )
    listener.listen("127.0.0.1", port)
    write_ca_file(ca_file, listener.certificates.ca_pem)
    print(READY, flush=True)
    reactor.run()


if __name__ == "__main__":
    run(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
