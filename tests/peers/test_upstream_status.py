"""A FreeRADIUS that was away and answers Status-Server is taken back without a login that finds out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.peers.freeradius import SECRET, Rooms, User, running_freeradius
from tests.peers.lab import running_lab
from tests.peers.ports import free_ports
from tests.peers.radclient import Pair, Radclient
from tests.peers.server import wait_until

pytestmark = pytest.mark.needs_peer("radclient", "freeradius")

USERS = {"alice": User("correct horse")}
LOGIN: Sequence[Pair] = [("User-Name", "alice"), ("User-Password", "correct horse")]
STATUS = Rooms(status_server=True)


def test_a_server_comes_back_by_status_server(
    program: Callable[[str], str], radclient: Radclient, tmp_path: Path
) -> None:
    """While it rests logins go to the other one; its answer to Status-Server ends the rest."""
    first, second = free_ports(2)
    client = {"host": "127.0.0.1", "port": first, "host_2": "127.0.0.1", "port_2": second, "secret": SECRET}
    listeners = {"vpn": {"client": "radius_client"}}
    freeradius = program("freeradius")
    more = {"radius_client": {**client, "retries": 1, "retry_wait": 0.5}}
    with (
        running_freeradius(freeradius, second, USERS, folder=tmp_path / "second") as other,
        running_freeradius(freeradius, first, USERS, folder=tmp_path / "first", rooms=STATUS) as server,
        running_lab(tmp_path / "proxy", listeners, {"alice": "push approve-after 0"}, more) as lab,
    ):

        def logs_in() -> None:
            answer = radclient.send(lab.addresses["vpn"], LOGIN)
            assert answer.code == "Access-Accept", answer.output + lab.log()

        server.wait_for_output("Received Status-Server")
        logs_in()
        server.stop()
        logs_in()
        assert "Received Access-Request" in other.output()
        with running_freeradius(freeradius, first, USERS, folder=tmp_path / "again", rooms=STATUS) as again:
            wait_until(lambda: f"RADIUS server 127.0.0.1:{first} answers again." in lab.log(), "the end of its rest")
            assert "Received Access-Request" not in again.output()
            logs_in()
            assert "Received Access-Request" in again.output()
