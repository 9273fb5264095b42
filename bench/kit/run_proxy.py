"""Our proxy, with a private switch that no option reaches: how a push is waited for.

DUOPROXY_BENCH_TRANSACTION=blocking|async, then the arguments of twistd.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.scripts.twistd import run

from duoproxy.net.duo_client import DuoClient, Transaction
from duoproxy.sections import duo_server_options

TRANSACTIONS: dict[str, Transaction] = {"blocking": "blocking", "async": "async"}
WANTED = TRANSACTIONS[os.environ.get("DUOPROXY_BENCH_TRANSACTION", "blocking")]


class SwitchedDuoClient(DuoClient):
    """The client, with the transaction that the measurement is about."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{**arguments, "transaction": WANTED})


def main() -> None:
    """Run twistd."""
    setattr(duo_server_options, "DuoClient", SwitchedDuoClient)  # noqa: B010 - the name is not the module's own
    run()


if __name__ == "__main__":
    main()
