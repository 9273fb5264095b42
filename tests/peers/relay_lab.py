"""A FreeRADIUS that takes proofs of passwords and asks its users questions, and one proxy in front of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.peers import peer
from tests.peers.freeradius import SECRET, Rooms, User, running_freeradius
from tests.peers.lab import Lab, running_lab
from tests.peers.ports import free_ports
from tests.peers.proxy import Sections
from tests.peers.server import RunningServer

PASSWORD = "clientPass"  # of RFC 2759 §9.2, as is the name `User`
NEW_PASSWORD = "a new password"
FIRST_CODE, SECOND_CODE = "111111", "222222"
GRANTED = ("Class = 0x636c617373", "Filter-Id = vpn", 'Reply-Message = "Hello from FreeRADIUS"')
USERS: Mapping[str, User] = {
    "User": User(PASSWORD, GRANTED),
    "dave": User(PASSWORD, GRANTED),
    "codes": User(PASSWORD, GRANTED),
    "endless": User(PASSWORD),
    "expired": User(PASSWORD, GRANTED),
    "must-change": User(PASSWORD, GRANTED),
    "exempt": User(PASSWORD, GRANTED),
}
PEOPLE: Mapping[str, str] = {
    "User": "push approve-after 0",
    "dave": "push deny-after 0",
    "codes": "push approve-after 0 passcode 424242",
    "endless": "push approve-after 0",
    "expired": "push approve-after 0",
    "must-change": "push approve-after 0",
    "ivan": "push approve-after 3",
}


def _asks(name: str, correct: str, state: str, text: str, more: str = "") -> str:
    """An Auth-Type that takes one answer and puts the next question."""
    return f"""	Auth-Type {name} {{
		if ({correct}) {{
			update reply {{
				&Reply-Message := "{text}"
				&State := {state}
				{more}
			}}
			update control {{
				&Response-Packet-Type := Access-Challenge
			}}
			handled
		}}
		else {{
			reject
		}}
	}}
"""


def _ends(name: str, correct: str) -> str:
    """An Auth-Type that takes the last answer."""
    return f"""	Auth-Type {name} {{
		if ({correct}) {{
			ok
		}}
		else {{
			reject
		}}
	}}
"""


def _typed(text: str) -> str:
    return f'&User-Password == "{text}"'


PROOFS_AND_QUESTIONS = Rooms(
    modules="""always ok {
	rcode = ok
}
always reject {
	rcode = reject
}
chap {
}
mschap {
	use_mppe = yes
	require_encryption = yes
	require_strong = yes
	with_ntdomain_hack = yes
	passchange {
		local_cpw = "%{User-Name}"
	}
}
""",
    authorize="""files
	chap
	mschap
	if (&User-Name == "expired") {
		update control {
			&SMB-Account-CTRL := 0x00020010
		}
	}
	if (&User-Name == "codes") {
		if (!&State) {
			update control { &Auth-Type := Codes1 }
		}
		elsif (&State == 0x6f6e65) {
			update control { &Auth-Type := Codes2 }
		}
		else {
			update control { &Auth-Type := Codes3 }
		}
	}
	if (&User-Name == "endless") {
		update control { &Auth-Type := Endless }
	}
	if (&User-Name == "must-change") {
		if (!&State) {
			update control { &Auth-Type := Change1 }
		}
		elsif (&State == 0x6f6c64) {
			update control { &Auth-Type := Change2 }
		}
		else {
			update control { &Auth-Type := Change3 }
		}
	}
	pap""",
    authenticate="""	Auth-Type CHAP {
		chap
	}
	Auth-Type MS-CHAP {
		mschap
	}
"""
    + _asks("Codes1", _typed(PASSWORD), "0x6f6e65", "Enter the first code", "&Prompt := Echo\n&Session-Timeout := 45")
    + _asks("Codes2", _typed(FIRST_CODE), "0x74776f", "Enter the second code", "&Session-Timeout := 900")
    + _ends("Codes3", _typed(SECOND_CODE))
    + _asks("Endless", "&User-Name", "0x6f6e65", "And again?")
    + _asks("Change1", _typed(PASSWORD), "0x6f6c64", "Your password has expired. New password:", "&Prompt := No-Echo")
    + _asks("Change2", _typed(NEW_PASSWORD), "0x6e6577", "Once more:", "&Prompt := No-Echo")
    + _ends("Change3", _typed(NEW_PASSWORD)),
)


@dataclass(frozen=True)
class RelayLab:
    """What runs.

    Attributes:
        lab: the proxy.
        freeradius: the server behind it.
        upstream: its `host:port`.
    """

    lab: Lab
    freeradius: RunningServer
    upstream: str


def listeners() -> Sections:
    """Every listener that the tests of a module need; `AUTO` is its label where it is nothing else."""
    client = {"client": "radius_client"}
    return {
        "auto": client,
        "all": {**client, "pass_through_all": "true"},
        "secure": {**client, "failmode": "secure", "exempt_username_1": "exempt"},
        "pap-only": {"client": "sandbox_users"},
        "nobody": {"client": "duo_only_client"},
    }


@contextlib.contextmanager
def running_relay_lab(folder: Path) -> Iterator[RelayLab]:
    """Run both."""
    program = peer.peer("freeradius").path()
    assert program is not None
    [port] = free_ports(1)
    (folder / "upstream").mkdir()
    with running_freeradius(program, port, USERS, folder=folder / "upstream", rooms=PROOFS_AND_QUESTIONS) as server:
        client = {"host": "127.0.0.1", "port": port, "secret": SECRET, "retries": 1, "retry_wait": 5}
        more: Sections = {"radius_client": client, "duo_only_client": {}}
        with running_lab(folder / "proxy", listeners(), PEOPLE, more) as lab:
            yield RelayLab(lab, server, f"127.0.0.1:{port}")
