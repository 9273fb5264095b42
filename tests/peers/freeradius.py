"""A real FreeRADIUS 3 that checks passwords: a generated radiusd.conf and users file, in debug mode, on loopback.

Debug mode serves one request at a time and prints each one decoded, so that a test reads what arrived there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.conftest import StartServer
from tests.peers.server import RunningServer, output_matches, start_server

SECRET = "upstream-secret"
READY = r"^Ready to process requests"
LIBRARIES = ("usr/lib/freeradius", "usr/lib64/freeradius", "usr/lib/*/freeradius")


@dataclass(frozen=True)
class User:
    """One entry of the users file.

    Attributes:
        password: text, or its octets in another encoding.
        reply: attributes of every answer, as the file has them (`Class = 0x00`), Rejects included.
        challenged: gets an Access-Challenge whatever the password is.
    """

    password: str | bytes = ""
    reply: Sequence[str] = ()
    challenged: bool = False


@dataclass(frozen=True)
class Rooms:
    """What a FreeRADIUS has beside PAP and the users file, in the language of radiusd.conf.

    Attributes:
        modules: further modules.
        authorize: what is done with each request, in place of `files` and `pap`.
        authenticate: further `Auth-Type`s.
        post_proxy: what is done with each reply of a home server.
        proxying: home servers; empty: requests are answered here.
        status_server: whether Status-Server is answered.
    """

    modules: str = ""
    authorize: str = "files\n\tpap"
    authenticate: str = ""
    post_proxy: str = ""
    proxying: str = ""
    status_server: bool = False


PAP_ONLY = Rooms()

# Set in a reply, FreeRADIUS computes it.
SIGNED = "Message-Authenticator = 0x00"


def start_freeradius(
    run_server: StartServer,
    program: str,
    port: int,
    users: Mapping[str, User],
    *,
    name: str = "freeradius",
    secret: str = SECRET,
    folder: Path,
) -> RunningServer:
    """Start a FreeRADIUS and wait until it takes requests.

    Args:
        run_server: the fixture.
        program: its executable.
        port: UDP port on 127.0.0.1.
        users: name to entry.
        name: for its folder and messages.
        secret: shared with everybody on 127.0.0.1.
        folder: the test's; the configuration goes into `folder/name`.
    """
    command = _prepare(program, port, users, folder / name, secret)
    return run_server(name, command, ready=output_matches(READY))


@contextlib.contextmanager
def running_freeradius(
    program: str, port: int, users: Mapping[str, User], *, folder: Path, rooms: Rooms = PAP_ONLY
) -> Iterator[RunningServer]:
    """Run a FreeRADIUS for several tests; the arguments are those of `start_freeradius`."""
    command = _prepare(program, port, users, folder, SECRET, rooms)
    server = start_server("freeradius", command, folder=folder, ready=output_matches(READY))
    try:
        yield server
    finally:
        server.stop()


def _prepare(
    program: str, port: int, users: Mapping[str, User], place: Path, secret: str, rooms: Rooms = PAP_ONLY
) -> list[str]:
    """Write the configuration; give the command line."""
    place.mkdir(exist_ok=True)
    (place / "dictionary").write_text("", "ascii")
    (place / "users").write_text("".join(_entry(user, entry) for user, entry in users.items()), "ascii")
    configuration = place / "radiusd.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(_radiusd(place, port, secret, rooms), "ascii")
    # -X is -f, in one thread, with every packet on standard output
    return [program, "-X", "-d", str(place), "-n", "radiusd"]


def _entry(name: str, user: User) -> str:
    octets = user.password.encode() if isinstance(user.password, str) else user.password
    quoted = "".join(f"\\{octet:03o}" for octet in octets)
    check = "Auth-Type := Challenge" if user.challenged else f'Cleartext-Password := "{quoted}"'
    return "\n".join([f"{name} {check}", ",\n".join(f"\t{attribute}" for attribute in user.reply), ""])


def _radiusd(folder: Path, port: int, secret: str, rooms: Rooms) -> str:
    libraries = [str(found) for pattern in LIBRARIES for found in Path("/").glob(pattern)]
    return f"""prefix = /usr
localstatedir = {folder}
confdir = {folder}
run_dir = {folder}
logdir = {folder}
libdir = {":".join(libraries)}
cleanup_delay = 0
proxy_requests = {"yes" if rooms.proxying else "no"}
security {{
	reject_delay = 0
	status_server = {"yes" if rooms.status_server else "no"}
}}
client loopback {{
	ipaddr = 127.0.0.1
	secret = {secret}
	require_message_authenticator = no
}}
{rooms.proxying}
modules {{
{rooms.modules}
pap {{
}}
files {{
	filename = {folder}/users
}}
always handled {{
	rcode = handled
}}
}}
server default {{
listen {{
	type = auth
	ipaddr = 127.0.0.1
	port = {port}
}}
authorize {{
	{rooms.authorize}
}}
authenticate {{
	Auth-Type PAP {{
		pap
	}}
	Auth-Type Challenge {{
		update control {{
			Response-Packet-Type := Access-Challenge
		}}
		handled
	}}
{rooms.authenticate}
}}
post-proxy {{
	{rooms.post_proxy}
}}
}}
"""
